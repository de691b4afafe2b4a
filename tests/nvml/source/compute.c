/* Compute instances: how a GPU instance can be cut, and how it is. */

#include "mig.h"

#include <stdio.h>

struct compute_profile_info {
    unsigned id, slices, most, processors, copy_engines, decoders, encoders, jpeg, ofa;
};

struct compute_profile_info_v2 {
    unsigned version, id, slices, most, processors, copy_engines, decoders, encoders, jpeg, ofa;
    char name[96];
};

struct compute_info {
    struct handle *device, *instance;
    unsigned id, profile;
    struct placement placement;
};

/* NVML's constants of compute profiles in their order, as slices; the one behind them is not offered here. */
static const unsigned compute_slices[] = {1, 2, 3, 4, 7, 8, 6};
#define COMPUTE_PROFILES (sizeof compute_slices / sizeof *compute_slices)

static int describe_compute(const char *function, struct handle *instance, unsigned ordinal, unsigned engine,
                            struct compute_profile_info_v2 *info)
{
    struct call call;
    int code = enter_instance(&call, function, instance, AN_INSTANCE);
    if (!code && (!info || engine || ordinal >= 9))
        code = INVALID_ARGUMENT;
    if (!code && info->version != (2u << 24 | sizeof *info))
        code = VERSION_MISMATCH;
    const struct profile *whole = code ? NULL : call.mig->profile;
    unsigned slices = ordinal < COMPUTE_PROFILES ? compute_slices[ordinal] : 0;
    if (!code && (!slices || slices > whole->slices))
        code = NOT_SUPPORTED;
    if (code)
        return leave(code);
    struct profile_info_v2 shared = described(whole);
    *info = (struct compute_profile_info_v2){
        .version = info->version, .id = ordinal, .slices = slices, .most = whole->slices / slices,
        .processors = whole->processors * slices / whole->slices, .copy_engines = shared.copy_engines,
        .decoders = shared.decoders, .jpeg = shared.jpeg, .ofa = shared.ofa,
    };
    if (slices == whole->slices)
        snprintf(info->name, sizeof info->name, "MIG %s", whole->name);
    else
        snprintf(info->name, sizeof info->name, "MIG %uc.%s", slices, whole->name);
    return leave(SUCCESS);
}

EXPORT int nvmlGpuInstanceGetComputeInstanceProfileInfoV(struct handle *instance, unsigned ordinal, unsigned engine,
                                                         struct compute_profile_info_v2 *info)
{
    return describe_compute(__func__, instance, ordinal, engine, info);
}

EXPORT int nvmlGpuInstanceGetComputeInstanceProfileInfo(struct handle *instance, unsigned ordinal, unsigned engine,
                                                        struct compute_profile_info *info)
{
    struct compute_profile_info_v2 newer = {.version = 2u << 24 | sizeof newer};
    int code = describe_compute(__func__, instance, ordinal, engine, info ? &newer : NULL);
    if (!code)
        *info = (struct compute_profile_info){
            .id = newer.id, .slices = newer.slices, .most = newer.most, .processors = newer.processors,
            .copy_engines = newer.copy_engines, .decoders = newer.decoders, .jpeg = newer.jpeg, .ofa = newer.ofa,
        };
    return code;
}

static unsigned compute_profile(const struct mig *mig)
{
    unsigned ordinal = 0;
    while (ordinal < COMPUTE_PROFILES && compute_slices[ordinal] != mig->slices)
        ordinal++;
    return ordinal;
}

EXPORT int nvmlGpuInstanceGetComputeInstanceById(struct handle *instance, unsigned ci, struct handle **out)
{
    struct call call;
    int code = enter_instance(&call, __func__, instance, AN_INSTANCE);
    if (!code && !out)
        code = INVALID_ARGUMENT;
    for (unsigned i = 0; !code && i < call.gpu->instances; i++) {
        const struct mig *each = &call.gpu->instance[i];
        if (each->gi == call.mig->gi && each->ci == ci) {
            *out = handle_of(A_COMPUTE_INSTANCE, call.gpu, each);
            return leave(*out ? SUCCESS : OUT_OF_MEMORY);
        }
    }
    return leave(code ? code : NOT_FOUND);
}

EXPORT int nvmlGpuInstanceGetComputeInstances(struct handle *instance, unsigned id, struct handle **out,
                                              unsigned *count)
{
    struct call call;
    int code = enter_instance(&call, __func__, instance, AN_INSTANCE);
    if (!code && (!out || !count))
        code = INVALID_ARGUMENT;
    if (code)
        return leave(code);
    *count = 0;
    for (unsigned i = 0; i < call.gpu->instances; i++) {
        const struct mig *each = &call.gpu->instance[i];
        if (each->gi == call.mig->gi && compute_profile(each) == id)
            out[(*count)++] = handle_of(A_COMPUTE_INSTANCE, call.gpu, each);
    }
    return leave(SUCCESS);
}

EXPORT int nvmlComputeInstanceGetInfo_v2(struct handle *compute, struct compute_info *info)
{
    struct call call;
    int code = enter_instance(&call, __func__, compute, A_COMPUTE_INSTANCE);
    if (!code && !info)
        code = INVALID_ARGUMENT;
    if (code)
        return leave(code);
    unsigned start = 0;
    for (unsigned i = 0; i < call.gpu->instances; i++) {
        const struct mig *each = &call.gpu->instance[i];
        start += each->gi == call.mig->gi && each->ci < call.mig->ci ? each->slices : 0;
    }
    *info = (struct compute_info){
        .device = handle_of(A_GPU, call.gpu, NULL), .instance = handle_of(AN_INSTANCE, call.gpu, call.mig),
        .id = call.mig->ci, .profile = compute_profile(call.mig), .placement = {start, call.mig->slices},
    };
    return leave(SUCCESS);
}
