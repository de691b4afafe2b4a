/* GPU instance profiles: what a GPU offers, where it could lie, and how many more fit. */

#include "mig.h"

#include <stdio.h>

struct profile_info {
    unsigned id, peer, slices, most, processors, copy_engines, decoders, encoders, jpeg, ofa;
    unsigned long long memory; /* MiB */
};

struct profile_info_v2 described(const struct profile *profile)
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

const struct profile *offered(const struct gpu *gpu, unsigned number, bool by_id)
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
