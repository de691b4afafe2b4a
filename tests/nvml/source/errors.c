/* Which code a function is told to answer. */

#include "library.h"

#include <string.h>

/* The length of a function's name without _v2 and the like; nvmlInitWithFlags is nvmlInit. */
static size_t plain(const char *function)
{
    size_t length = strlen(function);
    if (length > 3 && function[length - 3] == '_' && function[length - 2] == 'v')
        length -= 3;
    if (!strcmp(function, "nvmlInitWithFlags"))
        length = strlen("nvmlInit");
    return length;
}

/* The code that is set for a function, 0 included; -1: none is. A name without a version stands for all versions. */
int errors_of(const struct errors *errors, const char *function)
{
    size_t length = plain(function);
    int any = -1;
    for (unsigned i = 0; i < errors->count; i++) {
        const char *name = errors->entry[i].function;
        if (!strcmp(name, function) || (strlen(name) == length && !strncmp(name, function, length)))
            return errors->entry[i].code;
        if (!strcmp(name, "*"))
            any = errors->entry[i].code;
    }
    return any;
}
