/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed varints as Kafka's records have them: zigzag, seven bits a byte, the
 * lowest first. Reading never goes beyond END and refuses what does not fit
 * the type.
 */
#ifndef TAKHIN_BASE_VARINT_H
#define TAKHIN_BASE_VARINT_H

#include <stddef.h>
#include <stdint.h>

#define VARINT_MAX  5  /* bytes of a 32-bit one */
#define VARLONG_MAX 10 /* bytes of a 64-bit one */

/* Reads at P a number of up to BITS bits into *VALUE; returns where it ends,
 * or NULL when it is cut, too long or too large. */
static inline const uint8_t *
varint_get_raw(const uint8_t *p, const uint8_t *end, int bits, uint64_t *value)
{
    uint64_t result = 0;

    for (int shift = 0; shift < bits; shift += 7) {
        if (p == end)
            return NULL;
        uint64_t byte = *p++;
        if (shift + 7 > bits && (byte & 0x7f) >> (bits - shift))
            return NULL;
        result |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = result;
            return p;
        }
    }
    return NULL;
}

static inline int64_t varint_unzigzag(uint64_t raw)
{
    return (int64_t)(raw >> 1 ^ (0 - (raw & 1)));
}

static inline uint64_t varint_zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

static inline const uint8_t *varint_get(const uint8_t *p, const uint8_t *end,
                                        int32_t *value)
{
    uint64_t raw;

    if (p != end && p[0] < 0x80) { /* nearly all are one byte */
        *value = (int32_t)varint_unzigzag(p[0]);
        return p + 1;
    }
    if (end - p >= 2 && p[1] < 0x80) { /* and most others two */
        *value = (int32_t)varint_unzigzag((p[0] & 0x7fu) | (uint32_t)p[1] << 7);
        return p + 2;
    }
    p = varint_get_raw(p, end, 32, &raw);
    if (p)
        *value = (int32_t)varint_unzigzag(raw);
    return p;
}

static inline const uint8_t *varlong_get(const uint8_t *p, const uint8_t *end,
                                         int64_t *value)
{
    uint64_t raw;

    if (p != end && p[0] < 0x80) {
        *value = varint_unzigzag(p[0]);
        return p + 1;
    }
    p = varint_get_raw(p, end, 64, &raw);
    if (p)
        *value = varint_unzigzag(raw);
    return p;
}

/* Writes VALUE at P, which has room; returns where it ends. Serves 32-bit
 * values as well: they come out the same. */
static inline uint8_t *varint_put(uint8_t *p, int64_t value)
{
    uint64_t raw = varint_zigzag(value);

    for (; raw >= 0x80; raw >>= 7)
        *p++ = (uint8_t)(raw | 0x80);
    *p++ = (uint8_t)raw;
    return p;
}

/* Bytes that varint_put writes. */
static inline size_t varint_size(int64_t value)
{
    size_t size = 1;

    for (uint64_t raw = varint_zigzag(value); raw >= 0x80; raw >>= 7)
        size++;
    return size;
}

#endif
