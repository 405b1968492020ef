/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C without a library or a special instruction: eight bytes a step
 * through eight tables ("slicing-by-8"). The tables are made at first use.
 */
#include "record/crc32c.h"

#include <apr_atomic.h>

#define CRC32C_POLYNOMIAL 0x82F63B78u /* reflected, RFC 3720 appendix B.4 */

static uint32_t crc32c_tables[8][256];

enum { TABLES_NONE, TABLES_BEING_MADE, TABLES_READY };
static volatile apr_uint32_t crc32c_state = TABLES_NONE;

static void crc32c_make_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? CRC32C_POLYNOMIAL : 0);
        crc32c_tables[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int slice = 1; slice < 8; slice++) {
            uint32_t crc = crc32c_tables[slice - 1][i];
            crc32c_tables[slice][i] = crc >> 8 ^ crc32c_tables[0][crc & 0xff];
        }
}

/* One thread makes the tables; who comes meanwhile waits its microseconds. */
static void crc32c_need_tables(void)
{
    while (apr_atomic_read32(&crc32c_state) != TABLES_READY)
        if (apr_atomic_cas32(&crc32c_state, TABLES_BEING_MADE, TABLES_NONE) ==
            TABLES_NONE) {
            crc32c_make_tables();
            apr_atomic_xchg32(&crc32c_state, TABLES_READY);
        }
}

static inline uint32_t crc32c_load(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t length)
{
    const uint8_t *p = data;
    uint32_t(*t)[256] = crc32c_tables;

    crc32c_need_tables();
    crc = ~crc;
    for (; length >= 8; p += 8, length -= 8) {
        uint32_t a = crc ^ crc32c_load(p), b = crc32c_load(p + 4);
        crc = t[7][a & 0xff] ^ t[6][a >> 8 & 0xff] ^ t[5][a >> 16 & 0xff] ^
              t[4][a >> 24] ^ t[3][b & 0xff] ^ t[2][b >> 8 & 0xff] ^
              t[1][b >> 16 & 0xff] ^ t[0][b >> 24];
    }
    for (; length; p++, length--)
        crc = crc >> 8 ^ t[0][(crc ^ *p) & 0xff];
    return ~crc;
}
