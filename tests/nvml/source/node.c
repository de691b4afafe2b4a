/* What the file says of the whole node: versions, errors, GPUs, events. */

#include "reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
