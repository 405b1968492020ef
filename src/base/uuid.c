/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDs as Kafka writes them. It never decides what a UUID stands for. */
#include "base/uuid.h"

#include <apr_general.h>
#include <string.h>

#include "base/error.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *uuid_to_text(char text[UUID_TEXT_LENGTH + 1],
                   const uint8_t bytes[UUID_SIZE])
{
    uint32_t bits = 0;
    int held = 0;
    int at = 0;

    for (int i = 0; i < UUID_SIZE; i++) {
        bits = bits << 8 | bytes[i];
        held += 8;
        while (held >= 6) {
            held -= 6;
            text[at++] = alphabet[bits >> held & 63];
        }
    }
    text[at++] = alphabet[bits << (6 - held) & 63];
    text[at] = '\0';
    return text;
}

apr_status_t uuid_from_text(uint8_t bytes[UUID_SIZE], const char *text,
                            apr_size_t length)
{
    uint32_t bits = 0;
    int held = 0;
    int at = 0;

    if (length == UUID_TEXT_LENGTH + 2
        && memcmp(text + UUID_TEXT_LENGTH, "==", 2) == 0)
        length = UUID_TEXT_LENGTH;
    if (length != UUID_TEXT_LENGTH)
        return TAKHIN_ECORRUPT;
    for (apr_size_t i = 0; i < length; i++) {
        const char *digit = text[i] ? strchr(alphabet, text[i]) : NULL;

        if (!digit)
            return TAKHIN_ECORRUPT;
        bits = bits << 6 | (uint32_t)(digit - alphabet);
        held += 6;
        if (held >= 8) {
            held -= 8;
            if (at < UUID_SIZE)
                bytes[at++] = (uint8_t)(bits >> held);
        }
    }
    return APR_SUCCESS;
}

apr_status_t uuid_random(uint8_t bytes[UUID_SIZE])
{
    char text[UUID_TEXT_LENGTH + 1];
    apr_status_t status;

    do {
        status = apr_generate_random_bytes(bytes, UUID_SIZE);
        if (status)
            return status;
        bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
        bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    } while (uuid_to_text(text, bytes)[0] == '-');
    return APR_SUCCESS;
}

int uuid_is_zero(const uint8_t bytes[UUID_SIZE])
{
    static const uint8_t zero[UUID_SIZE];

    return memcmp(bytes, zero, UUID_SIZE) == 0;
}
