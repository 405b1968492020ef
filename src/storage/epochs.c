/* SPDX-License-Identifier: Apache-2.0 */
/* The leader epochs of a log; see epochs.h. */
#include "storage/epochs.h"

#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "storage/segment.h"

#define EPOCHS_LIMIT (16u << 20)

void epochs_free(epochs_t *epochs)
{
    free(epochs->entries);
    memset(epochs, 0, sizeof(*epochs));
}

static apr_status_t append_entry(epochs_t *epochs, int32_t epoch, int64_t start)
{
    if (epochs->count == epochs->room) {
        int room = epochs->room == 0 ? 1 : epochs->room * 2;
        epoch_entry_t *entries =
            realloc(epochs->entries, (size_t)room * sizeof(*entries));

        if (entries == NULL)
            return APR_ENOMEM;
        epochs->entries = entries;
        epochs->room = room;
    }
    epochs->entries[epochs->count].epoch = epoch;
    epochs->entries[epochs->count].start_offset = start;
    epochs->count++;
    return APR_SUCCESS;
}

apr_status_t epochs_assign(epochs_t *epochs, int32_t epoch, int64_t start)
{
    if (epoch < 0 || epoch <= epochs_latest(epochs))
        return APR_SUCCESS;
    /* An epoch that began at or behind START never had a record. */
    while (epochs->count > 0 &&
           epochs->entries[epochs->count - 1].start_offset >= start)
        epochs->count--;
    epochs->dirty = 1;
    return append_entry(epochs, epoch, start);
}

int32_t epochs_latest(const epochs_t *epochs)
{
    return epochs->count == 0 ? -1 : epochs->entries[epochs->count - 1].epoch;
}

int32_t epochs_of(const epochs_t *epochs, int64_t offset)
{
    int i = epochs->count;

    while (i > 0 && epochs->entries[i - 1].start_offset > offset)
        i--;
    return i == 0 ? -1 : epochs->entries[i - 1].epoch;
}

void epochs_end_offset(const epochs_t *epochs, int32_t epoch, int64_t log_end,
                       int32_t *found, int64_t *end)
{
    int i = epochs->count;

    *found = -1;
    *end = -1;
    if (epoch < 0 || epochs->count == 0 || epoch > epochs_latest(epochs))
        return;
    if (epoch == epochs_latest(epochs)) {
        *found = epoch;
        *end = log_end;
        return;
    }
    while (i > 0 && epochs->entries[i - 1].epoch > epoch)
        i--;
    /* Below the first known epoch: it ended where that began. */
    *found = i == 0 ? epoch : epochs->entries[i - 1].epoch;
    *end = epochs->entries[i].start_offset;
}

void epochs_truncate_end(epochs_t *epochs, int64_t end_offset)
{
    while (epochs->count > 0 &&
           epochs->entries[epochs->count - 1].start_offset >= end_offset) {
        epochs->count--;
        epochs->dirty = 1;
    }
}

void epochs_truncate_start(epochs_t *epochs, int64_t start_offset)
{
    int gone = 0;

    while (gone + 1 < epochs->count &&
           epochs->entries[gone + 1].start_offset <= start_offset)
        gone++;
    if (epochs->count == 0 ||
        epochs->entries[gone].start_offset >= start_offset)
        return;
    epochs->count -= gone;
    memmove(epochs->entries, epochs->entries + gone,
            (size_t)epochs->count * sizeof(*epochs->entries));
    epochs->entries[0].start_offset = start_offset;
    epochs->dirty = 1;
}

/* ---- the file ---------------------------------------------------------- */

static apr_status_t parse(epochs_t *epochs, char *text)
{
    char *state, *line = apr_strtok(text, "\n", &state);
    long long count;

    if (line == NULL)
        return APR_SUCCESS; /* Kafka creates it empty */
    if (strcmp(line, "0") != 0)
        return TAKHIN_ECORRUPT;
    line = apr_strtok(NULL, "\n", &state);
    if (line == NULL || sscanf(line, "%lld", &count) != 1 || count < 0)
        return TAKHIN_ECORRUPT;
    while (count-- > 0) {
        int epoch;
        long long start;
        apr_status_t status;

        line = apr_strtok(NULL, "\n", &state);
        if (line == NULL || sscanf(line, "%d %lld", &epoch, &start) != 2)
            return TAKHIN_ECORRUPT;
        status = epochs_assign(epochs, epoch, start);
        if (status != APR_SUCCESS)
            return status;
    }
    return APR_SUCCESS;
}

apr_status_t epochs_read(epochs_t *epochs, const char *directory)
{
    apr_pool_t *pool;
    apr_size_t length;
    char *text;
    apr_status_t status = apr_pool_create(&pool, NULL);

    if (status != APR_SUCCESS)
        return status;
    status = fs_read_whole(
        apr_pstrcat(pool, directory, "/leader-epoch-checkpoint", NULL),
        EPOCHS_LIMIT, &text, &length, pool);
    if (APR_STATUS_IS_ENOENT(status))
        status = APR_SUCCESS;
    else if (status == APR_SUCCESS)
        status = parse(epochs, text);
    epochs->dirty = 0;
    apr_pool_destroy(pool);
    return status;
}

apr_status_t epochs_write(epochs_t *epochs, const char *directory, int durable)
{
    apr_size_t room, used;
    apr_status_t status;
    char path[SEGMENT_PATH], *text;
    int i;

    if (!epochs->dirty)
        return APR_SUCCESS;
    room = 64 + (apr_size_t)epochs->count * 40;
    text = malloc(room);
    if (text == NULL)
        return APR_ENOMEM;
    used = (apr_size_t)snprintf(text, room, "0\n%d\n", epochs->count);
    for (i = 0; i < epochs->count; i++)
        used += (apr_size_t)snprintf(
            text + used, room - used, "%d %lld\n", epochs->entries[i].epoch,
            (long long)epochs->entries[i].start_offset);
    snprintf(path, sizeof(path), "%s/leader-epoch-checkpoint", directory);
    status = durable ? fs_write_atomic(path, text, used)
                     : fs_write_whole(path, text, used);
    free(text);
    if (status == APR_SUCCESS)
        epochs->dirty = 0;
    return status;
}
