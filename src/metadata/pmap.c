/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash trie behind pmap.h. A node's slots are its values, in the order of
 * their bits in `values`, then its children, in the order of theirs in
 * `children`. Below the last level, where all bits of the hash are used, a node
 * is a plain list of values whose hashes are equal.
 *
 * It never changes a node whose edit number is not the caller's.
 */
#include "metadata/pmap.h"

#include <apr_atomic.h>
#include <stdlib.h>
#include <string.h>

#define BITS       5
#define FAN_OUT    (1u << BITS)
#define LAST_SHIFT 30 /* 32 bits of hash: levels 0, 5, ... 30 */

struct pmap_node_t {
    apr_uint32_t references;
    uint32_t values; /* below LAST_SHIFT: how many there are */
    uint32_t children;
    uint64_t edit;
    void *slots[];
};

/* Where one operation is: the key, and who edits. */
typedef struct {
    const pmap_type_t *type;
    uint64_t edit;
    const void *key;
    apr_size_t length;
    uint32_t hash;
    int changed; /* the number of values changes by this */
} seek_t;

static uint32_t hash_key(const void *key, apr_size_t length)
{
    const uint8_t *byte = key;
    uint64_t hash = 14695981039346656037u; /* FNV-1a, folded at the end */

    for (apr_size_t i = 0; i < length; i++)
        hash = (hash ^ byte[i]) * 1099511628211u;
    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15u;
    return (uint32_t)(hash >> 32);
}

static int count_bits(uint32_t bits)
{
    return __builtin_popcount(bits);
}

static int is_list(int shift)
{
    return shift > LAST_SHIFT;
}

static int value_count(const pmap_node_t *node, int shift)
{
    return is_list(shift) ? (int)node->values : count_bits(node->values);
}

static int child_count(const pmap_node_t *node)
{
    return count_bits(node->children);
}

static uint32_t bit_at(uint32_t hash, int shift)
{
    return 1u << ((hash >> shift) & (FAN_OUT - 1));
}

static int has_key(const seek_t *seek, const pmap_value_t *value)
{
    const void *key;
    apr_size_t length = seek->type->key(value, &key);

    return length == seek->length && memcmp(key, seek->key, length) == 0;
}

static seek_t seek_for(const pmap_t *map, uint64_t edit, const void *key,
                       apr_size_t length)
{
    seek_t seek = {map->type, edit, key, length, hash_key(key, length), 0};

    return seek;
}

/* ---- lifetime ------------------------------------------------------------ */

void pmap_value_init(pmap_value_t *value)
{
    apr_atomic_set32(&value->references, 1);
}

void pmap_value_retain(pmap_value_t *value)
{
    apr_atomic_inc32(&value->references);
}

void pmap_value_release(const pmap_type_t *type, pmap_value_t *value)
{
    if (value && apr_atomic_dec32(&value->references) == 0)
        type->destroy(value);
}

static void node_release(const pmap_type_t *type, pmap_node_t *node, int shift)
{
    int values;
    int children;

    if (!node || apr_atomic_dec32(&node->references) != 0)
        return;
    values = value_count(node, shift);
    children = child_count(node);
    for (int i = 0; i < values; i++)
        pmap_value_release(type, node->slots[i]);
    for (int i = 0; i < children; i++)
        node_release(type, node->slots[values + i], shift + BITS);
    free(node);
}

static pmap_node_t *node_new(uint64_t edit, int slots)
{
    pmap_node_t *node =
        malloc(sizeof(*node) + (apr_size_t)slots * sizeof(void *));

    if (!node)
        return NULL;
    apr_atomic_set32(&node->references, 1);
    node->edit = edit;
    node->values = 0;
    node->children = 0;
    return node;
}

/* Makes *AT a node that EDIT may change: itself, or a copy. */
static apr_status_t node_own(const pmap_type_t *type, pmap_node_t **at,
                             int shift, uint64_t edit)
{
    pmap_node_t *old = *at;
    int values = value_count(old, shift);
    int children = child_count(old);
    pmap_node_t *node;

    if (old->edit == edit)
        return APR_SUCCESS;
    node = node_new(edit, values + children);
    if (!node)
        return APR_ENOMEM;
    node->values = old->values;
    node->children = old->children;
    memcpy(node->slots, old->slots,
           (apr_size_t)(values + children) * sizeof(void *));
    for (int i = 0; i < values; i++)
        pmap_value_retain(node->slots[i]);
    for (int i = 0; i < children; i++)
        apr_atomic_inc32(&((pmap_node_t *)node->slots[values + i])->references);
    *at = node;
    node_release(type, old, shift);
    return APR_SUCCESS;
}

/* Opens a slot at WHERE in the owned node *AT of COUNT slots. */
static apr_status_t node_open(pmap_node_t **at, int count, int where)
{
    pmap_node_t *node =
        realloc(*at, sizeof(*node) + (apr_size_t)(count + 1) * sizeof(void *));

    if (!node)
        return APR_ENOMEM;
    memmove(node->slots + where + 1, node->slots + where,
            (apr_size_t)(count - where) * sizeof(void *));
    *at = node;
    return APR_SUCCESS;
}

/* Closes the slot at WHERE in an owned node of COUNT slots, whose memory stays
 * as it is: it is soon copied or filled again. */
static void node_close(pmap_node_t *node, int count, int where)
{
    memmove(node->slots + where, node->slots + where + 1,
            (apr_size_t)(count - where - 1) * sizeof(void *));
}

/* ---- look-up ------------------------------------------------------------- */

void pmap_init(pmap_t *map, const pmap_type_t *type)
{
    map->type = type;
    map->root = NULL;
    map->count = 0;
}

void pmap_copy(pmap_t *copy, const pmap_t *map)
{
    *copy = *map;
    if (copy->root)
        apr_atomic_inc32(&copy->root->references);
}

void pmap_release(pmap_t *map)
{
    node_release(map->type, map->root, 0);
    map->root = NULL;
    map->count = 0;
}

/* The slot of a value or child whose bit is BIT, among those before it. */
static int slot_below(uint32_t bitmap, uint32_t bit)
{
    return count_bits(bitmap & (bit - 1));
}

/* The list's slot that holds the key, or how many there are. */
static int list_find(const seek_t *seek, const pmap_node_t *list)
{
    int count = (int)list->values;

    for (int i = 0; i < count; i++) {
        if (has_key(seek, list->slots[i]))
            return i;
    }
    return count;
}

pmap_value_t *pmap_get(const pmap_t *map, const void *key, apr_size_t length)
{
    seek_t seek = seek_for(map, 0, key, length);
    const pmap_node_t *node = map->root;

    for (int shift = 0; node; shift += BITS) {
        uint32_t bit;

        if (is_list(shift)) {
            int at = list_find(&seek, node);

            return at < (int)node->values ? node->slots[at] : NULL;
        }
        bit = bit_at(seek.hash, shift);
        if (node->values & bit) {
            pmap_value_t *value = node->slots[slot_below(node->values, bit)];

            return has_key(&seek, value) ? value : NULL;
        }
        if (!(node->children & bit))
            return NULL;
        node = node->slots[count_bits(node->values) +
                           slot_below(node->children, bit)];
    }
    return NULL;
}

/* ---- change -------------------------------------------------------------- */

static apr_status_t node_put(seek_t *seek, pmap_node_t **at, int shift,
                             pmap_value_t *value);

static void replace_value(const seek_t *seek, pmap_node_t *node, int slot,
                          pmap_value_t *value)
{
    pmap_value_t *old = node->slots[slot];

    pmap_value_retain(value);
    node->slots[slot] = value;
    pmap_value_release(seek->type, old);
}

static apr_status_t list_put(seek_t *seek, pmap_node_t **at,
                             pmap_value_t *value)
{
    int slot = list_find(seek, *at);
    apr_status_t status;

    if (slot < (int)(*at)->values) {
        replace_value(seek, *at, slot, value);
        return APR_SUCCESS;
    }
    status = node_open(at, slot, slot);
    if (status)
        return status;
    pmap_value_retain(value);
    (*at)->slots[slot] = value;
    (*at)->values++;
    seek->changed = 1;
    return APR_SUCCESS;
}

/* Where two keys meet in one slot: the value that is there moves one level
 * down, into a new child that takes both. */
static apr_status_t split_value(seek_t *seek, pmap_node_t *node, int shift,
                                uint32_t bit, pmap_value_t *value)
{
    int values = count_bits(node->values);
    int slots = values + count_bits(node->children);
    int from = slot_below(node->values, bit);
    pmap_value_t *old = node->slots[from];
    pmap_node_t *child = node_new(seek->edit, 1);
    const void *key;
    apr_size_t length = seek->type->key(old, &key);
    apr_status_t status;

    if (!child)
        return APR_ENOMEM;
    child->values =
        is_list(shift + BITS) ? 1 : bit_at(hash_key(key, length), shift + BITS);
    child->slots[0] = old;
    pmap_value_retain(old); /* held twice until NODE gives up its own */
    status = node_put(seek, &child, shift + BITS, value);
    if (status) {
        node_release(seek->type, child, shift + BITS);
        return status;
    }
    /* One slot goes and one comes: the node keeps its size. */
    node_close(node, slots, from);
    node->values &= ~bit;
    node->children |= bit;
    values--;
    {
        int to = values + slot_below(node->children, bit);

        memmove(node->slots + to + 1, node->slots + to,
                (apr_size_t)(slots - 1 - to) * sizeof(void *));
        node->slots[to] = child;
    }
    pmap_value_release(seek->type, old);
    return APR_SUCCESS;
}

static apr_status_t node_put(seek_t *seek, pmap_node_t **at, int shift,
                             pmap_value_t *value)
{
    apr_status_t status = node_own(seek->type, at, shift, seek->edit);
    uint32_t bit;
    int slot;

    if (status)
        return status;
    if (is_list(shift))
        return list_put(seek, at, value);
    bit = bit_at(seek->hash, shift);
    slot = slot_below((*at)->values, bit);
    if ((*at)->values & bit) {
        if (!has_key(seek, (*at)->slots[slot]))
            return split_value(seek, *at, shift, bit, value);
        replace_value(seek, *at, slot, value);
        return APR_SUCCESS;
    }
    if ((*at)->children & bit) {
        pmap_node_t **child =
            (pmap_node_t **)&(*at)->slots[count_bits((*at)->values) +
                                          slot_below((*at)->children, bit)];

        return node_put(seek, child, shift + BITS, value);
    }
    status = node_open(at, value_count(*at, shift) + child_count(*at), slot);
    if (status)
        return status;
    pmap_value_retain(value);
    (*at)->slots[slot] = value;
    (*at)->values |= bit;
    seek->changed = 1;
    return APR_SUCCESS;
}

apr_status_t pmap_put(pmap_t *map, uint64_t edit, pmap_value_t *value)
{
    const void *key;
    apr_size_t length = map->type->key(value, &key);
    seek_t seek = seek_for(map, edit, key, length);
    apr_status_t status;

    if (!map->root) {
        map->root = node_new(edit, 0);
        if (!map->root)
            return APR_ENOMEM;
    }
    status = node_put(&seek, &map->root, 0, value);
    if (!status)
        map->count += (apr_size_t)seek.changed;
    return status;
}

/* Drops the value at SLOT of *AT. */
static void drop_value(seek_t *seek, pmap_node_t *node, int shift, int slot,
                       uint32_t bit)
{
    pmap_value_t *old = node->slots[slot];

    node_close(node, value_count(node, shift) + child_count(node), slot);
    if (is_list(shift))
        node->values--;
    else
        node->values &= ~bit;
    seek->changed = 1;
    pmap_value_release(seek->type, old);
}

/* The key is known to be there. A child that becomes empty goes; one that is
 * left with a single value stays: it is found as well, and the trie is not
 * compared with others by its shape. */
static apr_status_t node_remove(seek_t *seek, pmap_node_t **at, int shift)
{
    apr_status_t status = node_own(seek->type, at, shift, seek->edit);
    pmap_node_t *node = *at;
    pmap_node_t *child;
    uint32_t bit;
    int slot;

    if (status)
        return status;
    if (is_list(shift)) {
        drop_value(seek, node, shift, list_find(seek, node), 0);
        return APR_SUCCESS;
    }
    bit = bit_at(seek->hash, shift);
    if (node->values & bit) {
        drop_value(seek, node, shift, slot_below(node->values, bit), bit);
        return APR_SUCCESS;
    }
    slot = count_bits(node->values) + slot_below(node->children, bit);
    status =
        node_remove(seek, (pmap_node_t **)&node->slots[slot], shift + BITS);
    child = node->slots[slot];
    if (status || child->values || child->children)
        return status;
    node_close(node, count_bits(node->values) + child_count(node), slot);
    node->children &= ~bit;
    node_release(seek->type, child, shift + BITS);
    return APR_SUCCESS;
}

apr_status_t pmap_remove(pmap_t *map, uint64_t edit, const void *key,
                         apr_size_t length)
{
    seek_t seek = seek_for(map, edit, key, length);
    apr_status_t status;

    if (!pmap_get(map, key, length))
        return APR_SUCCESS;
    status = node_remove(&seek, &map->root, 0);
    if (!status)
        map->count--;
    return status;
}

/* ---- walk ---------------------------------------------------------------- */

static apr_status_t node_each(const pmap_node_t *node, int shift,
                              pmap_each_fn each, void *baton)
{
    int values = value_count(node, shift);
    int children = child_count(node);
    apr_status_t status;

    for (int i = 0; i < values; i++) {
        status = each(baton, node->slots[i]);
        if (status)
            return status;
    }
    for (int i = 0; i < children; i++) {
        status = node_each(node->slots[values + i], shift + BITS, each, baton);
        if (status)
            return status;
    }
    return APR_SUCCESS;
}

apr_status_t pmap_each(const pmap_t *map, pmap_each_fn each, void *baton)
{
    return map->root ? node_each(map->root, 0, each, baton) : APR_SUCCESS;
}
