/* SPDX-License-Identifier: Apache-2.0 */
/*
 * APR's atomics as the broker uses them: every operation is a full barrier,
 * so what a thread wrote before it is seen by who reads the new value.
 */
#ifndef TAKHIN_BASE_ATOMIC_H
#define TAKHIN_BASE_ATOMIC_H

#include <apr_atomic.h>

typedef volatile apr_uint32_t atomic_u32_t;
typedef volatile apr_uint64_t atomic_u64_t;

static inline apr_uint32_t atomic_get32(const atomic_u32_t *word)
{
    return apr_atomic_read32((atomic_u32_t *)word);
}

static inline void atomic_set32(atomic_u32_t *word, apr_uint32_t value)
{
    apr_atomic_set32(word, value);
}

/* Puts VALUE there; returns what was there. */
static inline apr_uint32_t atomic_swap32(atomic_u32_t *word, apr_uint32_t value)
{
    return apr_atomic_xchg32(word, value);
}

/* Puts TO there if FROM is there; whether it was. */
static inline int atomic_cas32(atomic_u32_t *word, apr_uint32_t from,
                               apr_uint32_t to)
{
    return apr_atomic_cas32(word, to, from) == from;
}

/* Adds BY, which may be negative; returns the new value. */
static inline apr_uint32_t atomic_add32(atomic_u32_t *word, apr_int32_t by)
{
    return apr_atomic_add32(word, (apr_uint32_t)by) + (apr_uint32_t)by;
}

static inline apr_uint64_t atomic_get64(const atomic_u64_t *word)
{
    return apr_atomic_read64((atomic_u64_t *)word);
}

static inline void atomic_set64(atomic_u64_t *word, apr_uint64_t value)
{
    apr_atomic_set64(word, value);
}

/* Adds BY, which may be negative; returns the new value. */
static inline apr_uint64_t atomic_add64(atomic_u64_t *word, apr_int64_t by)
{
    return apr_atomic_add64(word, (apr_uint64_t)by) + (apr_uint64_t)by;
}

#endif
