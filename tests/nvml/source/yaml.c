/* A subset of YAML, enough for what people and PyYAML's safe_dump write here.
 *
 * Block mappings and sequences by indentation with spaces; [a, b] and {a: b} within one line; plain scalars, 'single'
 * and "double" quotes (\" and \\ alone); comments; empty values. Not: anchors, tags, several documents, scalars of
 * several lines, tabs before text. A key that is there twice is a mistake.
 */

#include "yaml.h"

#include <stdlib.h>
#include <string.h>

static struct yaml *block(struct parser *p, int indent);

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
