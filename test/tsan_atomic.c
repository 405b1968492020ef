/* SPDX-License-Identifier: Apache-2.0 */
/*
 * APR's atomic operations as the compiler's, for SANITIZE=thread only:
 * ThreadSanitizer does not see into libapr, and would miss the order that its
 * atomics give. The same contract as apr_atomic.h.
 */
#include <apr_atomic.h>

#define ATOMIC_OPERATIONS(bits)                                                \
    apr_uint##bits##_t apr_atomic_read##bits(                                  \
        volatile apr_uint##bits##_t *mem)                                      \
    {                                                                          \
        return __atomic_load_n(mem, __ATOMIC_SEQ_CST);                         \
    }                                                                          \
    void apr_atomic_set##bits(volatile apr_uint##bits##_t *mem,                \
                              apr_uint##bits##_t val)                          \
    {                                                                          \
        __atomic_store_n(mem, val, __ATOMIC_SEQ_CST);                          \
    }                                                                          \
    apr_uint##bits##_t apr_atomic_add##bits(                                   \
        volatile apr_uint##bits##_t *mem, apr_uint##bits##_t val)              \
    {                                                                          \
        return __atomic_fetch_add(mem, val, __ATOMIC_SEQ_CST);                 \
    }                                                                          \
    void apr_atomic_sub##bits(volatile apr_uint##bits##_t *mem,                \
                              apr_uint##bits##_t val)                          \
    {                                                                          \
        __atomic_fetch_sub(mem, val, __ATOMIC_SEQ_CST);                        \
    }                                                                          \
    apr_uint##bits##_t apr_atomic_inc##bits(                                   \
        volatile apr_uint##bits##_t *mem)                                      \
    {                                                                          \
        return __atomic_fetch_add(mem, 1, __ATOMIC_SEQ_CST);                   \
    }                                                                          \
    int apr_atomic_dec##bits(volatile apr_uint##bits##_t *mem)                 \
    {                                                                          \
        return __atomic_sub_fetch(mem, 1, __ATOMIC_SEQ_CST) != 0;              \
    }                                                                          \
    apr_uint##bits##_t apr_atomic_cas##bits(                                   \
        volatile apr_uint##bits##_t *mem, apr_uint##bits##_t with,             \
        apr_uint##bits##_t cmp)                                                \
    {                                                                          \
        __atomic_compare_exchange_n(mem, &cmp, with, 0, __ATOMIC_SEQ_CST,      \
                                    __ATOMIC_SEQ_CST);                         \
        return cmp;                                                            \
    }                                                                          \
    apr_uint##bits##_t apr_atomic_xchg##bits(                                  \
        volatile apr_uint##bits##_t *mem, apr_uint##bits##_t val)              \
    {                                                                          \
        return __atomic_exchange_n(mem, val, __ATOMIC_SEQ_CST);                \
    }

ATOMIC_OPERATIONS(32)
ATOMIC_OPERATIONS(64)

void *apr_atomic_casptr(volatile void **mem, void *with, const void *cmp)
{
    volatile void *expected = (volatile void *)cmp;

    __atomic_compare_exchange_n(mem, &expected, with, 0, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
    return (void *)expected;
}

void *apr_atomic_xchgptr(volatile void **mem, void *with)
{
    return (void *)__atomic_exchange_n(mem, with, __ATOMIC_SEQ_CST);
}
