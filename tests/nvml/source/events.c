/* Events: XIDs that appear in the file after a set was made are given to it once, in the order of their ids. */

#include "library.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define XID_EVENT 0x8ull
#define SUPPORTED_EVENTS (0x1ull | 0x2ull | XID_EVENT | 0x100ull) /* ECC errors, XIDs, a changed MIG configuration */
#define PAUSE 20 /* ms between looks at the file */

struct event_data {
    struct handle *device;
    unsigned long long type, data;
    unsigned gi, ci;
};

struct registered {
    char uuid[UUID_SIZE];
    struct registered *next;
};

struct set {
    unsigned long long last; /* the newest event that it has been given, or that was there before it */
    struct registered *registered;
};

EXPORT int nvmlEventSetCreate(struct set **out)
{
    struct call call;
    int code = enter(&call, __func__);
    struct set *made = code || !out ? NULL : calloc(1, sizeof *made);
    if (!code && !made)
        code = out ? OUT_OF_MEMORY : INVALID_ARGUMENT;
    for (unsigned i = 0; made && i < call.node->events; i++)
        if (call.node->event[i].id > made->last)
            made->last = call.node->event[i].id;
    if (made)
        *out = made;
    return leave(code);
}

EXPORT int nvmlEventSetFree(struct set *set)
{
    struct call call;
    enter(&call, __func__); /* freeing works whatever the node is like */
    for (struct registered *each = set ? set->registered : NULL, *next; each; each = next) {
        next = each->next;
        free(each);
    }
    free(set);
    return leave(set ? SUCCESS : INVALID_ARGUMENT);
}

EXPORT int nvmlDeviceGetSupportedEventTypes(struct handle *device, unsigned long long *types)
{
    struct call call;
    int code = enter_gpu(&call, __func__, device);
    if (!code && !types)
        code = INVALID_ARGUMENT;
    if (!code)
        *types = SUPPORTED_EVENTS;
    return leave(code);
}

EXPORT int nvmlDeviceRegisterEvents(struct handle *device, unsigned long long types, struct set *set)
{
    struct call call;
    int code = enter_gpu(&call, __func__, device);
    if (!code && !set)
        code = INVALID_ARGUMENT;
    if (!code && types & ~SUPPORTED_EVENTS)
        code = NOT_SUPPORTED;
    if (!code && types & XID_EVENT) {
        struct registered *made = calloc(1, sizeof *made);
        if (made) {
            strcpy(made->uuid, call.gpu->uuid);
            made->next = set->registered;
            set->registered = made;
        } else
            code = OUT_OF_MEMORY;
    }
    return leave(code);
}

static const struct event *next_event(const struct node *node, const struct set *set)
{
    const struct event *found = NULL;
    for (unsigned i = 0; i < node->events; i++) {
        const struct event *each = &node->event[i];
        bool registered = false;
        for (const struct registered *one = set->registered; one; one = one->next)
            registered = registered || !strcmp(one->uuid, each->uuid);
        if (registered && each->id > set->last && (!found || each->id < found->id))
            found = each;
    }
    return found;
}

static const struct gpu *gpu_named(const struct node *node, const char *uuid)
{
    for (unsigned i = 0; i < node->gpus; i++)
        if (!strcmp(node->gpu[i].uuid, uuid))
            return &node->gpu[i];
    return NULL;
}

static unsigned long long milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000;
}

EXPORT int nvmlEventSetWait_v2(struct set *set, struct event_data *data, unsigned timeout)
{
    unsigned long long end = milliseconds() + timeout;
    for (;;) {
        struct call call;
        int code = enter(&call, __func__);
        if (!code && (!set || !data))
            code = INVALID_ARGUMENT;
        const struct event *event = code ? NULL : next_event(call.node, set);
        if (event) {
            const struct gpu *gpu = gpu_named(call.node, event->uuid);
            set->last = event->id;
            *data = (struct event_data){.type = XID_EVENT, .data = event->xid, .gi = event->gi, .ci = event->ci};
            data->device = gpu ? handle_of(A_GPU, gpu, NULL) : NULL;
        }
        leave(code);
        if (code || event)
            return code;
        unsigned long long now = milliseconds();
        if (now >= end)
            return TIMED_OUT;
        unsigned long long pause = end - now < PAUSE ? end - now : PAUSE;
        nanosleep(&(struct timespec){.tv_nsec = (long)pause * 1000000}, NULL);
    }
}
