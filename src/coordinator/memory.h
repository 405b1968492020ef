/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of the coordinators' state. Groups, members and offsets come and go
 * for as long as the broker runs, so they are allocated one by one and freed
 * by name; a pool would only grow. A broker that is out of memory for them
 * cannot go on: the assertion stops it, and it replays at the next start.
 */
#ifndef TAKHIN_COORDINATOR_MEMORY_H
#define TAKHIN_COORDINATOR_MEMORY_H

#include <apr_errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/out_of_memory.h"
#include "protocol/wire.h"

/* SIZE zeroed bytes: free() them. */
static inline void *memory_new(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);

    if (memory == NULL)
        out_of_memory(APR_ENOMEM);
    return memory;
}

static inline void *memory_resize(void *memory, size_t size)
{
    memory = realloc(memory, size > 0 ? size : 1);
    if (memory == NULL)
        out_of_memory(APR_ENOMEM);
    return memory;
}

/* Copies that free themselves by text_free and bytes_free; null stays null. */
static inline wire_string_t text_copy(wire_string_t text)
{
    wire_string_t copy = WIRE_STRING_NULL;

    if (text.length >= 0) {
        char *data = memory_new((size_t)text.length + 1);

        if (text.length > 0)
            memcpy(data, text.data, (size_t)text.length);
        copy.data = data;
        copy.length = text.length;
    }
    return copy;
}

static inline void text_free(wire_string_t *text)
{
    free((void *)text->data);
    *text = WIRE_STRING_NULL;
}

/* Puts a copy of TEXT in the place of what *KEPT owns. */
static inline void text_replace(wire_string_t *kept, wire_string_t text)
{
    wire_string_t copy = text_copy(text);

    text_free(kept);
    *kept = copy;
}

static inline wire_bytes_t bytes_copy(wire_bytes_t bytes)
{
    wire_bytes_t copy = WIRE_BYTES_NULL;

    if (bytes.length >= 0) {
        uint8_t *data = memory_new((size_t)bytes.length);

        if (bytes.length > 0)
            memcpy(data, bytes.data, (size_t)bytes.length);
        copy.data = data;
        copy.length = bytes.length;
    }
    return copy;
}

static inline void bytes_free(wire_bytes_t *bytes)
{
    free((void *)bytes->data);
    *bytes = WIRE_BYTES_NULL;
}

static inline void bytes_replace(wire_bytes_t *kept, wire_bytes_t bytes)
{
    wire_bytes_t copy = bytes_copy(bytes);

    bytes_free(kept);
    *kept = copy;
}

#endif
