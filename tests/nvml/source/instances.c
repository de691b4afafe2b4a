/* GPU instances and compute instances: which profiles a GPU offers, which instances there are, and where they lie. */

#include "library.h"

#include <stdio.h>
#include <string.h>

struct placement {
    unsigned start, size;
};

struct profile_info {
    unsigned id, peer, slices, most, processors, copy_engines, decoders, encoders, jpeg, ofa;
    unsigned long long memory; /* MiB */
};

struct profile_info_v2 {
    unsigned version, id, peer, slices, most, processors, copy_engines, decoders, encoders, jpeg, ofa;
    unsigned long long memory;
    char name[96];
};

struct instance_info {
    struct handle *device;
    unsigned id, profile;
    struct placement placement;
};

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

static struct profile_info_v2 described(const struct profile *profile)
{
    struct profile_info_v2 info = {
        .version = 2u << 24 | sizeof info,
        .id = profile->id,
        .slices = profile->slices,
        .most = profile->most,
        .processors = profile->processors,
        .copy_engines = profile->slices,
        .decoders = profile->slices / 2 + profile->media,
        .jpeg = profile->media,
        .ofa = profile->media,
        .memory = profile->memory,
    };
    snprintf(info.name, sizeof info.name, "MIG %s", profile->name);
    return info;
}

static const struct profile *offered(const struct gpu *gpu, unsigned number, bool by_id)
{
    for (unsigned i = 0; i < gpu->model->profiles; i++) {
        const struct profile *each = &gpu->model->profile[i];
        if ((by_id ? each->id : each->ordinal) == number)
            return each;
    }
    return NULL;
}

static int describe(const char *function, struct handle *device, unsigned number, bool by_id,
                    struct profile_info_v2 *info)
{
    struct call call;
    int code = enter_gpu(&call, function, device);
    if (!code && (!info || (!by_id && number >= 18)))
        code = INVALID_ARGUMENT;
    if (!code && info->version != (2u << 24 | sizeof *info))
        code = VERSION_MISMATCH;
    const struct profile *profile = code ? NULL : offered(call.gpu, number, by_id);
    if (!code && !profile)
        code = NOT_SUPPORTED;
    if (!code)
        *info = described(profile);
    return leave(code);
}

EXPORT int nvmlDeviceGetGpuInstanceProfileInfoV(struct handle *device, unsigned ordinal, struct profile_info_v2 *info)
{
    return describe(__func__, device, ordinal, false, info);
}

EXPORT int nvmlDeviceGetGpuInstanceProfileInfoByIdV(struct handle *device, unsigned id, struct profile_info_v2 *info)
{
    return describe(__func__, device, id, true, info);
}

EXPORT int nvmlDeviceGetGpuInstanceProfileInfo(struct handle *device, unsigned ordinal, struct profile_info *info)
{
    struct profile_info_v2 newer = {.version = 2u << 24 | sizeof newer};
    int code = describe(__func__, device, ordinal, false, info ? &newer : NULL);
    if (!code)
        *info = (struct profile_info){
            .id = newer.id, .slices = newer.slices, .most = newer.most, .processors = newer.processors,
            .copy_engines = newer.copy_engines, .decoders = newer.decoders, .jpeg = newer.jpeg, .ofa = newer.ofa,
            .memory = newer.memory,
        };
    return code;
}

static bool is_free(const struct gpu *gpu, unsigned start, unsigned size)
{
    for (unsigned i = 0; i < gpu->instances; i++) {
        const struct mig *each = &gpu->instance[i];
        if (start < each->start + each->profile->size && each->start < start + size)
            return false;
    }
    return true;
}

EXPORT int nvmlDeviceGetGpuInstanceRemainingCapacity(struct handle *device, unsigned id, unsigned *count)
{
    struct call call;
    int code = enter_gpu(&call, __func__, device);
    const struct profile *profile = code ? NULL : offered(call.gpu, id, true);
    if (!code && !profile)
        code = NOT_SUPPORTED;
    if (!code && !count)
        code = INVALID_ARGUMENT;
    if (code)
        return leave(code);
    unsigned places = 0, there = 0;
    for (unsigned i = 0; i < profile->places; i++)
        places += is_free(call.gpu, profile->starts[i], profile->size);
    for (unsigned i = 0; i < call.gpu->instances; i++) {
        bool counted = false;
        for (unsigned j = 0; j < i; j++)
            counted = counted || call.gpu->instance[j].gi == call.gpu->instance[i].gi;
        there += !counted && call.gpu->instance[i].profile == profile;
    }
    unsigned left = profile->most > there ? profile->most - there : 0;
    *count = places < left ? places : left;
    return leave(SUCCESS);
}

EXPORT int nvmlDeviceGetGpuInstancePossiblePlacements_v2(struct handle *device, unsigned id, struct placement *places,
                                                         unsigned *count)
{
    struct call call;
    int code = enter_gpu(&call, __func__, device);
    const struct profile *profile = code ? NULL : offered(call.gpu, id, true);
    if (!code && !profile)
        code = NOT_SUPPORTED;
    if (!code && !count)
        code = INVALID_ARGUMENT;
    if (!code && places && *count < profile->places)
        code = INSUFFICIENT_SIZE;
    for (unsigned i = 0; !code && places && i < profile->places; i++)
        places[i] = (struct placement){profile->starts[i], profile->size};
    if (profile && count)
        *count = profile->places;
    return leave(code);
}

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
