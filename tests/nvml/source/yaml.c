/* A subset of YAML, enough for what people and PyYAML's safe_dump write here.
 *
 * Block mappings and sequences by indentation with spaces; [a, b] and {a: b} within one line; plain scalars, 'single'
 * and "double" quotes (\" and \\ alone); comments; empty values. Not: anchors, tags, several documents, scalars of
 * several lines, tabs before text. A key that is there twice is a mistake.
 */

#include "library.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static struct yaml *block(struct parser *p, int indent);

static _Noreturn void fail(struct parser *p, int number, const char *message)
{
    snprintf(p->mistake, p->size, "line %d: %s", number, message);
    longjmp(p->failed, 1);
}

static struct yaml *make(struct parser *p, enum kind kind, int number)
{
    struct yaml *made = calloc(1, sizeof *made);
    if (!made)
        fail(p, number, "no memory");
    made->kind = kind;
    made->line = number;
    return made;
}

static void deeper(struct parser *p, int number)
{
    if (++p->depth > 32)
        fail(p, number, "nested too deeply");
}

/* The end of a quoted text that starts at `text`, or NULL. */
static char *quote_end(char *text)
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

static char *skip_spaces(char *text)
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
static char *key_end(char *text)
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

static char *key_text(struct parser *p, char *text, char *colon, int number)
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

static void add(struct parser *p, struct yaml *parent, struct yaml *child)
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
static struct yaml *value(struct parser *p, char *text, int number)
{
    bool bracket = *text == '[' || *text == '{';
    struct yaml *made = flow(p, &text, number, "");
    if (*text)
        fail(p, number, bracket ? "something stands behind the closing bracket" : "something stands behind the quotes");
    return made;
}

static bool is_dash(const struct line *line)
{
    return line->text && line->text[0] == '-' && (line->text[1] == ' ' || !line->text[1]);
}

static struct yaml *sequence(struct parser *p, int indent)
{
    struct yaml *made = make(p, SEQUENCE, p->line->number);
    while (is_dash(p->line) && p->line->indent == indent) {
        struct line *line = p->line;
        char *rest = skip_spaces(line->text + 1);
        if (!*rest) {
            p->line++;
            add(p, made, p->line->text && p->line->indent > indent ? block(p, p->line->indent)
                                                                   : make(p, SCALAR, line->number));
        } else if (key_end(rest) || (*rest == '-' && rest[1] == ' ')) {
            /* The rest of the line is the first line of a block that is indented as far as its text. */
            line->indent += (int)(rest - line->text);
            line->text = rest;
            add(p, made, block(p, line->indent));
        } else {
            p->line++;
            add(p, made, value(p, rest, line->number));
        }
    }
    return made;
}

static struct yaml *mapping(struct parser *p, int indent)
{
    struct yaml *made = make(p, MAPPING, p->line->number);
    while (p->line->text && p->line->indent == indent && !is_dash(p->line)) {
        struct line *line = p->line++;
        char *colon = key_end(line->text);
        if (!colon)
            fail(p, line->number, "expected key: value");
        char *rest = skip_spaces(colon + 1);
        char *key = key_text(p, line->text, colon, line->number);
        struct yaml *child;
        if (*rest)
            child = value(p, rest, line->number);
        else if (p->line->text && (p->line->indent > indent || (p->line->indent == indent && is_dash(p->line))))
            child = block(p, p->line->indent);
        else
            child = make(p, SCALAR, line->number);
        child->key = key;
        add(p, made, child);
    }
    return made;
}

static struct yaml *block(struct parser *p, int indent)
{
    deeper(p, p->line->number);
    struct yaml *made = is_dash(p->line) ? sequence(p, indent) : mapping(p, indent);
    p->depth--;
    if (p->line->text && p->line->indent > indent)
        fail(p, p->line->number, "its indentation is that of no line before it");
    return made;
}

/* Cut a comment off: a # at the start or behind a space, outside quotes. */
static void uncomment(char *text)
{
    for (char *at = text; *at; at++) {
        bool starts = at == text || strchr(" [{,:-", at[-1]);
        if ((*at == '\'' || *at == '"') && starts) {
            char *end = quote_end(at);
            if (!end)
                return;
            at = end;
        } else if (*at == '#' && (at == text || at[-1] == ' ')) {
            *at = 0;
            return;
        }
    }
}

static struct line *split(struct parser *p, char *text)
{
    size_t count = 2;
    for (char *at = text; *at; at++)
        count += *at == '\n';
    struct line *lines = calloc(count, sizeof *lines), *line = lines;
    if (!lines)
        fail(p, 0, "no memory");
    int number = 0;
    for (char *at = text, *next; at; at = next) {
        next = strchr(at, '\n');
        if (next)
            *next++ = 0;
        number++;
        char *start = skip_spaces(at);
        uncomment(start);
        for (char *end = start + strlen(start); end > start && (end[-1] == ' ' || end[-1] == '\r'); end--)
            end[-1] = 0;
        if (*start && !(number == 1 && !strcmp(start, "---")))
            *line++ = (struct line){.number = number, .indent = (int)(start - at), .text = start};
    }
    line->number = number;
    return lines;
}

/* What is made before a mistake is found is not freed: a test's file is small, and its mistake is the end of a test. */
struct yaml *yaml_parse(char *text, char *mistake, size_t size)
{
    struct parser p = {.mistake = mistake, .size = size};
    struct line *volatile lines = NULL;
    struct yaml *volatile made = NULL;
    if (!setjmp(p.failed)) {
        p.line = lines = split(&p, text);
        if (!p.line->text)
            fail(&p, 1, "the file is empty");
        for (struct line *line = p.line; line->text; line++)
            if (strchr(line->text, '\t') == line->text)
                fail(&p, line->number, "a tab cannot indent");
        made = block(&p, p.line->indent);
        if (p.line->text)
            fail(&p, p.line->number, "its indentation is that of no line before it");
    } else
        made = NULL;
    free(lines);
    return made;
}

void yaml_free(struct yaml *tree)
{
    while (tree) {
        struct yaml *next = tree->next;
        yaml_free(tree->child);
        free(tree);
        tree = next;
    }
}
