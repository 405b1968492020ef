/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The features (KIP-584) of a cluster and which of their levels this program
 * understands: what it registers with, what ApiVersions advertises, and what a
 * new cluster begins with. The figures are those of Kafka 4.3.
 */
#ifndef TAKHIN_METADATA_FEATURES_H
#define TAKHIN_METADATA_FEATURES_H

#include <stdint.h>

#include "metadata/image.h"

#define FEATURE_METADATA_VERSION "metadata.version"
#define FEATURE_ELR_VERSION      "eligible.leader.replicas.version"
#define FEATURE_KRAFT_VERSION    "kraft.version"

/* eligible.leader.replicas.version 1 needs this metadata.version (4.0-IV1). */
#define FEATURE_ELR_METADATA_VERSION 23

typedef image_feature_range_t metadata_feature_t;

typedef struct {
    const char *name;
    int16_t level;
} feature_level_t;

/* What is supported, metadata.version among it. */
const metadata_feature_t *metadata_features(int *count);

/* The levels of a new cluster, metadata.version first. */
const feature_level_t *feature_bootstrap_levels(int *count);

/* Whether the metadata.versions LOW (exclusive) to HIGH differ in their
 * records, so that going back from HIGH to LOW would lose some. */
int feature_metadata_differs(int16_t high, int16_t low);

/* The feature of IMAGE that is not supported, with *LEVEL; or NULL. */
const char *feature_unsupported(const metadata_image_t *image, int16_t *level);

#endif
