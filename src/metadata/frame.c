/* SPDX-License-Identifier: Apache-2.0 */
/* The frame around a metadata record's body. */
#include "metadata/frame.h"

#include <apr_strings.h>

#include "base/error.h"
#include "protocol/api.h"

#define FRAME_VERSION 1

static apr_status_t refuse(const char **error, apr_status_t status,
                           const char *why)
{
    *error = why;
    return status;
}

apr_status_t frame_decode(frame_t *frame, const uint8_t *value, int32_t length,
                          apr_pool_t *pool, const char **error)
{
    wire_reader_t in;
    uint32_t frame_version;
    uint32_t key;
    uint32_t version;
    apr_status_t status;

    if (!value || length < 0)
        return refuse(error, TAKHIN_ECORRUPT, "a record has no value");
    wire_reader_init(&in, value, (apr_size_t)length, pool);
    frame_version = wire_get_uvarint(&in, "frame version");
    key = wire_get_uvarint(&in, "record type");
    version = wire_get_uvarint(&in, "record version");
    if (!wire_reader_ok(&in))
        return refuse(error, in.status, "a record has no whole frame");
    if (frame_version != FRAME_VERSION)
        return refuse(
            error, TAKHIN_EUNSUPPORTED,
            apr_psprintf(pool, "frame version %u is not known", frame_version));
    frame->type = key <= INT16_MAX ? metadata_record((int16_t)key) : NULL;
    if (!frame->type)
        return refuse(error, TAKHIN_EUNSUPPORTED,
                      apr_psprintf(pool, "record type %u is not known", key));
    if (version > (uint32_t)frame->type->max_version)
        return refuse(error, TAKHIN_EUNSUPPORTED,
                      apr_psprintf(pool, "%s version %u is not known",
                                   frame->type->name, version));
    frame->key = (int16_t)key;
    frame->version = (int16_t)version;
    frame->body = apr_palloc(pool, frame->type->size);
    status = wire_message_decode(frame->type, frame->body, &in, frame->version);
    if (status)
        return refuse(error, status,
                      apr_psprintf(pool, "%s: %s", frame->type->name,
                                   wire_reader_error(&in, pool)));
    return APR_SUCCESS;
}

apr_status_t frame_encode(wire_writer_t *out, int16_t key, int16_t version,
                          const void *body)
{
    const wire_message_t *type = metadata_record(key);

    if (!type)
        return TAKHIN_EUNSUPPORTED;
    wire_put_uvarint(out, FRAME_VERSION);
    wire_put_uvarint(out, (uint32_t)key);
    wire_put_uvarint(out, (uint32_t)version);
    return wire_message_encode(type, body, out, version);
}

/* Levels of metadata.version at which a record's version went up. */
enum {
    LEVEL_CONTROLLED_SHUTDOWN = 7, /* 3.3-IV3 */
    LEVEL_ZK_MIGRATION = 8,        /* 3.4-IV0 */
    LEVEL_DIRECTORIES = 17,        /* 3.7-IV2, KIP-858 */
    LEVEL_ELR = 23,                /* 4.0-IV1, KIP-966 */
    LEVEL_CORDONED = 30            /* 4.3-IV0 */
};

int16_t frame_version(int16_t key, int16_t metadata_version)
{
    int directories = metadata_version >= LEVEL_DIRECTORIES;

    switch (key) {
    case RECORD_REGISTER_BROKER:
        if (metadata_version >= LEVEL_CORDONED)
            return 4;
        if (directories)
            return 3;
        if (metadata_version >= LEVEL_ZK_MIGRATION)
            return 2;
        return metadata_version >= LEVEL_CONTROLLED_SHUTDOWN;
    case RECORD_BROKER_CHANGE:
        if (metadata_version >= LEVEL_CORDONED)
            return 3;
        if (directories)
            return 2;
        return metadata_version >= LEVEL_CONTROLLED_SHUTDOWN;
    case RECORD_PARTITION:
    case RECORD_PARTITION_CHANGE:
        return metadata_version >= LEVEL_ELR ? 2 : (int16_t)directories;
    default:
        return 0;
    }
}
