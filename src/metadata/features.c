/* SPDX-License-Identifier: Apache-2.0 */
/* The table of features. */
#include "metadata/features.h"

#include <string.h>

#include "base/error.h"

static const metadata_feature_t supported[] = {
    {"eligible.leader.replicas.version", 0, 1},
    {"group.version", 0, 1},
    {FEATURE_KRAFT_VERSION, 0, 1},
    {FEATURE_METADATA_VERSION, 7, 30}, /* 3.3-IV3 to 4.3-IV0 */
    {"share.version", 0, 1},
    {"streams.version", 0, 1},
    {"transaction.version", 0, 2}};

static const feature_level_t bootstrap[] = {
    {FEATURE_METADATA_VERSION, 30}, {"eligible.leader.replicas.version", 1},
    {"group.version", 1},           {"share.version", 1},
    {"streams.version", 1},         {"transaction.version", 2}};

const metadata_feature_t *metadata_features(int *count)
{
    *count = sizeof(supported) / sizeof(*supported);
    return supported;
}

const feature_level_t *feature_bootstrap_levels(int *count)
{
    *count = sizeof(bootstrap) / sizeof(*bootstrap);
    return bootstrap;
}

/* The levels that brought new records or new fields of some. */
static const int16_t metadata_changes[] = {7, 8, 11, 13, 14, 15, 17, 23, 30};

int feature_metadata_differs(int16_t high, int16_t low)
{
    int count = sizeof(metadata_changes) / sizeof(*metadata_changes);

    for (int i = 0; i < count; i++)
        if (metadata_changes[i] > low && metadata_changes[i] <= high)
            return 1;
    return 0;
}

typedef struct {
    const char *name;
    int16_t level;
} unsupported_t;

static apr_status_t check_feature(void *baton, const char *name, int16_t level)
{
    unsupported_t *found = baton;
    int count;
    const metadata_feature_t *known = metadata_features(&count);

    for (int i = 0; i < count; i++) {
        if (strcmp(known[i].name, name) == 0 && level >= known[i].min &&
            level <= known[i].max)
            return APR_SUCCESS;
    }
    found->name = name;
    found->level = level;
    return TAKHIN_EUNSUPPORTED;
}

const char *feature_unsupported(const metadata_image_t *image, int16_t *level)
{
    unsupported_t found = {NULL, 0};

    image_each_feature(image, check_feature, &found);
    *level = found.level;
    return found.name;
}
