/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a record's key to the newest offset it has: what a compaction knows of
 * the part of a log that it cleans. Keys themselves are not kept, only a
 * 128-bit hash under a secret of the map's own, so that nobody can choose two
 * keys that are taken for one. 24 bytes an entry, allocated once: it never grows.
 *
 * One thread a map.
 */
#ifndef TAKHIN_STORAGE_OFFSET_MAP_H
#define TAKHIN_STORAGE_OFFSET_MAP_H

#include <apr_errno.h>
#include <stddef.h>
#include <stdint.h>

#define OFFSET_MAP_ENTRY 24

typedef struct offset_map_t offset_map_t;

/*
 * A map of at most MAX_BYTES that takes entries up to LOAD_FACTOR of its room
 * (above 0, below 1), and of no more room than EXPECTED entries need. APR_ENOMEM,
 * or what the system's randomness said.
 */
apr_status_t offset_map_create(offset_map_t **map, int64_t max_bytes,
                               double load_factor, int64_t expected);
void offset_map_destroy(offset_map_t *map); /* NULL is fine */

/* KEY's newest offset is OFFSET, 0 or above. 0 when a key that is new has no
 * room. */
int offset_map_put(offset_map_t *map, const uint8_t *key, size_t length,
                   int64_t offset);

/* KEY's newest offset, -1 when the map does not know it. */
int64_t offset_map_get(const offset_map_t *map, const uint8_t *key,
                       size_t length);

int64_t offset_map_count(const offset_map_t *map);
int64_t offset_map_bytes(const offset_map_t *map);

#endif
