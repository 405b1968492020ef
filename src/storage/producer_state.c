/* SPDX-License-Identifier: Apache-2.0 */
/* The producers of a log; see producer_state.h. Never does I/O but snapshots.
 */
#include "storage/producer_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/fs.h"
#include "record/crc32c.h"
#include "storage/segment.h"

#define SNAPSHOT_VERSION 1
#define SNAPSHOT_HEADER  10 /* version, crc, count */
#define SNAPSHOT_ENTRY   46
#define SNAPSHOT_LIMIT   (256u << 20)

typedef struct {
    producer_txn_t *items; /* ascending first offset */
    int count;
    int room;
} txn_list_t;

/* Asked of the coordinator, not yet appended: in memory only. */
typedef struct {
    int64_t producer_id;
    log_guard_t guard;
    int64_t since_ms;
    int32_t lowest_sequence; /* what may be appended first */
    int16_t epoch;
    unsigned epoch_bumps : 1;
} verification_t;

struct producer_state_t {
    producer_t **table; /* open addressing, a power of two */
    int room;
    int count;
    txn_list_t ongoing;
    txn_list_t ended;              /* whose marker is not replicated yet */
    verification_t *verifications; /* few at any time */
    int verification_count;
    int verification_room;
    log_guard_t last_guard;
};

/* ---- the table ---------------------------------------------------------- */

producer_state_t *producer_state_create(void)
{
    return calloc(1, sizeof(producer_state_t));
}

void producer_state_clear(producer_state_t *state)
{
    int i;

    for (i = 0; i < state->room; i++)
        free(state->table[i]);
    free(state->table);
    free(state->ongoing.items);
    free(state->ended.items);
    free(state->verifications);
    memset(state, 0, sizeof(*state));
}

void producer_state_destroy(producer_state_t *state)
{
    if (state == NULL)
        return;
    producer_state_clear(state);
    free(state);
}

static int slot_of(producer_t *const *table, int room, int64_t id)
{
    uint64_t hash = (uint64_t)id * 0x9e3779b97f4a7c15u;
    int slot = (int)(hash >> 33) & (room - 1);

    while (table[slot] != NULL && table[slot]->id != id)
        slot = (slot + 1) & (room - 1);
    return slot;
}

static producer_t *find(const producer_state_t *state, int64_t id)
{
    if (state->room == 0)
        return NULL;
    return state->table[slot_of(state->table, state->room, id)];
}

static int resize(producer_state_t *state, int room)
{
    producer_t **table = calloc((size_t)room, sizeof(*table));
    int i;

    if (table == NULL)
        return 0;
    for (i = 0; i < state->room; i++)
        if (state->table[i] != NULL)
            table[slot_of(table, room, state->table[i]->id)] = state->table[i];
    free(state->table);
    state->table = table;
    state->room = room;
    return 1;
}

static producer_t *find_or_create(producer_state_t *state, int64_t id)
{
    producer_t *producer = find(state, id);

    if (producer != NULL)
        return producer;
    if ((state->count + 1) * 3 > state->room * 2 &&
        !resize(state, state->room == 0 ? 4 : state->room * 2))
        return NULL;
    producer = calloc(1, sizeof(*producer));
    if (producer == NULL)
        return NULL;
    producer->id = id;
    producer->epoch = RECORD_NO_PRODUCER_EPOCH;
    producer->coordinator_epoch = -1;
    producer->last_timestamp = -1;
    producer->txn_first_offset = -1;
    state->table[slot_of(state->table, state->room, id)] = producer;
    state->count++;
    return producer;
}

int producer_state_count(const producer_state_t *state)
{
    return state->count;
}

const producer_t *producer_state_next(const producer_state_t *state,
                                      int *cursor)
{
    while (*cursor < state->room) {
        const producer_t *producer = state->table[(*cursor)++];

        if (producer != NULL)
            return producer;
    }
    return NULL;
}

static int has_expired(const producer_t *producer, int64_t now_ms,
                       int64_t expiration_ms)
{
    return producer->txn_first_offset < 0 &&
           now_ms - producer->last_timestamp >= expiration_ms;
}

void producer_state_expire(producer_state_t *state, int64_t now_ms,
                           int64_t expiration_ms)
{
    int i, gone = 0;

    for (i = state->verification_count - 1; i >= 0; i--)
        if (now_ms - state->verifications[i].since_ms >= expiration_ms)
            state->verifications[i] =
                state->verifications[--state->verification_count];
    for (i = 0; i < state->room; i++) {
        if (state->table[i] == NULL ||
            !has_expired(state->table[i], now_ms, expiration_ms))
            continue;
        free(state->table[i]);
        state->table[i] = NULL;
        state->count--;
        gone = 1;
    }
    /* Holes break the probing: put the rest in their places. Without memory
     * for that a producer may look unknown, which is allowed after expiry. */
    if (gone)
        (void)resize(state, state->room);
}

/* ---- transactions ------------------------------------------------------- */

static int txn_add(txn_list_t *list, const producer_txn_t *txn)
{
    int i = list->count;

    if (list->count == list->room) {
        int room = list->room == 0 ? 4 : list->room * 2;
        producer_txn_t *items =
            realloc(list->items, (size_t)room * sizeof(*items));

        if (items == NULL)
            return 0;
        list->items = items;
        list->room = room;
    }
    while (i > 0 && list->items[i - 1].first_offset > txn->first_offset) {
        list->items[i] = list->items[i - 1];
        i--;
    }
    list->items[i] = *txn;
    list->count++;
    return 1;
}

static void txn_remove(txn_list_t *list, int at)
{
    list->count--;
    memmove(list->items + at, list->items + at + 1,
            (size_t)(list->count - at) * sizeof(*list->items));
}

static int txn_begin(producer_state_t *state, producer_t *producer,
                     int64_t first_offset)
{
    producer_txn_t txn = {producer->id, first_offset, -1, -1, 0};

    if (!txn_add(&state->ongoing, &txn))
        return 0;
    producer->txn_first_offset = first_offset;
    return 1;
}

static apr_status_t txn_end(producer_state_t *state, producer_t *producer,
                            int64_t marker_offset, int aborted,
                            producer_txn_t *ended)
{
    int i = 0;

    ended->producer_id = producer->id;
    ended->first_offset = producer->txn_first_offset;
    ended->last_offset = marker_offset;
    ended->aborted = aborted != 0;
    producer->txn_first_offset = -1;
    while (i < state->ongoing.count &&
           state->ongoing.items[i].producer_id != producer->id)
        i++;
    if (i < state->ongoing.count)
        txn_remove(&state->ongoing, i);
    ended->last_stable_offset = state->ongoing.count > 0
                                    ? state->ongoing.items[0].first_offset
                                    : marker_offset + 1;
    return txn_add(&state->ended, ended) ? APR_SUCCESS : APR_ENOMEM;
}

void producer_state_replicated(producer_state_t *state, int64_t offset)
{
    int i = 0;

    while (i < state->ended.count)
        if (state->ended.items[i].last_offset < offset)
            txn_remove(&state->ended, i);
        else
            i++;
}

int producer_state_has_ended(const producer_state_t *state)
{
    return state->ended.count > 0;
}

int64_t producer_state_first_unstable(const producer_state_t *state)
{
    int64_t first = INT64_MAX;

    if (state->ongoing.count > 0)
        first = state->ongoing.items[0].first_offset;
    if (state->ended.count > 0 && state->ended.items[0].first_offset < first)
        first = state->ended.items[0].first_offset;
    return first;
}

/* ---- verification (KIP-890) --------------------------------------------- */

static verification_t *find_verification(const producer_state_t *state,
                                         int64_t producer_id)
{
    int i;

    for (i = 0; i < state->verification_count; i++)
        if (state->verifications[i].producer_id == producer_id)
            return &state->verifications[i];
    return NULL;
}

static verification_t *add_verification(producer_state_t *state,
                                        int64_t producer_id)
{
    verification_t *added;

    if (state->verification_count == state->verification_room) {
        int room =
            state->verification_room == 0 ? 4 : state->verification_room * 2;
        verification_t *grown =
            realloc(state->verifications, (size_t)room * sizeof(*grown));

        if (grown == NULL)
            return NULL;
        state->verifications = grown;
        state->verification_room = room;
    }
    added = &state->verifications[state->verification_count++];
    added->producer_id = producer_id;
    added->guard = ++state->last_guard;
    added->lowest_sequence = INT32_MAX;
    added->epoch = RECORD_NO_PRODUCER_EPOCH;
    return added;
}

/* The transaction is open, or has ended: what was asked is of no use. */
static void forget_verification(producer_state_t *state, int64_t producer_id)
{
    verification_t *found = find_verification(state, producer_id);

    if (found != NULL)
        *found = state->verifications[--state->verification_count];
}

static int is_open(const producer_state_t *state, int64_t producer_id,
                   int16_t epoch)
{
    const producer_t *producer = find(state, producer_id);

    return producer != NULL && producer->txn_first_offset >= 0 &&
           producer->epoch == epoch;
}

apr_status_t producer_state_verify(producer_state_t *state, int64_t producer_id,
                                   int16_t epoch, int32_t sequence,
                                   int epoch_bumps, int64_t now_ms,
                                   log_guard_t *guard)
{
    verification_t *entry;

    *guard = LOG_GUARD_ONGOING;
    if (is_open(state, producer_id, epoch))
        return APR_SUCCESS;
    entry = find_verification(state, producer_id);
    if (entry == NULL)
        entry = add_verification(state, producer_id);
    if (entry == NULL)
        return APR_ENOMEM;
    entry->epoch_bumps = epoch_bumps ? 1 : 0;
    if (epoch > entry->epoch || sequence < entry->lowest_sequence)
        entry->lowest_sequence = sequence;
    if (epoch > entry->epoch)
        entry->epoch = epoch;
    entry->since_ms = now_ms;
    *guard = entry->guard;
    return APR_SUCCESS;
}

apr_status_t producer_state_check_guard(const producer_state_t *state,
                                        const record_batch_t *batch,
                                        log_guard_t guard)
{
    const verification_t *entry;

    if (is_open(state, batch->producer_id, batch->producer_epoch))
        return APR_SUCCESS;
    entry = find_verification(state, batch->producer_id);
    return entry != NULL && entry->guard == guard ? APR_SUCCESS
                                                  : TAKHIN_ETRANSACTION;
}

/* Whether batches before BATCH did not come: others were asked for first, or a
 * transaction with an epoch of its own begins in its midst. */
static int is_ahead(const producer_state_t *state, const record_batch_t *batch)
{
    const verification_t *entry = find_verification(state, batch->producer_id);
    const producer_t *producer = find(state, batch->producer_id);

    if (entry == NULL)
        return 0;
    if (entry->epoch_bumps && batch->base_sequence != 0 &&
        (producer == NULL || producer->batch_count == 0))
        return 1;
    return batch->base_sequence > entry->lowest_sequence;
}

/* ---- check and apply ---------------------------------------------------- */

/* A control record's key is version and type, its value version and the
 * coordinator's epoch, all big-endian 16 bits except the epoch, 32 bits. */
static int read_marker(const record_batch_t *batch, const uint8_t *data,
                       int *aborted, int32_t *coordinator_epoch)
{
    record_iterator_t iterator;
    record_t record;

    if (record_iterator_init(&iterator, batch, data, NULL, 0) != APR_SUCCESS ||
        record_iterator_next(&iterator, &record) != APR_SUCCESS ||
        record.key_length < 4 || record.value_length < 6)
        return 0;
    if (bytes_get_i16(record.key + 2) > 1)
        return 0; /* another kind of control record */
    *aborted = bytes_get_i16(record.key + 2) == 0;
    *coordinator_epoch = bytes_get_i32(record.value + 2);
    return 1;
}

static const producer_batch_t *find_duplicate(const producer_t *producer,
                                              const record_batch_t *batch)
{
    int32_t last = record_batch_last_sequence(batch);
    int i;

    if (batch->producer_epoch != producer->epoch)
        return NULL;
    for (i = 0; i < producer->batch_count; i++)
        if (producer->batches[i].last_sequence == last &&
            producer->batches[i].offset_delta == batch->last_offset_delta)
            return &producer->batches[i];
    return NULL;
}

static apr_status_t check_sequence(const producer_t *producer,
                                   const record_batch_t *batch)
{
    int32_t last;

    if (batch->base_sequence < 0)
        return APR_SUCCESS;
    if (producer->epoch == RECORD_NO_PRODUCER_EPOCH)
        return APR_SUCCESS; /* its batches are gone: anything goes */
    if (batch->producer_epoch != producer->epoch)
        return batch->base_sequence == 0 ? APR_SUCCESS : TAKHIN_EOUT_OF_ORDER;
    last = producer->batch_count == 0
               ? RECORD_NO_SEQUENCE
               : producer->batches[producer->batch_count - 1].last_sequence;
    if (last == RECORD_NO_SEQUENCE)
        return batch->base_sequence == 0 ? APR_SUCCESS : TAKHIN_EOUT_OF_ORDER;
    return batch->base_sequence == record_sequence_add(last, 1)
               ? APR_SUCCESS
               : TAKHIN_EOUT_OF_ORDER;
}

static apr_status_t check_marker(const producer_t *producer,
                                 const record_batch_t *batch,
                                 const uint8_t *data)
{
    int aborted;
    int32_t coordinator_epoch;

    if (!read_marker(batch, data, &aborted, &coordinator_epoch))
        return APR_SUCCESS;
    if (coordinator_epoch < producer->coordinator_epoch)
        return TAKHIN_ECOORDINATOR_FENCED;
    return APR_SUCCESS;
}

apr_status_t producer_state_check(producer_state_t *state,
                                  const record_batch_t *batch,
                                  const uint8_t *data, append_origin_t origin,
                                  const producer_batch_t **duplicate)
{
    const producer_t *producer;
    apr_status_t status = APR_SUCCESS;

    *duplicate = NULL;
    if (!record_batch_has_producer(batch) || origin == APPEND_REPLICATION ||
        origin == APPEND_RAFT)
        return APR_SUCCESS;
    producer = find(state, batch->producer_id);
    if (producer == NULL)
        return origin == APPEND_CLIENT && is_ahead(state, batch)
                   ? TAKHIN_EOUT_OF_ORDER
                   : APR_SUCCESS;
    if (origin == APPEND_CLIENT && !record_batch_is_control(batch)) {
        *duplicate = find_duplicate(producer, batch);
        if (*duplicate != NULL)
            return APR_SUCCESS;
    }
    if (batch->producer_epoch < producer->epoch)
        return TAKHIN_EPRODUCER_FENCED;
    if (record_batch_is_control(batch))
        return check_marker(producer, batch, data);
    if (origin == APPEND_CLIENT)
        status = is_ahead(state, batch) ? TAKHIN_EOUT_OF_ORDER
                                        : check_sequence(producer, batch);
    if (status == APR_SUCCESS && producer->txn_first_offset >= 0 &&
        !record_batch_is_transactional(batch))
        status = TAKHIN_ETRANSACTION;
    return status;
}

static void take_epoch(producer_t *producer, int16_t epoch)
{
    if (producer->epoch == epoch)
        return;
    producer->epoch = epoch;
    producer->batch_count = 0;
}

static void take_batch(producer_t *producer, const record_batch_t *batch)
{
    producer_batch_t taken = {
        record_batch_last_sequence(batch), batch->last_offset_delta,
        record_batch_last_offset(batch), batch->max_timestamp};

    if (producer->batch_count == PRODUCER_BATCHES) {
        memmove(producer->batches, producer->batches + 1,
                sizeof(producer->batches[0]) * (PRODUCER_BATCHES - 1));
        producer->batch_count--;
    }
    producer->batches[producer->batch_count++] = taken;
}

apr_status_t producer_state_apply(producer_state_t *state,
                                  const record_batch_t *batch,
                                  const uint8_t *data, producer_txn_t *ended,
                                  int *has_ended)
{
    producer_t *producer;
    int aborted;
    int32_t coordinator_epoch;

    *has_ended = 0;
    if (!record_batch_has_producer(batch))
        return APR_SUCCESS;
    producer = find_or_create(state, batch->producer_id);
    if (producer == NULL)
        return APR_ENOMEM;
    producer->last_timestamp = batch->max_timestamp;
    if (!record_batch_is_control(batch)) {
        take_epoch(producer, batch->producer_epoch);
        take_batch(producer, batch);
        if (record_batch_is_transactional(batch) &&
            producer->txn_first_offset < 0 &&
            !txn_begin(state, producer, batch->base_offset))
            return APR_ENOMEM;
        if (record_batch_is_transactional(batch))
            forget_verification(state, producer->id);
        return APR_SUCCESS;
    }
    if (!read_marker(batch, data, &aborted, &coordinator_epoch))
        return APR_SUCCESS;
    take_epoch(producer, batch->producer_epoch);
    producer->coordinator_epoch = coordinator_epoch;
    forget_verification(state, producer->id);
    if (producer->txn_first_offset < 0)
        return APR_SUCCESS; /* an empty transaction */
    *has_ended = 1;
    return txn_end(state, producer, batch->base_offset, aborted, ended);
}

/* ---- snapshots ---------------------------------------------------------- */

static void put_producer(uint8_t *p, const producer_t *producer)
{
    const producer_batch_t *last =
        producer->batch_count > 0
            ? &producer->batches[producer->batch_count - 1]
            : NULL;

    bytes_put_i64(p, producer->id);
    bytes_put_i16(p + 8, producer->epoch);
    bytes_put_i32(p + 10, last ? last->last_sequence : -1);
    bytes_put_i64(p + 14, last ? last->last_offset : -1);
    bytes_put_i32(p + 22, last ? last->offset_delta : 0);
    bytes_put_i64(p + 26, producer->last_timestamp);
    bytes_put_i32(p + 34, producer->coordinator_epoch);
    bytes_put_i64(p + 38, producer->txn_first_offset);
}

apr_status_t producer_state_write(const producer_state_t *state,
                                  const char *directory, int64_t offset)
{
    apr_size_t size =
        SNAPSHOT_HEADER + (apr_size_t)state->count * SNAPSHOT_ENTRY;
    char path[SEGMENT_PATH];
    const producer_t *producer;
    uint8_t *data = malloc(size), *p;
    apr_status_t status;
    int cursor = 0;

    if (data == NULL)
        return APR_ENOMEM;
    bytes_put_i16(data, SNAPSHOT_VERSION);
    bytes_put_i32(data + 6, state->count);
    p = data + SNAPSHOT_HEADER;
    while ((producer = producer_state_next(state, &cursor)) != NULL) {
        put_producer(p, producer);
        p += SNAPSHOT_ENTRY;
    }
    bytes_put_u32(data + 2, crc32c(0, data + 6, size - 6));
    segment_path(path, directory, offset, ".snapshot");
    status = fs_write_atomic(path, data, size);
    free(data);
    return status;
}

static apr_status_t get_producer(producer_state_t *state, const uint8_t *p,
                                 int64_t now_ms, int64_t expiration_ms)
{
    producer_t *producer, read = {0};
    producer_batch_t *batch = &read.batches[0];

    read.id = bytes_get_i64(p);
    read.epoch = bytes_get_i16(p + 8);
    batch->last_sequence = bytes_get_i32(p + 10);
    batch->last_offset = bytes_get_i64(p + 14);
    batch->offset_delta = bytes_get_i32(p + 22);
    batch->timestamp = read.last_timestamp = bytes_get_i64(p + 26);
    read.coordinator_epoch = bytes_get_i32(p + 34);
    read.txn_first_offset = bytes_get_i64(p + 38);
    read.batch_count = batch->last_offset >= 0;
    if (has_expired(&read, now_ms, expiration_ms))
        return APR_SUCCESS;
    producer = find_or_create(state, read.id);
    if (producer == NULL)
        return APR_ENOMEM;
    *producer = read;
    if (read.txn_first_offset >= 0 &&
        !txn_begin(state, producer, read.txn_first_offset))
        return APR_ENOMEM;
    return APR_SUCCESS;
}

static apr_status_t parse_snapshot(producer_state_t *state, const uint8_t *data,
                                   apr_size_t length, int64_t now_ms,
                                   int64_t expiration_ms)
{
    apr_status_t status = APR_SUCCESS;
    int32_t count, i;

    if (length < SNAPSHOT_HEADER || bytes_get_i16(data) != SNAPSHOT_VERSION ||
        crc32c(0, data + 6, length - 6) != bytes_get_u32(data + 2))
        return TAKHIN_ECORRUPT;
    count = bytes_get_i32(data + 6);
    if (count < 0 ||
        (apr_size_t)count > (length - SNAPSHOT_HEADER) / SNAPSHOT_ENTRY)
        return TAKHIN_ECORRUPT;
    for (i = 0; i < count && status == APR_SUCCESS; i++)
        status =
            get_producer(state, data + SNAPSHOT_HEADER + i * SNAPSHOT_ENTRY,
                         now_ms, expiration_ms);
    return status;
}

apr_status_t producer_state_read(producer_state_t *state, const char *directory,
                                 int64_t offset, int64_t now_ms,
                                 int64_t expiration_ms)
{
    char path[SEGMENT_PATH], *data;
    apr_size_t length;
    apr_pool_t *pool;
    apr_status_t status;

    producer_state_clear(state);
    status = apr_pool_create(&pool, NULL);
    if (status != APR_SUCCESS)
        return status;
    segment_path(path, directory, offset, ".snapshot");
    status = fs_read_whole(path, SNAPSHOT_LIMIT, &data, &length, pool);
    if (status == APR_SUCCESS)
        status = parse_snapshot(state, (const uint8_t *)data, length, now_ms,
                                expiration_ms);
    if (status != APR_SUCCESS)
        producer_state_clear(state);
    apr_pool_destroy(pool);
    return status;
}
