/* Every other function that nvidia-ml-py looks up: there, and not supported, as the oldest cards have it. */

#include "library.h"

static int refuse(const char *function)
{
    struct call call;
    int code = enter(&call, function);
    return leave(code ? code : NOT_SUPPORTED);
}

#define STUB(name)                                                                                                     \
    EXPORT int name(void);                                                                                             \
    int name(void)                                                                                                     \
    {                                                                                                                  \
        return refuse(__func__);                                                                                       \
    }

#include "stubs.inc"
