/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash map from text to pointers that keeps the order of insertion, so that
 * what is listed comes out the same every time. Keys are copied; values are
 * the caller's. Zero bytes are a valid empty map. One thread at a time.
 */
#ifndef TAKHIN_COORDINATOR_MAP_H
#define TAKHIN_COORDINATOR_MAP_H

#include "protocol/wire.h"

typedef struct map_entry_t {
    struct map_entry_t *chain;           /* in the same bucket */
    struct map_entry_t *next, *previous; /* in the order of insertion */
    void *value;
    uint32_t hash;
    int32_t length;
    char key[];                          /* NUL-terminated */
} map_entry_t;

typedef struct {
    map_entry_t **buckets;
    uint32_t bucket_count;               /* 0 or a power of two */
    uint32_t count;
    map_entry_t *first, *last;
} map_t;

/* The value of KEY, or NULL. */
void *map_get(const map_t *map, wire_string_t key);

/* Sets KEY's value, which keeps its place when it was there already; returns
 * the former value or NULL. */
void *map_put(map_t *map, wire_string_t key, void *value);

/* Takes KEY out; returns its value or NULL. */
void *map_remove(map_t *map, wire_string_t key);

/* Frees the entries and keys, not the values; the map is empty then. */
void map_free(map_t *map);

static inline wire_string_t map_key(const map_entry_t *entry)
{
    return (wire_string_t){ entry->key, entry->length };
}

#endif
