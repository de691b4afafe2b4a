/* What a GPU or MIG device is: names, numbers, address, capability, and how far it is from another. */

#include "library.h"

#include <stdio.h>
#include <string.h>

struct pci_info {
    char legacy[16];
    unsigned domain, bus, slot, device, subsystem;
    char address[32];
};

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
