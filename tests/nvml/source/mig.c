/* MIG devices: modes, handles with holes among them, and what a MIG device is. */

#include "library.h"

struct attributes {
    unsigned processors, copy_engines, decoders, encoders, jpeg, ofa, gpu_slices, compute_slices;
    unsigned long long memory; /* MiB */
};

EXPORT int nvmlDeviceGetMigMode(struct handle *device, unsigned *now, unsigned *pending)
{
    struct call call;
    int code = enter_gpu(&call, __func__, device);
    if (!code && !call.gpu->model->profiles)
        code = NOT_SUPPORTED;
    if (!code && (!now || !pending))
        code = INVALID_ARGUMENT;
    if (!code) {
        *now = call.gpu->mig;
        *pending = call.gpu->pending;
    }
    return leave(code);
}

EXPORT int nvmlDeviceGetMaxMigDeviceCount(struct handle *device, unsigned *count)
{
    struct call call;
    int code = enter_gpu(&call, __func__, device);
    if (!code && !count)
        code = INVALID_ARGUMENT;
    if (!code)
        *count = call.gpu->mig ? call.gpu->model->slices : 0;
    return leave(code);
}

EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(struct handle *device, unsigned index, struct handle **out)
{
    struct call call;
    int code = enter_gpu(&call, __func__, device);
    if (!code && !call.gpu->mig)
        code = NOT_SUPPORTED;
    if (!code && (!out || index >= call.gpu->model->slices))
        code = INVALID_ARGUMENT;
    for (unsigned i = 0; !code && i < call.gpu->instances; i++) {
        call.mig = &call.gpu->instance[i];
        if (call.mig->index != index)
            continue;
        code = judge(&call, __func__);
        if (!code && !(*out = handle_of(A_MIG, call.gpu, call.mig)))
            code = OUT_OF_MEMORY;
        return leave(code);
    }
    return leave(code ? code : NOT_FOUND);
}

EXPORT int nvmlDeviceIsMigDeviceHandle(struct handle *device, unsigned *answer)
{
    struct call call;
    int code = enter_device(&call, __func__, device);
    if (!code && !answer)
        code = INVALID_ARGUMENT;
    if (!code)
        *answer = call.mig != NULL;
    return leave(code);
}

EXPORT int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(struct handle *device, struct handle **parent)
{
    struct call call;
    int code = enter_device(&call, __func__, device);
    if (!code && (!parent || !call.mig))
        code = INVALID_ARGUMENT;
    if (!code && !(*parent = handle_of(A_GPU, call.gpu, NULL)))
        code = OUT_OF_MEMORY;
    return leave(code);
}

static int id(const char *function, struct handle *device, unsigned *out, bool compute)
{
    struct call call;
    int code = enter_device(&call, function, device);
    if (!code && !call.mig)
        code = NOT_SUPPORTED;
    if (!code && !out)
        code = INVALID_ARGUMENT;
    if (!code)
        *out = compute ? call.mig->ci : call.mig->gi;
    return leave(code);
}

EXPORT int nvmlDeviceGetGpuInstanceId(struct handle *device, unsigned *gi)
{
    return id(__func__, device, gi, false);
}

EXPORT int nvmlDeviceGetComputeInstanceId(struct handle *device, unsigned *ci)
{
    return id(__func__, device, ci, true);
}

EXPORT int nvmlDeviceGetAttributes_v2(struct handle *device, struct attributes *attributes)
{
    struct call call;
    int code = enter_device(&call, __func__, device);
    if (!code && !call.mig)
        code = NOT_SUPPORTED;
    if (!code && !attributes)
        code = INVALID_ARGUMENT;
    if (code)
        return leave(code);
    const struct mig *mig = call.mig;
    const struct profile *profile = mig->profile;
    *attributes = (struct attributes){
        .processors = profile->processors * mig->slices / profile->slices,
        .copy_engines = profile->slices,
        .decoders = profile->slices / 2 + profile->media,
        .jpeg = profile->media,
        .ofa = profile->media,
        .gpu_slices = profile->slices,
        .compute_slices = mig->slices,
        .memory = profile->memory,
    };
    return leave(SUCCESS);
}
