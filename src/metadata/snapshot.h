/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots of the image in KRaft's own format (KIP-630): control batch with
 * the header, records, control batch with the footer, in a file named
 * `<end offset>-<epoch>.checkpoint`; and bootstrap.checkpoint, which holds the
 * feature levels of a cluster before its first leader.
 *
 * A snapshot never appears under its name before all of it is on the device.
 */
#ifndef TAKHIN_METADATA_SNAPSHOT_H
#define TAKHIN_METADATA_SNAPSHOT_H

#include <apr_pools.h>

#include "metadata/image.h"

/* What a snapshot says beside the image. */
typedef struct {
    int16_t kraft_version; /* above 0: with the voters */
    const uint8_t *voters; /* a VotersRecord as it came */
    int32_t voters_length;
    int64_t last_timestamp; /* ms, of the last record in it */
} snapshot_info_t;

/* Writes the snapshot of IMAGE, with all that its offset and epoch name, to
 * PATH, a metadata log's directory. */
apr_status_t snapshot_write(const metadata_image_t *image,
                            const snapshot_info_t *info, const char *path,
                            apr_pool_t *pool);

/* Deletes the snapshots in PATH whose end offset is below END, and those that
 * were never finished. */
apr_status_t snapshot_delete_below(const char *path, int64_t end,
                                   apr_pool_t *pool);

/* Writes DIRECTORY/bootstrap.checkpoint with the features of a new cluster. */
apr_status_t snapshot_write_bootstrap(const char *directory, apr_pool_t *pool);

#endif
