/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value of a metadata record: frame version 1, the record's key, its
 * version (unsigned varints), then the body in the flexible encoding. What is
 * not known is refused by name, never skipped.
 */
#ifndef TAKHIN_METADATA_FRAME_H
#define TAKHIN_METADATA_FRAME_H

#include <apr_pools.h>

#include "protocol/wire.h"

/* Keys of the metadata records. */
enum {
    RECORD_REGISTER_BROKER = 0,
    RECORD_UNREGISTER_BROKER = 1,
    RECORD_TOPIC = 2,
    RECORD_PARTITION = 3,
    RECORD_CONFIG = 4,
    RECORD_PARTITION_CHANGE = 5,
    RECORD_FENCE_BROKER = 7,
    RECORD_UNFENCE_BROKER = 8,
    RECORD_REMOVE_TOPIC = 9,
    RECORD_DELEGATION_TOKEN = 10,
    RECORD_USER_SCRAM = 11,
    RECORD_FEATURE_LEVEL = 12,
    RECORD_CLIENT_QUOTA = 14,
    RECORD_PRODUCER_IDS = 15,
    RECORD_BROKER_CHANGE = 17,
    RECORD_ACL = 18,
    RECORD_REMOVE_ACL = 19,
    RECORD_NO_OP = 20,
    RECORD_ZK_MIGRATION = 21,
    RECORD_REMOVE_USER_SCRAM = 22,
    RECORD_BEGIN_TRANSACTION = 23,
    RECORD_END_TRANSACTION = 24,
    RECORD_ABORT_TRANSACTION = 25,
    RECORD_REMOVE_TOKEN = 26,
    RECORD_REGISTER_CONTROLLER = 27,
    RECORD_CLEAR_ELR = 28
};

typedef struct {
    int16_t key;
    int16_t version;
    const wire_message_t *type;
    void *body; /* the struct of TYPE, from the pool */
} frame_t;

/* Decodes the LENGTH bytes at VALUE, which BODY then points into. Errors:
 * TAKHIN_EUNSUPPORTED, TAKHIN_ECORRUPT, with *ERROR saying what, from POOL. */
apr_status_t frame_decode(frame_t *frame, const uint8_t *value, int32_t length,
                          apr_pool_t *pool, const char **error);

/* Appends a frame to OUT. Errors as wire_message_encode. */
apr_status_t frame_encode(wire_writer_t *out, int16_t key, int16_t version,
                          const void *body);

/* The version of record KEY that a cluster at METADATA_VERSION writes, so that
 * the oldest program that may read it can. */
int16_t frame_version(int16_t key, int16_t metadata_version);

#endif
