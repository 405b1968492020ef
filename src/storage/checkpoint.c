/* SPDX-License-Identifier: Apache-2.0 */
/* Kafka's checkpoint files; see checkpoint.h. */
#include "storage/checkpoint.h"

#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"

#define CHECKPOINT_LIMIT (256u << 20)

enum { RECOVERY_POINT, START_OFFSET, HIGH_WATERMARK, CLEANED, FILES };

static const char *const file_names[FILES] = {
    "recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint",
    "replication-offset-checkpoint",
    "cleaner-offset-checkpoint",
};

typedef struct {
    int64_t offsets[FILES];
    char name[];
} entry_t;

struct checkpoint_t {
    entry_t **table; /* open addressing, a power of two */
    int room;
    int count;
};

checkpoint_t *checkpoint_create(void)
{
    return calloc(1, sizeof(checkpoint_t));
}

void checkpoint_destroy(checkpoint_t *checkpoint)
{
    int i;

    if (checkpoint == NULL)
        return;
    for (i = 0; i < checkpoint->room; i++)
        free(checkpoint->table[i]);
    free(checkpoint->table);
    free(checkpoint);
}

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 2166136261u;

    while (*name != '\0')
        hash = (hash ^ (uint8_t)*name++) * 16777619u;
    return hash;
}

static int slot_of(entry_t *const *table, int room, const char *name)
{
    int slot = (int)(hash_of(name) & (uint32_t)(room - 1));

    while (table[slot] != NULL && strcmp(table[slot]->name, name) != 0)
        slot = (slot + 1) & (room - 1);
    return slot;
}

static int resize(checkpoint_t *checkpoint, int room)
{
    entry_t **table = calloc((size_t)room, sizeof(*table));
    int i;

    if (table == NULL)
        return 0;
    for (i = 0; i < checkpoint->room; i++)
        if (checkpoint->table[i] != NULL)
            table[slot_of(table, room, checkpoint->table[i]->name)] =
                checkpoint->table[i];
    free(checkpoint->table);
    checkpoint->table = table;
    checkpoint->room = room;
    return 1;
}

static entry_t *find(const checkpoint_t *checkpoint, const char *name)
{
    if (checkpoint->room == 0)
        return NULL;
    return checkpoint
        ->table[slot_of(checkpoint->table, checkpoint->room, name)];
}

static entry_t *find_or_create(checkpoint_t *checkpoint, const char *name)
{
    entry_t *entry = find(checkpoint, name);
    size_t length = strlen(name) + 1;

    if (entry != NULL)
        return entry;
    if ((checkpoint->count + 1) * 3 > checkpoint->room * 2 &&
        !resize(checkpoint, checkpoint->room ? checkpoint->room * 2 : 16))
        return NULL;
    entry = calloc(1, sizeof(*entry) + length);
    if (entry == NULL)
        return NULL;
    memcpy(entry->name, name, length);
    entry->offsets[CLEANED] = -1;
    checkpoint->table[slot_of(checkpoint->table, checkpoint->room, name)] =
        entry;
    checkpoint->count++;
    return entry;
}

int checkpoint_set(checkpoint_t *checkpoint, const char *name,
                   int64_t recovery_point, int64_t start_offset,
                   int64_t high_watermark)
{
    entry_t *entry = find_or_create(checkpoint, name);

    if (entry == NULL)
        return 0;
    entry->offsets[RECOVERY_POINT] = recovery_point;
    entry->offsets[START_OFFSET] = start_offset;
    entry->offsets[HIGH_WATERMARK] = high_watermark;
    return 1;
}

int checkpoint_set_cleaned(checkpoint_t *checkpoint, const char *name,
                           int64_t offset)
{
    entry_t *entry = find_or_create(checkpoint, name);

    if (entry != NULL)
        entry->offsets[CLEANED] = offset;
    return entry != NULL;
}

int64_t checkpoint_get_cleaned(const checkpoint_t *checkpoint, const char *name)
{
    const entry_t *entry = find(checkpoint, name);

    return entry != NULL ? entry->offsets[CLEANED] : -1;
}

void checkpoint_remove(checkpoint_t *checkpoint, const char *name)
{
    int slot;

    if (find(checkpoint, name) == NULL)
        return;
    slot = slot_of(checkpoint->table, checkpoint->room, name);
    free(checkpoint->table[slot]);
    checkpoint->table[slot] = NULL;
    checkpoint->count--;
    /* Those behind it that were pushed on move up. */
    for (slot = (slot + 1) & (checkpoint->room - 1);
         checkpoint->table[slot] != NULL;
         slot = (slot + 1) & (checkpoint->room - 1)) {
        entry_t *entry = checkpoint->table[slot];

        checkpoint->table[slot] = NULL;
        checkpoint
            ->table[slot_of(checkpoint->table, checkpoint->room, entry->name)] =
            entry;
    }
}

void checkpoint_get(const checkpoint_t *checkpoint, const char *name,
                    int64_t *recovery_point, int64_t *start_offset)
{
    const entry_t *entry = find(checkpoint, name);

    *recovery_point = entry != NULL ? entry->offsets[RECOVERY_POINT] : 0;
    *start_offset = entry != NULL ? entry->offsets[START_OFFSET] : 0;
}

int checkpoint_copy(checkpoint_t *checkpoint, const checkpoint_t *from)
{
    int i;

    for (i = 0; i < from->room; i++) {
        const entry_t *entry = from->table[i];
        entry_t *copy;

        if (entry == NULL)
            continue;
        copy = find_or_create(checkpoint, entry->name);
        if (copy == NULL)
            return 0;
        memcpy(copy->offsets, entry->offsets, sizeof(copy->offsets));
    }
    return 1;
}

/* ---- files ------------------------------------------------------------- */

static apr_status_t read_line(checkpoint_t *checkpoint, int which, char *line)
{
    char topic[512], name[540];
    int partition;
    long long offset;
    entry_t *entry;

    if (sscanf(line, "%511s %d %lld", topic, &partition, &offset) != 3 ||
        partition < 0 || offset < 0)
        return TAKHIN_ECORRUPT;
    snprintf(name, sizeof(name), "%s-%d", topic, partition);
    entry = find_or_create(checkpoint, name);
    if (entry == NULL)
        return APR_ENOMEM;
    entry->offsets[which] = offset;
    return APR_SUCCESS;
}

static apr_status_t read_lines(checkpoint_t *checkpoint, int which, char *text,
                               int *number)
{
    char *state, *line = apr_strtok(text, "\n", &state);
    apr_status_t status = APR_SUCCESS;
    long long count;

    *number = 1;
    if (line == NULL)
        return APR_SUCCESS; /* Kafka creates it empty */
    if (strcmp(line, "0") != 0)
        return TAKHIN_ECORRUPT;
    line = apr_strtok(NULL, "\n", &state);
    *number = 2;
    if (line == NULL || sscanf(line, "%lld", &count) != 1 || count < 0)
        return TAKHIN_ECORRUPT;
    while (count-- > 0 && status == APR_SUCCESS) {
        ++*number;
        line = apr_strtok(NULL, "\n", &state);
        status =
            line == NULL ? TAKHIN_ECORRUPT : read_line(checkpoint, which, line);
    }
    return status;
}

apr_status_t checkpoint_read(checkpoint_t *checkpoint, const char *directory,
                             const char **error, apr_pool_t *pool)
{
    apr_pool_t *scratch;
    apr_status_t result = apr_pool_create(&scratch, NULL);
    int which, number = 0;

    if (result != APR_SUCCESS)
        return result;
    for (which = 0; which < FILES; which++) {
        char *path =
            apr_pstrcat(scratch, directory, "/", file_names[which], NULL);
        char *text;
        apr_size_t length;
        apr_status_t status =
            fs_read_whole(path, CHECKPOINT_LIMIT, &text, &length, scratch);

        if (APR_STATUS_IS_ENOENT(status))
            continue;
        if (status == APR_SUCCESS)
            status = read_lines(checkpoint, which, text, &number);
        if (status == TAKHIN_ECORRUPT)
            *error =
                apr_psprintf(pool, "%s, line %d makes no sense", path, number);
        if (status != APR_SUCCESS)
            result = status;
        if (status != APR_SUCCESS && status != TAKHIN_ECORRUPT)
            break;
    }
    apr_pool_destroy(scratch);
    return result;
}

/* "a-b-7" is partition 7 of topic a-b. */
static int put_line(char *line, size_t room, const entry_t *entry, int which)
{
    const char *dash = strrchr(entry->name, '-');

    if (dash == NULL)
        return 0;
    return snprintf(line, room, "%.*s %s %lld\n", (int)(dash - entry->name),
                    entry->name, dash + 1, (long long)entry->offsets[which]);
}

/* As in Kafka a log start offset of 0 is not worth a line, nor a log that was
 * never compacted. */
static int is_written(const entry_t *entry, int which)
{
    if (entry == NULL)
        return 0;
    if (which == CLEANED)
        return entry->offsets[which] >= 0;
    return which != START_OFFSET || entry->offsets[which] > 0;
}

static apr_status_t write_one(const checkpoint_t *checkpoint,
                              const char *directory, int which)
{
    char line[600], path[4096], *text;
    size_t used, room = 64;
    apr_status_t status;
    int i, count = 0;

    for (i = 0; i < checkpoint->room; i++)
        if (is_written(checkpoint->table[i], which)) {
            room += strlen(checkpoint->table[i]->name) + 32;
            count++;
        }
    text = malloc(room);
    if (text == NULL)
        return APR_ENOMEM;
    used = (size_t)snprintf(text, room, "0\n%d\n", count);
    for (i = 0; i < checkpoint->room; i++)
        if (is_written(checkpoint->table[i], which)) {
            int length =
                put_line(line, sizeof(line), checkpoint->table[i], which);

            memcpy(text + used, line, (size_t)length);
            used += (size_t)length;
        }
    snprintf(path, sizeof(path), "%s/%s", directory, file_names[which]);
    status = fs_write_atomic(path, text, used);
    free(text);
    return status;
}

apr_status_t checkpoint_write(const checkpoint_t *checkpoint,
                              const char *directory)
{
    apr_status_t status = APR_SUCCESS;
    int which;

    for (which = 0; which < CLEANED && status == APR_SUCCESS; which++)
        status = write_one(checkpoint, directory, which);
    return status;
}

apr_status_t checkpoint_write_cleaned(const checkpoint_t *checkpoint,
                                      const char *directory)
{
    return write_one(checkpoint, directory, CLEANED);
}
