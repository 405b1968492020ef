/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows: see text.h. */
#include "dump/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void text_init(text_t *text, apr_pool_t *pool)
{
    text->pool = pool;
    text->capacity = 256;
    text->length = 0;
    text->data = apr_palloc(pool, text->capacity);
    text->data[0] = '\0';
}

/* Room for MORE bytes and the zero. */
static char *text_room(text_t *text, apr_size_t more)
{
    if (text->capacity - text->length <= more) {
        apr_size_t capacity = (text->length + more + 1) * 2;
        char *data = apr_palloc(text->pool, capacity);

        memcpy(data, text->data, text->length + 1);
        text->data = data;
        text->capacity = capacity;
    }
    return text->data + text->length;
}

void text_add(text_t *text, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        return; /* a format that cannot be: nothing to add */
    va_start(arguments, format);
    vsnprintf(text_room(text, (apr_size_t)length), (apr_size_t)length + 1,
              format, arguments);
    va_end(arguments);
    text->length += (apr_size_t)length;
}

void text_add_bytes(text_t *text, const void *data, int32_t length,
                    int32_t most)
{
    const uint8_t *bytes = data;
    int32_t shown = length < most ? length : most;
    char *p;

    if (length < 0) {
        text_add(text, "null");
        return;
    }
    p = text_room(text, (apr_size_t)shown * 4 + 2);
    *p++ = '"';
    for (int32_t i = 0; i < shown; i++) {
        if (bytes[i] == '"' || bytes[i] == '\\')
            *p++ = '\\';
        if (bytes[i] >= 0x20 && bytes[i] < 0x7f)
            *p++ = (char)bytes[i];
        else
            p += snprintf(p, 5, "\\x%02x", bytes[i]);
    }
    *p++ = '"';
    *p = '\0';
    text->length = (apr_size_t)(p - text->data);
    if (shown < length)
        text_add(text, "+%d", (int)(length - shown));
}
