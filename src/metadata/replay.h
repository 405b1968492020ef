/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replay: records to image. The one way from the metadata log into memory, for
 * a start, for what was just appended, and for tools that look at a directory
 * offline. It reads files and writes none.
 */
#ifndef TAKHIN_METADATA_REPLAY_H
#define TAKHIN_METADATA_REPLAY_H

#include <apr_pools.h>

#include "metadata/frame.h"
#include "metadata/image_edit.h"
#include "record/batch.h"

/* One voter of the metadata log (KIP-853). */
typedef struct {
    int32_t id;
    wire_uuid_t directory_id; /* zero with kraft.version 0 */
} replay_voter_t;

/* What was read so far. */
typedef struct {
    apr_pool_t *pool;    /* lives as long as this */
    apr_pool_t *scratch; /* cleared after each batch */
    metadata_image_t *image;
    metadata_image_t *before; /* the image ahead of an open metadata
                                     transaction (KIP-868), else NULL */
    int64_t start_offset;     /* of the first segment; -1: no segment */
    int64_t end_offset;       /* of the next record */
    int32_t epoch;            /* of the last batch, 0: none */
    int64_t snapshot_offset;  /* end offset of the snapshot read, -1: none */
    int64_t bytes;            /* of the log behind the snapshot */
    int16_t kraft_version;
    int voter_count; /* -1: not told */
    replay_voter_t *voters;
    const uint8_t *voters_record; /* as it came, to be repeated; or NULL */
    int32_t voters_length;
    const char *error; /* one line, when a call failed */
    /* Told of every record before it is applied; for tools, else NULL. */
    apr_status_t (*each)(void *baton, const record_batch_t *batch,
                         const record_t *record, const frame_t *frame);
    void *baton;
} replay_t;

apr_status_t replay_init(replay_t *replay, apr_pool_t *pool);
void replay_free(replay_t *replay);

/*
 * Reads the newest snapshot in PATH (a __cluster_metadata-0) and the segments
 * behind it. A directory that is missing is an empty log. A torn batch at
 * the end of the last segment ends the log; anything else that is wrong, or
 * not known, is an error that names file, record type and offset.
 */
apr_status_t replay_directory(replay_t *replay, const char *path);

/* One file of batches: a snapshot, or bootstrap.checkpoint. */
apr_status_t replay_checkpoint(replay_t *replay, const char *file);

/* Gives up a metadata transaction that was begun and not ended; says whether
 * there was one. */
int replay_drop_transaction(replay_t *replay);

/* Applies one record to IMAGE, which is being edited; transactions' own
 * records change nothing. *ERROR says what was wrong, from POOL. */
apr_status_t replay_apply(metadata_image_t *image, int16_t key, int16_t version,
                          const void *body, apr_pool_t *pool,
                          const char **error);

/* Names in a metadata log directory: sets *BASE (and *EPOCH of a snapshot) and
 * returns 1 when NAME is a segment's .log, or a .checkpoint. */
int replay_segment_name(const char *name, int64_t *base);
int replay_snapshot_name(const char *name, int64_t *end, int32_t *epoch);

#endif
