/* How the parts that read the file take values out of its tree, and give up at the first mistake. */

#ifndef LABQUOTA_NVML_READER_H
#define LABQUOTA_NVML_READER_H

#include "library.h"

#include <setjmp.h>

struct reader {
    char *mistake;
    size_t size;
    jmp_buf failed;
};

_Noreturn void wrong(struct reader *r, const struct yaml *at, const char *what);
void *many(struct reader *r, const struct yaml *list, size_t size, unsigned *count);
const char *text(struct reader *r, const struct yaml *at);
unsigned long long number(struct reader *r, const struct yaml *at, int base);
unsigned instance_number(struct reader *r, const struct yaml *at);
bool yes(struct reader *r, const struct yaml *at, const char *true_word, const char *false_word);
void copy(struct reader *r, const struct yaml *at, char *out, size_t size);
void entries_of(struct reader *r, const struct yaml *at);
struct errors read_errors(struct reader *r, const struct yaml *from);
void read_gpu(struct reader *r, const struct yaml *from, struct gpu *gpu);

#endif
