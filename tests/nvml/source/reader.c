/* Values of the file's tree: texts, numbers, words, lists, errors. */

#include "reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

_Noreturn void wrong(struct reader *r, const struct yaml *at, const char *what)
{
    snprintf(r->mistake, r->size, "line %d: %s%s%s", at->line, at->key ? at->key : "", at->key ? ": " : "", what);
    longjmp(r->failed, 1);
}

void *many(struct reader *r, const struct yaml *list, size_t size, unsigned *count)
{
    if (list->kind != SEQUENCE && !(list->kind == SCALAR && !list->text))
        wrong(r, list, "a list is expected");
    *count = 0;
    for (const struct yaml *each = list->child; each; each = each->next)
        ++*count;
    void *made = calloc(*count + 1, size);
    if (!made)
        wrong(r, list, "no memory");
    return made;
}

const char *text(struct reader *r, const struct yaml *at)
{
    if (at->kind != SCALAR || !at->text)
        wrong(r, at, "a text is expected");
    return at->text;
}

unsigned long long number(struct reader *r, const struct yaml *at, int base)
{
    char *end;
    const char *from = text(r, at);
    unsigned long long value = strtoull(from, &end, base);
    if (*end || end == from || *from == '-')
        wrong(r, at, base == 16 ? "a hexadecimal number is expected" : "a number is expected");
    return value;
}

unsigned instance_number(struct reader *r, const struct yaml *at)
{
    return strcmp(text(r, at), "-1") ? (unsigned)number(r, at, 10) : NONE;
}

bool yes(struct reader *r, const struct yaml *at, const char *true_word, const char *false_word)
{
    bool found = !strcasecmp(text(r, at), true_word);
    if (!found && strcasecmp(at->text, false_word)) {
        char message[80];
        snprintf(message, sizeof message, "%s or %s is expected", true_word, false_word);
        wrong(r, at, message);
    }
    return found;
}

void copy(struct reader *r, const struct yaml *at, char *out, size_t size)
{
    if (strlen(text(r, at)) >= size)
        wrong(r, at, "too long");
    strcpy(out, at->text);
}

void entries_of(struct reader *r, const struct yaml *at)
{
    if (at->kind != MAPPING)
        wrong(r, at, "key: value entries are expected");
}

struct errors read_errors(struct reader *r, const struct yaml *from)
{
    entries_of(r, from);
    struct errors errors = {0};
    for (const struct yaml *each = from->child; each; each = each->next)
        errors.count++;
    errors.entry = calloc(errors.count + 1, sizeof *errors.entry);
    if (!errors.entry)
        wrong(r, from, "no memory");
    struct error *entry = errors.entry;
    for (const struct yaml *each = from->child; each; each = each->next, entry++)
        *entry = (struct error){.function = each->key, .code = (int)number(r, each, 10)};
    return errors;
}
