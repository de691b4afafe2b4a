/* The table of models, from tests/nvml/models.py. */

#include "library.h"

const struct model models[] = {
#include "models.inc"
};

const unsigned model_count = sizeof models / sizeof models[0];
