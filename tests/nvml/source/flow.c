/* YAML within one line: quotes, keys, and values with or without brackets. */

#include "yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void fail(struct parser *p, int number, const char *message)
{
    snprintf(p->mistake, p->size, "line %d: %s", number, message);
    longjmp(p->failed, 1);
}

struct yaml *make(struct parser *p, enum kind kind, int number)
{
    struct yaml *made = calloc(1, sizeof *made);
    if (!made)
        fail(p, number, "no memory");
    made->kind = kind;
    made->line = number;
    return made;
}

void deeper(struct parser *p, int number)
{
    if (++p->depth > 32)
        fail(p, number, "nested too deeply");
}

/* The end of a quoted text that starts at `text`, or NULL. */
char *quote_end(char *text)
{
    for (char *at = text + 1; *at; at++) {
        if (*text == '"' && *at == '\\' && at[1])
            at++;
        else if (*at == *text && *text == '\'' && at[1] == '\'')
            at++;
        else if (*at == *text)
            return at;
    }
    return NULL;
}

char *skip_spaces(char *text)
{
    while (*text == ' ')
        text++;
    return text;
}

/* Take the quotes off in place; `end` is the closing one. */
static char *unquoted(struct parser *p, char *text, char *end, int number)
{
    char quote = *text, *out = text;
    for (char *at = text + 1; at < end; at++) {
        if (quote == '"' && *at == '\\') {
            at++;
            if (*at != '"' && *at != '\\')
                fail(p, number, "only \\\" and \\\\ are known in double quotes");
        } else if (quote == '\'' && *at == '\'')
            at++;
        *out++ = *at;
    }
    *out = 0;
    return text;
}

/* The colon that ends a key, or NULL if this text is none. */
char *key_end(char *text)
{
    char *at = text;
    if (*at == '\'' || *at == '"') {
        char *end = quote_end(at);
        if (!end)
            return NULL;
        at = skip_spaces(end + 1);
        return *at == ':' && (at[1] == ' ' || !at[1]) ? at : NULL;
    }
    if (*at == '[' || *at == '{')
        return NULL;
    for (; *at; at++)
        if (*at == ':' && (at[1] == ' ' || !at[1]))
            return at;
    return NULL;
}

char *key_text(struct parser *p, char *text, char *colon, int number)
{
    if (*text == '\'' || *text == '"')
        return unquoted(p, text, quote_end(text), number);
    while (colon > text && colon[-1] == ' ')
        colon--;
    *colon = 0;
    if (!*text)
        fail(p, number, "a key is missing before the colon");
    return text;
}

void add(struct parser *p, struct yaml *parent, struct yaml *child)
{
    struct yaml **end = &parent->child;
    for (; *end; end = &(*end)->next)
        if (child->key && !strcmp((*end)->key, child->key)) {
            char message[160];
            snprintf(message, sizeof message, "%.100s is there twice", child->key);
            fail(p, child->line, message);
        }
    *end = child;
}

static char *scalar(struct parser *p, struct yaml *made, char *text, const char *stops)
{
    if (*text == '\'' || *text == '"') {
        char *end = quote_end(text);
        if (!end)
            fail(p, made->line, "a quote is not closed");
        made->text = unquoted(p, text, end, made->line);
        return skip_spaces(end + 1);
    }
    if (strchr("&*!|>%@`", *text) && *text)
        fail(p, made->line, "a plain text cannot start with this character; quote it");
    char *end = text + strcspn(text, stops);
    char *last = end;
    while (last > text && last[-1] == ' ')
        last--;
    made->text = text;
    /* The stop itself the caller overwrites once it has looked at it. */
    if (last < end)
        *last = 0;
    return end;
}

/* A value within one line; moves *text behind it. */
static struct yaml *flow(struct parser *p, char **text, int number, const char *stops)
{
    char *at = skip_spaces(*text);
    if (*at != '[' && *at != '{') {
        struct yaml *made = make(p, SCALAR, number);
        *text = scalar(p, made, at, stops);
        return made;
    }
    deeper(p, number);
    char close = *at == '[' ? ']' : '}';
    struct yaml *made = make(p, *at == '[' ? SEQUENCE : MAPPING, number);
    at = skip_spaces(at + 1);
    while (*at != close) {
        char *key = NULL;
        if (close == '}') {
            char *colon = key_end(at);
            if (!colon)
                fail(p, number, "an entry of {} needs the form key: value");
            char *value = colon + 1;
            key = key_text(p, at, colon, number);
            at = value;
        }
        struct yaml *child = flow(p, &at, number, close == '}' ? ",}" : ",]");
        child->key = key;
        add(p, made, child);
        if (*at != ',' && *at != close)
            fail(p, number, close == '}' ? "} or a comma is missing" : "] or a comma is missing");
        bool last = *at == close;
        *at++ = 0; /* ends the text before it */
        if (last)
            goto closed;
        at = skip_spaces(at);
    }
    at++;
closed:
    p->depth--;
    *text = skip_spaces(at);
    return made;
}

/* What stands behind a colon or a dash. */
struct yaml *value(struct parser *p, char *text, int number)
{
    bool bracket = *text == '[' || *text == '{';
    struct yaml *made = flow(p, &text, number, "");
    if (*text)
        fail(p, number, bracket ? "something stands behind the closing bracket" : "something stands behind the quotes");
    return made;
}
