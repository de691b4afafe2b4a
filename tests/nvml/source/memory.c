/* How much memory a GPU or MIG device has, what is used of it, and whether its rows are good. */

#include "library.h"

struct memory {
    unsigned long long total, free, used;
};

struct memory_v2 {
    unsigned version;
    unsigned long long total, reserved, free, used;
};

/* What processes have on a GPU or on one of its MIG devices, as far as NVML can say. */
static unsigned long long used(const struct call *call)
{
    unsigned long long sum = 0;
    for (unsigned i = 0; i < call->gpu->processes; i++) {
        const struct process *each = &call->gpu->process[i];
        bool here = !call->mig || each->gi == call->mig->gi;
        sum += here && each->memory != ~0ull ? each->memory : 0;
    }
    return sum;
}

static struct memory_v2 memory_of(const struct call *call)
{
    struct memory_v2 memory = {.version = 2u << 24 | sizeof memory};
    memory.total = call->mig ? call->mig->profile->memory * MIB : call->gpu->memory;
    memory.reserved = memory.total / 128 / MIB * MIB;
    memory.used = used(call);
    unsigned long long taken = memory.reserved + memory.used;
    memory.free = taken < memory.total ? memory.total - taken : 0;
    return memory;
}

/* Version 1 counts what the driver keeps for itself among what is used. */
EXPORT int nvmlDeviceGetMemoryInfo(struct handle *device, struct memory *memory)
{
    struct call call;
    int code = enter_device(&call, __func__, device);
    if (!code && !memory)
        code = INVALID_ARGUMENT;
    if (!code) {
        struct memory_v2 now = memory_of(&call);
        *memory = (struct memory){.total = now.total, .free = now.free, .used = now.total - now.free};
    }
    return leave(code);
}

EXPORT int nvmlDeviceGetMemoryInfo_v2(struct handle *device, struct memory_v2 *memory)
{
    struct call call;
    int code = enter_device(&call, __func__, device);
    if (!code && !memory)
        code = INVALID_ARGUMENT;
    if (!code && memory->version != (2u << 24 | sizeof *memory))
        code = VERSION_MISMATCH;
    if (!code)
        *memory = memory_of(&call);
    return leave(code);
}

EXPORT int nvmlDeviceGetRemappedRows(struct handle *device, unsigned *corrected, unsigned *uncorrected,
                                     unsigned *pending, unsigned *failed)
{
    struct call call;
    int code = enter_gpu(&call, __func__, device);
    if (!code && (!corrected || !uncorrected || !pending || !failed))
        code = INVALID_ARGUMENT;
    if (code)
        return leave(code);
    *corrected = 0;
    *pending = call.gpu->rows_pending;
    *failed = call.gpu->rows_failed;
    *uncorrected = *pending || *failed;
    return leave(SUCCESS);
}
