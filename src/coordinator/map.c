/* SPDX-License-Identifier: Apache-2.0 */
/* The ordered hash map: chained buckets and one list through all entries. */
#include "coordinator/map.h"

#include "coordinator/memory.h"

enum { FIRST_BUCKETS = 8 };

/* FNV-1a. */
static uint32_t hash_of(wire_string_t key)
{
    uint32_t hash = 2166136261u;

    for (int32_t i = 0; i < key.length; i++)
        hash = (hash ^ (uint8_t)key.data[i]) * 16777619u;
    return hash;
}

/* Where the pointer to KEY's entry stands, or would. */
static map_entry_t **place(const map_t *map, wire_string_t key, uint32_t hash)
{
    map_entry_t **at = &map->buckets[hash & (map->bucket_count - 1)];

    while (*at && ((*at)->hash != hash || (*at)->length != key.length ||
                   memcmp((*at)->key, key.data, (size_t)key.length)))
        at = &(*at)->chain;
    return at;
}

static wire_string_t not_null(wire_string_t key)
{
    return key.length > 0 ? key : wire_string_literal("");
}

void *map_get(const map_t *map, wire_string_t key)
{
    map_entry_t *entry;

    if (map->count == 0)
        return NULL;
    key = not_null(key);
    entry = *place(map, key, hash_of(key));
    return entry ? entry->value : NULL;
}

static void grow(map_t *map)
{
    uint32_t count = map->bucket_count ? 2 * map->bucket_count : FIRST_BUCKETS;

    free(map->buckets);
    map->buckets = memory_new(count * sizeof *map->buckets);
    map->bucket_count = count;
    for (map_entry_t *entry = map->first; entry; entry = entry->next) {
        map_entry_t **bucket = &map->buckets[entry->hash & (count - 1)];

        entry->chain = *bucket;
        *bucket = entry;
    }
}

void *map_put(map_t *map, wire_string_t key, void *value)
{
    map_entry_t *entry, **at;
    uint32_t hash;
    void *former;

    key = not_null(key);
    hash = hash_of(key);
    if (map->count >= map->bucket_count)
        grow(map);
    at = place(map, key, hash);
    if (*at) {
        former = (*at)->value;
        (*at)->value = value;
        return former;
    }
    entry = memory_new(sizeof *entry + (size_t)key.length + 1);
    entry->value = value;
    entry->hash = hash;
    entry->length = key.length;
    memcpy(entry->key, key.data, (size_t)key.length);
    entry->previous = map->last;
    *(map->last ? &map->last->next : &map->first) = entry;
    map->last = entry;
    *at = entry;
    map->count++;
    return NULL;
}

void *map_remove(map_t *map, wire_string_t key)
{
    map_entry_t *entry, **at;
    void *value;

    if (map->count == 0)
        return NULL;
    key = not_null(key);
    at = place(map, key, hash_of(key));
    entry = *at;
    if (!entry)
        return NULL;
    *at = entry->chain;
    *(entry->previous ? &entry->previous->next : &map->first) = entry->next;
    *(entry->next ? &entry->next->previous : &map->last) = entry->previous;
    map->count--;
    value = entry->value;
    free(entry);
    return value;
}

void map_free(map_t *map)
{
    for (map_entry_t *entry = map->first, *next; entry; entry = next) {
        next = entry->next;
        free(entry);
    }
    free(map->buckets);
    memset(map, 0, sizeof *map);
}
