/* GPU instances: which there are, and where they lie. */

#include "mig.h"

struct instance_info {
    struct handle *device;
    unsigned id, profile;
    struct placement placement;
};

EXPORT int nvmlDeviceGetGpuInstanceById(struct handle *device, unsigned gi, struct handle **out)
{
    struct call call;
    int code = enter_gpu(&call, __func__, device);
    if (!code && !call.gpu->mig)
        code = NOT_SUPPORTED;
    if (!code && !out)
        code = INVALID_ARGUMENT;
    for (unsigned i = 0; !code && i < call.gpu->instances; i++)
        if (call.gpu->instance[i].gi == gi) {
            *out = handle_of(AN_INSTANCE, call.gpu, &call.gpu->instance[i]);
            return leave(*out ? SUCCESS : OUT_OF_MEMORY);
        }
    return leave(code ? code : NOT_FOUND);
}

EXPORT int nvmlDeviceGetGpuInstances(struct handle *device, unsigned id, struct handle **out, unsigned *count)
{
    struct call call;
    int code = enter_gpu(&call, __func__, device);
    if (!code && !offered(call.gpu, id, true))
        code = NOT_SUPPORTED;
    if (!code && (!out || !count))
        code = INVALID_ARGUMENT;
    if (code)
        return leave(code);
    *count = 0;
    for (unsigned i = 0; i < call.gpu->instances; i++) {
        const struct mig *each = &call.gpu->instance[i];
        struct handle *found = each->profile->id == id ? handle_of(AN_INSTANCE, call.gpu, each) : NULL;
        bool there = !found;
        for (unsigned j = 0; j < *count; j++)
            there = there || out[j] == found;
        if (!there)
            out[(*count)++] = found;
    }
    return leave(SUCCESS);
}

EXPORT int nvmlGpuInstanceGetInfo(struct handle *instance, struct instance_info *info)
{
    struct call call;
    int code = enter_instance(&call, __func__, instance, AN_INSTANCE);
    if (!code && !info)
        code = INVALID_ARGUMENT;
    if (!code)
        *info = (struct instance_info){
            .device = handle_of(A_GPU, call.gpu, NULL), .id = call.mig->gi, .profile = call.mig->profile->id,
            .placement = {call.mig->start, call.mig->profile->size},
        };
    return leave(code);
}
