/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open addressing with linear probing, hashed by SipHash-2-4 with 128 bits of
 * output (Aumasson, Bernstein). It must never take two keys for one, which
 * would lose the older one's record: hence the wide hash and the secret.
 */
#include "storage/offset_map.h"

#include <stdlib.h>
#include <string.h>

#include "base/uuid.h"

typedef struct {
    uint64_t high, low;
} hash_t;

typedef struct {
    hash_t hash;
    uint64_t offset; /* + 1: zero bytes are an empty slot */
} slot_t;

struct offset_map_t {
    uint64_t secret[2];
    slot_t *slots;
    uint64_t room; /* below 2^32 */
    int64_t count;
    int64_t limit; /* entries it takes */
};

/* ---- the hash ----------------------------------------------------------- */

static inline uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static inline void sip_rounds(uint64_t v[4], int count)
{
    while (count-- > 0)
        sip_round(v);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_rounds(v, 2);
    v[0] ^= word;
}

static hash_t hash_of(const offset_map_t *map, const uint8_t *key,
                      size_t length)
{
    uint64_t v[4] = {map->secret[0] ^ 0x736f6d6570736575u,
                     map->secret[1] ^ 0x646f72616e646f6du ^ 0xee,
                     map->secret[0] ^ 0x6c7967656e657261u,
                     map->secret[1] ^ 0x7465646279746573u};
    uint64_t word, last = (uint64_t)length << 56;
    size_t at = 0;
    hash_t hash;

    /* In the machine's own byte order: the hash never leaves this process. */
    for (; length - at >= 8; at += 8) {
        memcpy(&word, key + at, 8);
        sip_word(v, word);
    }
    for (size_t i = 0; at + i < length; i++)
        last |= (uint64_t)key[at + i] << (8 * i);
    sip_word(v, last);
    v[2] ^= 0xee;
    sip_rounds(v, 4);
    hash.high = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    sip_rounds(v, 4);
    hash.low = v[0] ^ v[1] ^ v[2] ^ v[3];
    return hash;
}

/* ---- the table ---------------------------------------------------------- */

apr_status_t offset_map_create(offset_map_t **map, int64_t max_bytes,
                               double load_factor, int64_t expected)
{
    offset_map_t *made = calloc(1, sizeof(*made));
    int64_t room = max_bytes / OFFSET_MAP_ENTRY;
    uint8_t secret[UUID_SIZE];
    apr_status_t status;

    *map = NULL;
    if (made == NULL)
        return APR_ENOMEM;
    if ((double)room > (double)expected / load_factor + 16)
        room = (int64_t)((double)expected / load_factor) + 16;
    if (room < 16)
        room = 16;
    if (room > UINT32_MAX)
        room = UINT32_MAX;
    made->room = (uint64_t)room;
    made->limit = (int64_t)((double)room * load_factor);
    if (made->limit >= room)
        made->limit = room - 1; /* an empty slot ends every probe */
    status = uuid_random(secret);
    if (status == APR_SUCCESS) {
        memcpy(made->secret, secret, sizeof(made->secret));
        made->slots = calloc((size_t)room, sizeof(*made->slots));
        status = made->slots == NULL ? APR_ENOMEM : APR_SUCCESS;
    }
    if (status != APR_SUCCESS)
        offset_map_destroy(made);
    else
        *map = made;
    return status;
}

void offset_map_destroy(offset_map_t *map)
{
    if (map == NULL)
        return;
    free(map->slots);
    free(map);
}

/* The slot that HASH has, or the empty one that it would get. */
static slot_t *slot_of(const offset_map_t *map, hash_t hash)
{
    uint64_t at = (hash.low >> 32) * map->room >> 32;

    while (map->slots[at].offset != 0 &&
           (map->slots[at].hash.high != hash.high ||
            map->slots[at].hash.low != hash.low))
        at = at + 1 == map->room ? 0 : at + 1;
    return &map->slots[at];
}

int offset_map_put(offset_map_t *map, const uint8_t *key, size_t length,
                   int64_t offset)
{
    hash_t hash = hash_of(map, key, length);
    slot_t *slot = slot_of(map, hash);

    if (slot->offset == 0) {
        if (map->count >= map->limit)
            return 0;
        slot->hash = hash;
        map->count++;
    }
    slot->offset = (uint64_t)offset + 1;
    return 1;
}

int64_t offset_map_get(const offset_map_t *map, const uint8_t *key,
                       size_t length)
{
    return (int64_t)slot_of(map, hash_of(map, key, length))->offset - 1;
}

int64_t offset_map_count(const offset_map_t *map)
{
    return map->count;
}

int64_t offset_map_bytes(const offset_map_t *map)
{
    return (int64_t)(map->room * sizeof(slot_t) + sizeof(*map));
}
