/* What the parts that tell of GPU instances and compute instances share. */

#ifndef LABQUOTA_NVML_MIG_H
#define LABQUOTA_NVML_MIG_H

#include "library.h"

struct placement {
    unsigned start, size;
};

struct profile_info_v2 {
    unsigned version, id, peer, slices, most, processors, copy_engines, decoders, encoders, jpeg, ofa;
    unsigned long long memory;
    char name[96];
};

struct profile_info_v2 described(const struct profile *profile);
const struct profile *offered(const struct gpu *gpu, unsigned number, bool by_id); /* NULL: not on this model */

#endif
