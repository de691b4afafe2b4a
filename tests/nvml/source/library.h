/* What the parts of our NVML share. Written from NVML's documented interface and the signatures of nvidia-ml-py. */

#ifndef LABQUOTA_NVML_H
#define LABQUOTA_NVML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

/* NVML's answers. */
enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    TIMED_OUT = 10,
    GPU_IS_LOST = 15,
    OUT_OF_MEMORY = 20,
    VERSION_MISMATCH = 25,
    UNKNOWN = 999,
};

#define NONE 0xFFFFFFFFu /* NVML's id of no instance */
#define UUID_SIZE 96
#define MIB (1024ull * 1024ull)

/* models.inc, which is written from tests/nvml/models.py, fills these two. */
struct profile {
    unsigned ordinal, id;
    const char *name;
    unsigned slices, size, places;
    unsigned starts[8];
    unsigned most;
    unsigned long long memory;
    unsigned processors, media;
};

struct model {
    const char *key, *name;
    unsigned device;
    unsigned long long memory;
    int major, minor;
    unsigned processors, slices, slots, profiles;
    struct profile profile[16];
};

extern const struct model models[];
extern const unsigned model_count;

/* yaml.c: a tree of the file. */
enum kind { SCALAR, MAPPING, SEQUENCE };

struct yaml {
    enum kind kind;
    int line;
    char *key;  /* of a mapping's entry */
    char *text; /* of a scalar */
    struct yaml *child, *next;
};

struct yaml *yaml_parse(char *text, char *mistake, size_t size); /* keeps pointing into text; NULL: mistake says why */
void yaml_free(struct yaml *tree);

/* node.c: what the file says. */
struct error {
    const char *function;
    int code;
};

struct errors {
    unsigned count;
    struct error *entry;
};

struct mig {
    const struct profile *profile;
    unsigned start, gi, ci, slices, index;
    char uuid[UUID_SIZE];
    struct errors errors;
};

enum use { COMPUTE, GRAPHICS, MPS };

struct process {
    unsigned pid;
    unsigned long long memory; /* bytes; all ones: not known */
    unsigned gi, ci;
    enum use use;
};

struct gpu {
    const struct model *model;
    const char *name;
    unsigned index, minor, device, domain, bus, slot;
    unsigned long long memory; /* bytes */
    char uuid[UUID_SIZE], pci[32];
    bool mig, pending, lost;
    bool rows_pending, rows_failed;
    struct errors errors;
    unsigned instances, processes;
    struct mig *instance;
    struct process *process;
};

struct event {
    unsigned long long id, xid;
    char uuid[UUID_SIZE];
    unsigned gi, ci;
};

struct node {
    const char *driver, *nvml;
    int cuda;
    struct errors errors;
    unsigned gpus, events;
    struct gpu *gpu;
    struct event *event;
    char *text; /* that names point into */
    struct yaml *tree;
};

const struct node *node_read(char *text, char *mistake, size_t size); /* takes text; NULL: mistake says why */
void node_free(const struct node *node);

/* file.c: the node as it is now; NULL: there is none, and somebody was told why. */
const struct node *node_now(void);

/* errors.c: the code that is set for a function, 0 included; -1: none is. */
int errors_of(const struct errors *errors, const char *function);

/* calls.c: what happens at the start and at the end of each call, and what handles mean. */
enum what { A_GPU, A_MIG, AN_INSTANCE, A_COMPUTE_INSTANCE };

struct handle; /* opaque for callers */

struct call {
    const struct node *node;
    const struct gpu *gpu; /* of the handle; of the parent, if it is a MIG device's */
    const struct mig *mig; /* NULL: a whole GPU's handle */
};

/* Each returns a code; whatever it is, the call ends with `return leave(code)`. */
int enter(struct call *call, const char *function);
int enter_device(struct call *call, const char *function, struct handle *device);
int enter_gpu(struct call *call, const char *function, struct handle *device); /* refuses MIG handles */
int enter_instance(struct call *call, const char *function, struct handle *instance, enum what what);
int leave(int code);
int judge(const struct call *call, const char *function); /* errors that the file sets for this device */
struct handle *handle_of(enum what what, const struct gpu *gpu, const struct mig *mig);
bool start_using(void);
bool stop_using(void);
int put_text(char *out, unsigned size, const char *text);

#endif
