/* The start and the end of each call: the file as it is now, errors that it sets, and what handles stand for.
 *
 * A handle is the address of an entry in a table that only grows, which holds a name (a UUID, with ids), never a
 * pointer: whatever a caller passes can be told, and a handle of a device that is gone is an invalid argument.
 */

#include "library.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct handle {
    enum what what;
    unsigned gi, ci;
    char uuid[UUID_SIZE]; /* the GPU's; of a MIG device its own */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int users; /* how often it was initialised */
static struct handle table[1 << 16];
static unsigned handles;

/* Append the function's name to the file that LABQUOTA_NVML_CALLS names. */
static void record(const char *function)
{
    const char *path = getenv("LABQUOTA_NVML_CALLS");
    int file = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : -1;
    if (file < 0)
        return;
    dprintf(file, "%s\n", function);
    close(file);
}

int enter(struct call *call, const char *function)
{
    pthread_mutex_lock(&lock);
    *call = (struct call){0};
    record(function);
    bool initialising = !strncmp(function, "nvmlInit", strlen("nvmlInit"));
    if (!users && !initialising)
        return UNINITIALIZED;
    call->node = node_now();
    if (!call->node)
        return UNKNOWN;
    int code = errors_of(&call->node->errors, function);
    return code > 0 ? code : SUCCESS;
}

int leave(int code)
{
    pthread_mutex_unlock(&lock);
    return code;
}

int judge(const struct call *call, const char *function)
{
    if (call->gpu->lost)
        return GPU_IS_LOST;
    int code = call->mig ? errors_of(&call->mig->errors, function) : -1;
    if (code < 0)
        code = errors_of(&call->gpu->errors, function);
    return code > 0 ? code : SUCCESS;
}

static bool is_handle(const struct handle *handle, enum what what)
{
    uintptr_t at = (uintptr_t)handle, first = (uintptr_t)table;
    return at >= first && at < (uintptr_t)(table + handles) && (at - first) % sizeof *table == 0 &&
           handle->what == what;
}

/* Find what a handle stands for in the node as it is now. */
static bool find(struct call *call, const struct handle *handle)
{
    for (unsigned i = 0; i < call->node->gpus; i++) {
        const struct gpu *gpu = &call->node->gpu[i];
        bool this = handle->what != A_MIG && !strcmp(gpu->uuid, handle->uuid);
        if (this && handle->what == A_GPU) {
            call->gpu = gpu;
            return true;
        }
        for (unsigned j = 0; j < gpu->instances; j++) {
            const struct mig *mig = &gpu->instance[j];
            bool found = handle->what == A_MIG ? !strcmp(mig->uuid, handle->uuid)
                                               : this && mig->gi == handle->gi &&
                                                     (handle->what == AN_INSTANCE || mig->ci == handle->ci);
            if (found) {
                call->gpu = gpu;
                call->mig = mig;
                return true;
            }
        }
    }
    return false;
}

int enter_device(struct call *call, const char *function, struct handle *device)
{
    int code = enter(call, function);
    if (code)
        return code;
    if ((!is_handle(device, A_GPU) && !is_handle(device, A_MIG)) || !find(call, device))
        return INVALID_ARGUMENT;
    return judge(call, function);
}

int enter_gpu(struct call *call, const char *function, struct handle *device)
{
    int code = enter_device(call, function, device);
    return code ? code : call->mig ? NOT_SUPPORTED : SUCCESS;
}

int enter_instance(struct call *call, const char *function, struct handle *instance, enum what what)
{
    int code = enter(call, function);
    if (code)
        return code;
    if (!is_handle(instance, what) || !find(call, instance))
        return INVALID_ARGUMENT;
    return judge(call, function);
}

struct handle *handle_of(enum what what, const struct gpu *gpu, const struct mig *mig)
{
    struct handle wanted = {.what = what};
    strcpy(wanted.uuid, what == A_MIG ? mig->uuid : gpu->uuid);
    wanted.gi = what == AN_INSTANCE || what == A_COMPUTE_INSTANCE ? mig->gi : NONE;
    wanted.ci = what == A_COMPUTE_INSTANCE ? mig->ci : NONE;
    for (unsigned i = 0; i < handles; i++)
        if (table[i].what == what && table[i].gi == wanted.gi && table[i].ci == wanted.ci &&
            !strcmp(table[i].uuid, wanted.uuid))
            return &table[i];
    if (handles == sizeof table / sizeof *table)
        return NULL;
    table[handles] = wanted;
    return &table[handles++];
}

bool start_using(void)
{
    return ++users == 1;
}

bool stop_using(void)
{
    return users > 0 && users-- > 0;
}

int put_text(char *out, unsigned size, const char *text)
{
    if (!out)
        return INVALID_ARGUMENT;
    if (strlen(text) >= size)
        return INSUFFICIENT_SIZE;
    strcpy(out, text);
    return SUCCESS;
}
