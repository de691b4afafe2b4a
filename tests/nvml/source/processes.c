/* Processes on a GPU: all of them through its own handle, those of a MIG device through that one's. */

#include "library.h"

struct process_info {
    unsigned pid;
    unsigned long long memory;
    unsigned gi, ci;
};

static int list(const char *function, struct handle *device, enum use use, unsigned *count, struct process_info *out)
{
    struct call call;
    int code = enter_device(&call, function, device);
    if (!code && !count)
        code = INVALID_ARGUMENT;
    if (code)
        return leave(code);
    unsigned found = 0;
    for (unsigned i = 0; i < call.gpu->processes; i++) {
        const struct process *each = &call.gpu->process[i];
        if (each->use != use || (call.mig && (each->gi != call.mig->gi || each->ci != call.mig->ci)))
            continue;
        if (out && found < *count)
            out[found] = (struct process_info){each->pid, each->memory, each->gi, each->ci};
        found++;
    }
    code = found > (out ? *count : 0) ? INSUFFICIENT_SIZE : SUCCESS;
    *count = found;
    return leave(code);
}

#define LISTING(name, use)                                                                                             \
    EXPORT int name(struct handle *device, unsigned *count, struct process_info *out)                                  \
    {                                                                                                                  \
        return list(__func__, device, use, count, out);                                                                \
    }

LISTING(nvmlDeviceGetComputeRunningProcesses_v2, COMPUTE)
LISTING(nvmlDeviceGetComputeRunningProcesses_v3, COMPUTE)
LISTING(nvmlDeviceGetGraphicsRunningProcesses_v2, GRAPHICS)
LISTING(nvmlDeviceGetGraphicsRunningProcesses_v3, GRAPHICS)
LISTING(nvmlDeviceGetMPSComputeRunningProcesses_v2, MPS)
LISTING(nvmlDeviceGetMPSComputeRunningProcesses_v3, MPS)
