/* GPUs: how many, which, what they are, and how much memory they have. */

#include "library.h"

#include <stdio.h>
#include <string.h>

struct pci_info {
    char legacy[16];
    unsigned domain, bus, slot, device, subsystem;
    char address[32];
};

struct memory {
    unsigned long long total, free, used;
};

struct memory_v2 {
    unsigned version;
    unsigned long long total, reserved, free, used;
};

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

EXPORT int nvmlDeviceGetUUID(struct handle *device, char *uuid, unsigned size)
{
    struct call call;
    int code = enter_device(&call, __func__, device);
    return leave(code ? code : put_text(uuid, size, call.mig ? call.mig->uuid : call.gpu->uuid));
}

EXPORT int nvmlDeviceGetName(struct handle *device, char *name, unsigned size)
{
    struct call call;
    int code = enter_device(&call, __func__, device);
    if (code)
        return leave(code);
    char text[160];
    const struct mig *mig = call.mig;
    if (!mig)
        snprintf(text, sizeof text, "%.90s", call.gpu->name);
    else if (mig->slices == mig->profile->slices)
        snprintf(text, sizeof text, "%.90s MIG %s", call.gpu->name, mig->profile->name);
    else
        snprintf(text, sizeof text, "%.90s MIG %uc.%s", call.gpu->name, mig->slices, mig->profile->name);
    return leave(put_text(name, size, text));
}

static int number(struct call *call, int code, unsigned *out, unsigned value)
{
    (void)call;
    if (!code && !out)
        code = INVALID_ARGUMENT;
    if (!code)
        *out = value;
    return leave(code);
}

EXPORT int nvmlDeviceGetIndex(struct handle *device, unsigned *index)
{
    struct call call;
    int code = enter_device(&call, __func__, device);
    return number(&call, code, index, code ? 0 : call.mig ? call.mig->index : call.gpu->index);
}

EXPORT int nvmlDeviceGetMinorNumber(struct handle *device, unsigned *minor)
{
    struct call call;
    int code = enter_gpu(&call, __func__, device);
    return number(&call, code, minor, code ? 0 : call.gpu->minor);
}

EXPORT int nvmlDeviceGetCudaComputeCapability(struct handle *device, int *major, int *minor)
{
    struct call call;
    int code = enter_device(&call, __func__, device);
    if (!code && (!major || !minor))
        code = INVALID_ARGUMENT;
    if (!code) {
        *major = call.gpu->model->major;
        *minor = call.gpu->model->minor;
    }
    return leave(code);
}

EXPORT int nvmlDeviceGetPciInfo_v3(struct handle *device, struct pci_info *pci)
{
    struct call call;
    int code = enter_gpu(&call, __func__, device);
    if (!code && !pci)
        code = INVALID_ARGUMENT;
    if (code)
        return leave(code);
    const struct gpu *gpu = call.gpu;
    *pci = (struct pci_info){.domain = gpu->domain, .bus = gpu->bus, .slot = gpu->slot};
    pci->device = gpu->device << 16 | 0x10DE;
    pci->subsystem = 0x134F10DE;
    snprintf(pci->legacy, sizeof pci->legacy, "%04X:%02X:%02X.0", gpu->domain & 0xFFFF, gpu->bus & 0xFF,
             gpu->slot & 0xFF);
    strcpy(pci->address, gpu->pci);
    return leave(SUCCESS);
}

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

#define TOPOLOGY_INTERNAL 0 /* on one board */
#define TOPOLOGY_SYSTEM 50  /* across processors, as far from each other as can be */

EXPORT int nvmlDeviceGetTopologyCommonAncestor(struct handle *one, struct handle *other, int *level)
{
    struct call call;
    int code = leave(enter_gpu(&call, __func__, one));
    if (!code)
        code = leave(enter_gpu(&call, __func__, other));
    if (!code && !level)
        code = INVALID_ARGUMENT;
    if (!code)
        *level = one == other ? TOPOLOGY_INTERNAL : TOPOLOGY_SYSTEM;
    return code;
}
