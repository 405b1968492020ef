/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 to code points, and names for members. */
#include "coordinator/text.h"

#include <apr_strings.h>

#include "base/assert.h"

enum { REPLACEMENT = 0xfffd };

/* Bytes of the sequence that FIRST begins, 0: none. */
static int sequence_length(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if (first >= 0xe0 && first < 0xf0)
        return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

uint32_t text_next_code(const uint8_t **p, const uint8_t *end)
{
    static const uint8_t mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    const uint8_t *at = *p;
    int length = sequence_length(*at);
    uint32_t code;

    (*p)++;
    if (length == 0 || end - at < length)
        return REPLACEMENT;
    code = *at & mask[length];
    for (int i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return REPLACEMENT;
        code = code << 6 | (at[i] & 0x3f);
    }
    *p = at + length;
    return code;
}

int32_t text_java_length(wire_string_t text)
{
    const uint8_t *p = (const uint8_t *)text.data;
    const uint8_t *end = p + (text.length > 0 ? text.length : 0);
    int32_t length = 0;

    while (p < end)
        length += text_next_code(&p, end) >= 0x10000 ? 2 : 1;
    return length;
}

wire_string_t text_member_id(wire_string_t prefix, apr_pool_t *pool)
{
    uint8_t u[UUID_SIZE];
    char *text;

    TAKHIN_ASSERT(!uuid_random(u));
    text = apr_psprintf(
        pool,
        "%.*s-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
        "%02x%02x%02x%02x%02x%02x",
        prefix.length > 0 ? (int)prefix.length : 0,
        prefix.length > 0 ? prefix.data : "", u[0], u[1], u[2], u[3], u[4],
        u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
    return wire_string_from(text);
}

/* Java's String.hashCode: over UTF-16, of which UTF-8 is decoded here; what is
 * no UTF-8 counts as U+FFFD, as Java would have read it. */
static uint32_t java_hash(wire_string_t text)
{
    const uint8_t *p = (const uint8_t *)text.data;
    const uint8_t *end = p + (text.length > 0 ? text.length : 0);
    uint32_t hash = 0;

    while (p < end) {
        uint32_t code = text_next_code(&p, end);

        if (code >= 0x10000) {
            hash = 31 * hash + (0xd800 + ((code - 0x10000) >> 10));
            code = 0xdc00 + ((code - 0x10000) & 0x3ff);
        }
        hash = 31 * hash + code;
    }
    return hash;
}

int32_t text_java_shard(wire_string_t text, int32_t count)
{
    int32_t hash = (int32_t)java_hash(text);

    if (hash == INT32_MIN)
        hash = 0;
    else if (hash < 0)
        hash = -hash;
    return hash % count;
}
