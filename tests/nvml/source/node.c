/* What the file says: driver, GPUs, MIG devices, processes, errors, events; and whether it can be true. */

#include "library.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct reader {
    char *mistake;
    size_t size;
    jmp_buf failed;
};

static _Noreturn void wrong(struct reader *r, const struct yaml *at, const char *what)
{
    snprintf(r->mistake, r->size, "line %d: %s%s%s", at->line, at->key ? at->key : "", at->key ? ": " : "", what);
    longjmp(r->failed, 1);
}

static void *many(struct reader *r, const struct yaml *list, size_t size, unsigned *count)
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

static const char *text(struct reader *r, const struct yaml *at)
{
    if (at->kind != SCALAR || !at->text)
        wrong(r, at, "a text is expected");
    return at->text;
}

static unsigned long long number(struct reader *r, const struct yaml *at, int base)
{
    char *end;
    const char *from = text(r, at);
    unsigned long long value = strtoull(from, &end, base);
    if (*end || end == from || *from == '-')
        wrong(r, at, base == 16 ? "a hexadecimal number is expected" : "a number is expected");
    return value;
}

static unsigned instance_number(struct reader *r, const struct yaml *at)
{
    return strcmp(text(r, at), "-1") ? (unsigned)number(r, at, 10) : NONE;
}

static bool yes(struct reader *r, const struct yaml *at, const char *true_word, const char *false_word)
{
    bool found = !strcasecmp(text(r, at), true_word);
    if (!found && strcasecmp(at->text, false_word)) {
        char message[80];
        snprintf(message, sizeof message, "%s or %s is expected", true_word, false_word);
        wrong(r, at, message);
    }
    return found;
}

static void copy(struct reader *r, const struct yaml *at, char *out, size_t size)
{
    if (strlen(text(r, at)) >= size)
        wrong(r, at, "too long");
    strcpy(out, at->text);
}

static void entries_of(struct reader *r, const struct yaml *at)
{
    if (at->kind != MAPPING)
        wrong(r, at, "key: value entries are expected");
}

static struct errors read_errors(struct reader *r, const struct yaml *from)
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

static void read_mig(struct reader *r, const struct yaml *from, struct gpu *gpu, struct mig *mig)
{
    entries_of(r, from);
    for (const struct yaml *each = from->child; each; each = each->next) {
        if (!strcmp(each->key, "profile")) {
            text(r, each);
            for (unsigned i = 0; i < gpu->model->profiles; i++)
                if (!strcmp(gpu->model->profile[i].name, each->text))
                    mig->profile = &gpu->model->profile[i];
            if (!mig->profile)
                wrong(r, each, "no such profile on this model");
        } else if (!strcmp(each->key, "start"))
            mig->start = (unsigned)number(r, each, 10);
        else if (!strcmp(each->key, "gi"))
            mig->gi = (unsigned)number(r, each, 10);
        else if (!strcmp(each->key, "ci"))
            mig->ci = (unsigned)number(r, each, 10);
        else if (!strcmp(each->key, "index"))
            mig->index = (unsigned)number(r, each, 10);
        else if (!strcmp(each->key, "slices"))
            mig->slices = (unsigned)number(r, each, 10);
        else if (!strcmp(each->key, "uuid"))
            copy(r, each, mig->uuid, sizeof mig->uuid);
        else if (!strcmp(each->key, "errors"))
            mig->errors = read_errors(r, each);
        else
            wrong(r, each, "no such key of an instance");
    }
    if (!mig->profile || !mig->uuid[0])
        wrong(r, from, "an instance needs profile, start, gi and uuid");
    mig->slices = mig->slices ? mig->slices : mig->profile->slices;
}

/* What no GPU could have: a slot in two instances, two devices of one name, more than fits. */
static void check_instances(struct reader *r, const struct yaml *from, const struct gpu *gpu)
{
    for (unsigned i = 0; i < gpu->instances; i++) {
        const struct mig *a = &gpu->instance[i];
        bool legal = false;
        for (unsigned s = 0; s < a->profile->places; s++)
            legal = legal || a->profile->starts[s] == a->start;
        if (!legal)
            wrong(r, from, "an instance starts where its profile cannot");
        if (a->index >= gpu->model->slices)
            wrong(r, from, "an instance's index is beyond the most that this model has");
        if (a->slices > a->profile->slices)
            wrong(r, from, "an instance has more compute slices than its profile");
        for (unsigned j = 0; j < i; j++) {
            const struct mig *b = &gpu->instance[j];
            bool same = a->gi == b->gi;
            if (same && (a->ci == b->ci || a->profile != b->profile || a->start != b->start))
                wrong(r, from, "two instances have the same gi and ci, or one gi lies at two places");
            if (!same && a->start < b->start + b->profile->size && b->start < a->start + a->profile->size)
                wrong(r, from, "two instances lie on the same memory slot");
            if (a->index == b->index || !strcmp(a->uuid, b->uuid))
                wrong(r, from, "two instances have the same index or uuid");
        }
    }
}

static void read_process(struct reader *r, const struct yaml *from, struct process *process)
{
    entries_of(r, from);
    *process = (struct process){.memory = ~0ull, .gi = NONE, .ci = NONE};
    for (const struct yaml *each = from->child; each; each = each->next) {
        if (!strcmp(each->key, "pid"))
            process->pid = (unsigned)number(r, each, 10);
        else if (!strcmp(each->key, "memory"))
            process->memory = number(r, each, 10) * MIB;
        else if (!strcmp(each->key, "gi"))
            process->gi = instance_number(r, each);
        else if (!strcmp(each->key, "ci"))
            process->ci = instance_number(r, each);
        else if (!strcmp(each->key, "kind") && !strcmp(text(r, each), "compute"))
            process->use = COMPUTE;
        else if (!strcmp(each->key, "kind") && !strcmp(each->text, "graphics"))
            process->use = GRAPHICS;
        else if (!strcmp(each->key, "kind") && !strcmp(each->text, "mps"))
            process->use = MPS;
        else
            wrong(r, each, "no such key of a process, or no such kind");
    }
}

static void read_model(struct reader *r, const struct yaml *at, struct gpu *gpu)
{
    text(r, at);
    for (unsigned i = 0; i < model_count; i++)
        if (!strcmp(models[i].key, at->text))
            gpu->model = &models[i];
    if (!gpu->model)
        wrong(r, at, "no such model");
    gpu->name = gpu->model->name;
    gpu->device = gpu->model->device;
    gpu->memory = gpu->model->memory * MIB;
}

static void read_gpu(struct reader *r, const struct yaml *from, struct gpu *gpu)
{
    entries_of(r, from);
    if (!from->child || strcmp(from->child->key, "model"))
        wrong(r, from, "a GPU starts with its model");
    for (const struct yaml *each = from->child; each; each = each->next) {
        const char *key = each->key;
        if (!strcmp(key, "model"))
            read_model(r, each, gpu);
        else if (!strcmp(key, "uuid"))
            copy(r, each, gpu->uuid, sizeof gpu->uuid);
        else if (!strcmp(key, "minor"))
            gpu->minor = (unsigned)number(r, each, 10);
        else if (!strcmp(key, "pci")) {
            copy(r, each, gpu->pci, sizeof gpu->pci);
            if (sscanf(gpu->pci, "%8x:%2x:%2x.0", &gpu->domain, &gpu->bus, &gpu->slot) != 3)
                wrong(r, each, "an address such as 00000000:3B:00.0 is expected");
        } else if (!strcmp(key, "mig"))
            gpu->mig = gpu->pending = yes(r, each, "Enabled", "Disabled");
        else if (!strcmp(key, "pendingMig"))
            gpu->pending = yes(r, each, "Enabled", "Disabled");
        else if (!strcmp(key, "lost"))
            gpu->lost = yes(r, each, "true", "false");
        else if (!strcmp(key, "rows"))
            *(yes(r, each, "failed", "pending") ? &gpu->rows_failed : &gpu->rows_pending) = true;
        else if (!strcmp(key, "name"))
            gpu->name = text(r, each);
        else if (!strcmp(key, "device"))
            gpu->device = (unsigned)number(r, each, 16);
        else if (!strcmp(key, "memory"))
            gpu->memory = number(r, each, 10) * MIB;
        else if (!strcmp(key, "errors"))
            gpu->errors = read_errors(r, each);
        else if (!strcmp(key, "instances")) {
            gpu->instance = many(r, each, sizeof *gpu->instance, &gpu->instances);
            struct mig *mig = gpu->instance;
            for (const struct yaml *one = each->child; one; one = one->next)
                read_mig(r, one, gpu, mig++);
            check_instances(r, each, gpu);
        } else if (!strcmp(key, "processes")) {
            gpu->process = many(r, each, sizeof *gpu->process, &gpu->processes);
            struct process *process = gpu->process;
            for (const struct yaml *one = each->child; one; one = one->next)
                read_process(r, one, process++);
        } else
            wrong(r, each, "no such key of a GPU");
    }
    if (!gpu->uuid[0] || !gpu->pci[0])
        wrong(r, from, "a GPU needs model, uuid and pci");
    if (gpu->mig && !gpu->model->profiles)
        wrong(r, from, "this model cannot be cut");
    if (gpu->instances && !gpu->mig)
        wrong(r, from, "instances need mig: Enabled");
}

static void read_event(struct reader *r, const struct yaml *from, struct event *event)
{
    entries_of(r, from);
    *event = (struct event){.gi = NONE, .ci = NONE};
    for (const struct yaml *each = from->child; each; each = each->next) {
        if (!strcmp(each->key, "id"))
            event->id = number(r, each, 10);
        else if (!strcmp(each->key, "gpu"))
            copy(r, each, event->uuid, sizeof event->uuid);
        else if (!strcmp(each->key, "xid"))
            event->xid = number(r, each, 10);
        else if (!strcmp(each->key, "gi"))
            event->gi = instance_number(r, each);
        else if (!strcmp(each->key, "ci"))
            event->ci = instance_number(r, each);
        else
            wrong(r, each, "no such key of an event");
    }
    if (!event->id || !event->uuid[0])
        wrong(r, from, "an event needs an id from 1 on, gpu and xid");
}

static void read_all(struct reader *r, const struct yaml *from, struct node *node)
{
    entries_of(r, from);
    for (const struct yaml *each = from->child; each; each = each->next) {
        if (!strcmp(each->key, "driver"))
            node->driver = text(r, each);
        else if (!strcmp(each->key, "nvml"))
            node->nvml = text(r, each);
        else if (!strcmp(each->key, "cuda"))
            node->cuda = (int)number(r, each, 10);
        else if (!strcmp(each->key, "errors"))
            node->errors = read_errors(r, each);
        else if (!strcmp(each->key, "gpus")) {
            node->gpu = many(r, each, sizeof *node->gpu, &node->gpus);
            unsigned index = 0;
            for (const struct yaml *one = each->child; one; one = one->next, index++) {
                node->gpu[index].index = node->gpu[index].minor = index;
                read_gpu(r, one, &node->gpu[index]);
            }
        } else if (!strcmp(each->key, "events")) {
            node->event = many(r, each, sizeof *node->event, &node->events);
            struct event *event = node->event;
            for (const struct yaml *one = each->child; one; one = one->next)
                read_event(r, one, event++);
        } else
            wrong(r, each, "no such key");
    }
}

static bool read_into(struct node *node, char *mistake, size_t size)
{
    struct reader r = {.mistake = mistake, .size = size};
    if (setjmp(r.failed))
        return false;
    read_all(&r, node->tree, node);
    return true;
}

const struct node *node_read(char *content, char *mistake, size_t size)
{
    struct node *node = calloc(1, sizeof *node);
    if (!node) {
        snprintf(mistake, size, "no memory");
        free(content);
        return NULL;
    }
    *node = (struct node){.driver = "570.124.06", .nvml = "12.570.124.06", .cuda = 12080, .text = content};
    node->tree = yaml_parse(content, mistake, size);
    if (node->tree && read_into(node, mistake, size))
        return node;
    node_free(node);
    return NULL;
}

void node_free(const struct node *node)
{
    if (!node)
        return;
    for (unsigned i = 0; node->gpu && i < node->gpus; i++) {
        const struct gpu *gpu = &node->gpu[i];
        for (unsigned j = 0; gpu->instance && j < gpu->instances; j++)
            free(gpu->instance[j].errors.entry);
        free(gpu->instance);
        free(gpu->process);
        free(gpu->errors.entry);
    }
    free(node->gpu);
    free(node->event);
    free(node->errors.entry);
    yaml_free(node->tree);
    free(node->text);
    free((void *)node);
}

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
