/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kafka's UUIDs as text: 16 bytes in URL-safe base64 without padding, 22
 * characters. The bytes are those of the wire.
 */
#ifndef TAKHIN_BASE_UUID_H
#define TAKHIN_BASE_UUID_H

#include <apr_errno.h>
#include <stdint.h>

#define UUID_SIZE 16
#define UUID_TEXT_LENGTH 22

/* Writes 22 characters and a NUL to TEXT, and returns it. */
char *uuid_to_text(char text[UUID_TEXT_LENGTH + 1],
                   const uint8_t bytes[UUID_SIZE]);

/* Reads LENGTH characters; padding ("==") is accepted. TAKHIN_ECORRUPT when
 * they are not a UUID. */
apr_status_t uuid_from_text(uint8_t bytes[UUID_SIZE], const char *text,
                            apr_size_t length);

/* A random one (version 4, RFC 9562) that is none of Kafka's reserved ones and
 * whose text does not begin with '-', which command lines take for an option. */
apr_status_t uuid_random(uint8_t bytes[UUID_SIZE]);

/* All bytes 0: "no id" in the protocol. */
int uuid_is_zero(const uint8_t bytes[UUID_SIZE]);

#endif
