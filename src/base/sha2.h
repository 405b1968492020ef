/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 and SHA-512 (FIPS 180-4) and HMAC over them (RFC 2104), for SCRAM's
 * keys. Constant in time for a given length. Any thread.
 */
#ifndef TAKHIN_BASE_SHA2_H
#define TAKHIN_BASE_SHA2_H

#include <apr.h>
#include <stdint.h>

typedef enum { SHA2_256 = 32, SHA2_512 = 64 } sha2_t; /* the digest's bytes */

#define SHA2_MAX 64

/* The digest of LENGTH bytes at DATA. */
void sha2_digest(sha2_t which, const void *data, apr_size_t length,
                 uint8_t digest[SHA2_MAX]);

/* HMAC of LENGTH bytes at DATA under a key of any length. */
void sha2_hmac(sha2_t which, const void *key, apr_size_t key_length,
               const void *data, apr_size_t length, uint8_t digest[SHA2_MAX]);

#endif
