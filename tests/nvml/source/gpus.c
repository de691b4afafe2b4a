/* A GPU of the file with its MIG devices and processes; and whether a GPU could be like that. */

#include "reader.h"

#include <stdio.h>
#include <string.h>

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

void read_gpu(struct reader *r, const struct yaml *from, struct gpu *gpu)
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
