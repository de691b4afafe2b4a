/* GPUs: how many there are, and how to get at one. */

#include "library.h"

#include <stdio.h>
#include <string.h>

EXPORT int nvmlDeviceGetCount_v2(unsigned *count)
{
    struct call call;
    int code = enter(&call, __func__);
    if (!code && !count)
        code = INVALID_ARGUMENT;
    if (!code)
        *count = call.node->gpus;
    return leave(code);
}

static int give(struct call *call, const char *function, enum what what, struct handle **out)
{
    int code = judge(call, function);
    if (!code && !(*out = handle_of(what, call->gpu, call->mig)))
        code = OUT_OF_MEMORY;
    return code;
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct handle **out)
{
    struct call call;
    int code = enter(&call, __func__);
    if (!code && (!out || index >= call.node->gpus))
        code = INVALID_ARGUMENT;
    if (code)
        return leave(code);
    call.gpu = &call.node->gpu[index];
    return leave(give(&call, __func__, A_GPU, out));
}

EXPORT int nvmlDeviceGetHandleByUUID(const char *uuid, struct handle **out)
{
    struct call call;
    int code = enter(&call, __func__);
    if (!code && (!out || !uuid))
        code = INVALID_ARGUMENT;
    for (unsigned i = 0; !code && i < call.node->gpus; i++) {
        call.gpu = &call.node->gpu[i];
        call.mig = NULL;
        if (!strcmp(call.gpu->uuid, uuid))
            return leave(give(&call, __func__, A_GPU, out));
        for (unsigned j = 0; j < call.gpu->instances; j++) {
            call.mig = &call.gpu->instance[j];
            if (!strcmp(call.mig->uuid, uuid))
                return leave(give(&call, __func__, A_MIG, out));
        }
    }
    return leave(code ? code : NOT_FOUND);
}

EXPORT int nvmlDeviceGetHandleByPciBusId_v2(const char *address, struct handle **out)
{
    struct call call;
    int code = enter(&call, __func__);
    unsigned domain, bus, slot;
    if (!code && (!out || !address || sscanf(address, "%x:%x:%x.0", &domain, &bus, &slot) != 3))
        code = INVALID_ARGUMENT;
    for (unsigned i = 0; !code && i < call.node->gpus; i++) {
        call.gpu = &call.node->gpu[i];
        if (call.gpu->domain == domain && call.gpu->bus == bus && call.gpu->slot == slot)
            return leave(give(&call, __func__, A_GPU, out));
    }
    return leave(code ? code : NOT_FOUND);
}
