/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an image is made from the one before: the edits that replay.c turns
 * records into. An image being edited belongs to one thread and to nobody's
 * eyes; once it was published (or copied) it is never given here again.
 *
 * All edits copy what they are given. Errors: APR_ENOMEM, after which the
 * image is to be thrown away; TAKHIN_ECORRUPT where a record speaks of what is
 * not there, which a good log never does.
 */
#ifndef TAKHIN_METADATA_IMAGE_EDIT_H
#define TAKHIN_METADATA_IMAGE_EDIT_H

#include "metadata/image.h"

/* More partitions than any topic has: what is above is a corrupt record. */
#define IMAGE_MAX_PARTITIONS 1000000

/* Bytes of a record: a string that is not NUL-terminated. */
typedef struct {
    const char *data; /* NULL: null */
    apr_size_t length;
} image_text_t;

/* An empty image, or one that starts as BASE; NULL when memory is out. */
metadata_image_t *image_create(void);
metadata_image_t *image_edit(const metadata_image_t *base);

void image_set_position(metadata_image_t *image, int64_t offset, int32_t epoch);

apr_status_t image_add_topic(metadata_image_t *image, image_text_t name,
                             const wire_uuid_t *id);
/* With its configuration, as Kafka does. */
apr_status_t image_remove_topic(metadata_image_t *image, const wire_uuid_t *id);
apr_status_t image_put_partition(metadata_image_t *image,
                                 const wire_uuid_t *topic, int32_t index,
                                 const image_partition_t *partition);
/* Forgets the eligible and last known leaders of a topic, or of all ("") */
apr_status_t image_clear_elr(metadata_image_t *image, image_text_t topic);

/* A VALUE of NULL removes the key. */
apr_status_t image_set_config(metadata_image_t *image, int8_t type,
                              image_text_t name, image_text_t key,
                              image_text_t value);

apr_status_t image_put_broker(metadata_image_t *image,
                              const image_node_t *node);
apr_status_t image_remove_broker(metadata_image_t *image, int32_t id);
apr_status_t image_put_controller(metadata_image_t *image,
                                  const image_node_t *node);

/* A level of 0 removes the feature. */
apr_status_t image_set_feature(metadata_image_t *image, image_text_t name,
                               int16_t level);
void image_set_next_producer_id(metadata_image_t *image, int64_t id);
void image_set_zk_state(metadata_image_t *image, int8_t state);
int8_t image_zk_state(const metadata_image_t *image); /* -1: never told */

/* A VALUE of NULL removes the key. */
apr_status_t image_set_quota(metadata_image_t *image,
                             const image_quota_entity_t *entity, int count,
                             const char *key, const double *value);

apr_status_t image_put_scram(metadata_image_t *image,
                             const image_scram_t *credential);
apr_status_t image_remove_scram(metadata_image_t *image, const char *user,
                                int8_t mechanism);
apr_status_t image_put_acl(metadata_image_t *image, const image_acl_t *acl);
apr_status_t image_remove_acl(metadata_image_t *image, const wire_uuid_t *id);

/* Delegation tokens are kept as the records they came in, for the snapshot. */
apr_status_t image_put_token(metadata_image_t *image, image_text_t token_id,
                             const uint8_t *record, apr_size_t length);
apr_status_t image_remove_token(metadata_image_t *image, image_text_t token_id);
typedef apr_status_t (*image_token_fn)(void *baton, const uint8_t *record,
                                       apr_size_t length);
apr_status_t image_each_token(const metadata_image_t *image,
                              image_token_fn each, void *baton);

#endif
