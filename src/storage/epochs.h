/* SPDX-License-Identifier: Apache-2.0 */
/*
 * At which offset each leader epoch of a log began (KIP-101, KIP-279), and the
 * file `leader-epoch-checkpoint` that keeps it: version 0, the count, then a
 * line "epoch start-offset" each, ascending in both. Callers serialise.
 */
#ifndef TAKHIN_STORAGE_EPOCHS_H
#define TAKHIN_STORAGE_EPOCHS_H

#include <apr_pools.h>
#include <stdint.h>

typedef struct {
    int32_t epoch;
    int64_t start_offset;
} epoch_entry_t;

typedef struct {
    epoch_entry_t *entries;
    int count;
    int room;
    unsigned dirty : 1;  /* the file does not say so yet */
    unsigned silent : 1; /* the latest has no record yet, and is in no file:
                            it is not worth a flush */
} epochs_t;

void epochs_free(epochs_t *epochs);

/* EPOCH begins at START: a no-op when it is not above the latest. APR_ENOMEM.
 */
apr_status_t epochs_assign(epochs_t *epochs, int32_t epoch, int64_t start);

int32_t epochs_latest(const epochs_t *epochs);             /* -1: none */
int32_t epochs_of(const epochs_t *epochs, int64_t offset); /* -1: none */

/* The largest epoch at or below EPOCH and where it ended; -1 and -1: none. */
void epochs_end_offset(const epochs_t *epochs, int32_t epoch, int64_t log_end,
                       int32_t *found, int64_t *end);

void epochs_truncate_end(epochs_t *epochs, int64_t end_offset);
void epochs_truncate_start(epochs_t *epochs, int64_t start_offset);

/* Reads DIRECTORY/leader-epoch-checkpoint; a file that is missing or empty
 * knows of no epoch. TAKHIN_ECORRUPT. */
apr_status_t epochs_read(epochs_t *epochs, const char *directory);
/* Writes it when dirty; with DURABLE it is on the device then. */
apr_status_t epochs_write(epochs_t *epochs, const char *directory, int durable);

#endif
