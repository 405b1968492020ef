/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A persistent map: a hash trie (a compressed hash-array mapped prefix tree,
 * Steindorfer and Vinju 2015) whose copies share all that is equal. Copying one
 * is a reference; changing a copy allocates only the path to the change, so an
 * image of 100,000 topics and the next one differ by a few hundred bytes.
 *
 * Values are counted by reference and carry their key. What may be edited in
 * place is told by an edit number: whoever changes a map passes one that no map
 * seen by others was built with, so replaying a log of a million records
 * doesn't copy a million paths. A map that others can see never changes.
 *
 * Reading is safe from any thread that holds a reference; changing a map is
 * for one thread at a time.
 */
#ifndef TAKHIN_METADATA_PMAP_H
#define TAKHIN_METADATA_PMAP_H

#include <apr.h>
#include <apr_errno.h>
#include <stdint.h>

/* What every value begins with. */
typedef struct pmap_value_t {
    apr_uint32_t references;
} pmap_value_t;

typedef struct {
    /* Points *KEY to VALUE's key, which lives as long as VALUE. */
    apr_size_t (*key)(const pmap_value_t *value, const void **key);
    void (*destroy)(pmap_value_t *value);
} pmap_type_t;

typedef struct pmap_node_t pmap_node_t;

typedef struct {
    const pmap_type_t *type;
    pmap_node_t *root; /* NULL: empty */
    apr_size_t count;
} pmap_t;

/* Sets up a value with one reference, the caller's. */
void pmap_value_init(pmap_value_t *value);
void pmap_value_retain(pmap_value_t *value);
void pmap_value_release(const pmap_type_t *type, pmap_value_t *value);

void pmap_init(pmap_t *map, const pmap_type_t *type);

/* Makes COPY the same map as MAP; each is to be released. */
void pmap_copy(pmap_t *copy, const pmap_t *map);
void pmap_release(pmap_t *map);

/* The value of KEY, not retained; or NULL. */
pmap_value_t *pmap_get(const pmap_t *map, const void *key, apr_size_t length);

/* Puts VALUE (one more reference is taken) in place of any of the same key. */
apr_status_t pmap_put(pmap_t *map, uint64_t edit, pmap_value_t *value);

/* Removes KEY, if it is there. */
apr_status_t pmap_remove(pmap_t *map, uint64_t edit, const void *key,
                         apr_size_t length);

/* Calls EACH for every value until it returns something else than
 * APR_SUCCESS, which is then returned. */
typedef apr_status_t (*pmap_each_fn)(void *baton, pmap_value_t *value);
apr_status_t pmap_each(const pmap_t *map, pmap_each_fn each, void *baton);

#endif
