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
#include <sys/stat.h>
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

static const struct node *current;
static struct stat seen; /* of the file that `current` was read from; all zero: of none */

static void say(const char *path, const char *message)
{
    fprintf(stderr, "labquota's NVML: %s: %s\n", path, message);
}

static char *content_of(int file, off_t size)
{
    char *content = malloc((size_t)size + 1);
    ssize_t got = 0;
    for (ssize_t more; content && got < size && (more = read(file, content + got, (size_t)(size - got))) > 0;)
        got += more;
    if (content)
        content[got] = 0;
    return content;
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Read the file again if it is another one than last time; a mistake is told once for each of its versions. */
static void refresh(void)
{
    static bool told;
    const char *path = getenv("LABQUOTA_NVML");
    struct stat now = {0};
    if (!path || stat(path, &now)) {
        if (!told)
            say(path ? path : "LABQUOTA_NVML", path ? "cannot be read" : "is not set; it names the node's file");
        told = true;
        node_free(current);
        current = NULL;
        seen = (struct stat){0};
        return;
    }
    if (same(&now, &seen))
        return;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    char mistake[256] = "cannot be read";
    node_free(current);
    current = NULL;
    seen = now;
    if (file >= 0 && !fstat(file, &seen)) {
        char *content = content_of(file, seen.st_size);
        current = content ? node_read(content, mistake, sizeof mistake) : NULL;
    }
    if (file >= 0)
        close(file);
    told = !current;
    if (!current)
        say(path, mistake);
}

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
    refresh();
    if (!current)
        return UNKNOWN;
    call->node = current;
    int code = errors_of(&current->errors, function);
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
