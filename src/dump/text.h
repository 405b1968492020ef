/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows, in a pool, always with a zero behind it. */
#ifndef TAKHIN_DUMP_TEXT_H
#define TAKHIN_DUMP_TEXT_H

#include <apr_pools.h>
#include <stdint.h>

typedef struct {
    char *data;
    apr_size_t length;
    apr_size_t capacity;
    apr_pool_t *pool;
} text_t;

void text_init(text_t *text, apr_pool_t *pool);
void text_add(text_t *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Bytes in quotes, what is not printable as \xNN; at most MOST of them, and
 * how many more there are. LENGTH -1: null. */
void text_add_bytes(text_t *text, const void *data, int32_t length,
                    int32_t most);

#endif
