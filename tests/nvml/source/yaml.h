/* What the two parts of the YAML reader share: blocks by indentation, and values within one line. */

#ifndef LABQUOTA_NVML_YAML_H
#define LABQUOTA_NVML_YAML_H

#include "library.h"

#include <setjmp.h>

struct line {
    int number, indent;
    char *text; /* without indentation and comment; NULL: the end */
};

struct parser {
    struct line *line; /* the one to read next */
    char *mistake;
    size_t size;
    jmp_buf failed;
    int depth;
};

_Noreturn void fail(struct parser *p, int number, const char *message);
struct yaml *make(struct parser *p, enum kind kind, int number);
void deeper(struct parser *p, int number);
void add(struct parser *p, struct yaml *parent, struct yaml *child);
char *skip_spaces(char *text);
char *quote_end(char *text); /* of a quoted text; NULL: it has none */
char *key_end(char *text);   /* the colon behind a key; NULL: this is no key */
char *key_text(struct parser *p, char *text, char *colon, int number);
struct yaml *value(struct parser *p, char *text, int number);

#endif
