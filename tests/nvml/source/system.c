/* Starting, stopping, versions, and what codes are called. */

#include "library.h"

EXPORT int nvmlInitWithFlags(unsigned flags)
{
    struct call call;
    (void)flags;
    int code = enter(&call, __func__);
    if (!code)
        start_using();
    return leave(code);
}

EXPORT int nvmlInit_v2(void)
{
    return nvmlInitWithFlags(0);
}

EXPORT int nvmlInit(void)
{
    return nvmlInitWithFlags(0);
}

EXPORT int nvmlShutdown(void)
{
    struct call call;
    enter(&call, __func__); /* closing works whatever the node is like */
    return leave(stop_using() ? SUCCESS : UNINITIALIZED);
}

EXPORT const char *nvmlErrorString(int code)
{
    static const char *const names[] = {
        "Success", "Uninitialized", "Invalid Argument", "Not Supported", "Insufficient Permissions",
        "Already Initialized", "Not Found", "Insufficient Size", "Insufficient External Power", "Driver Not Loaded",
        "Timeout", "Interrupt Request Issue", "NVML Shared Library Not Found", "Function Not Found",
        "Corrupted infoROM", "GPU is lost", "GPU requires restart",
        "The operating system has blocked the request.", "Driver/library version mismatch", "In use by another client",
        "Insufficient Memory", "No data", "ECC is not supported by the guest", "Insufficient Resources",
        "Frequency not supported", "Argument version mismatch", "Deprecated", "Not Ready", "No GPUs were found",
        "Invalid State", "Reset type not supported",
    };
    return code >= 0 && code < (int)(sizeof names / sizeof *names) ? names[code] : "Unknown Error";
}

EXPORT int nvmlSystemGetDriverVersion(char *version, unsigned size)
{
    struct call call;
    int code = enter(&call, __func__);
    return leave(code ? code : put_text(version, size, call.node->driver));
}

EXPORT int nvmlSystemGetNVMLVersion(char *version, unsigned size)
{
    struct call call;
    int code = enter(&call, __func__);
    return leave(code ? code : put_text(version, size, call.node->nvml));
}

static int cuda(const char *function, int *version)
{
    struct call call;
    int code = enter(&call, function);
    if (!code && !version)
        code = INVALID_ARGUMENT;
    if (!code)
        *version = call.node->cuda;
    return leave(code);
}

EXPORT int nvmlSystemGetCudaDriverVersion(int *version)
{
    return cuda(__func__, version);
}

EXPORT int nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    return cuda(__func__, version);
}
