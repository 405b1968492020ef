/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C by ISA-L, which picks the CPU's own instructions at run time. ISA-L
 * leaves the inversion before and after to its caller, and counts in int.
 */
#include "record/crc32c.h"

#include <isa-l/crc.h>

#define CRC32C_STEP ((size_t)1 << 30)

uint32_t crc32c(uint32_t crc, const void *data, size_t length)
{
    /* ISA-L's prototype lacks the const; it only reads. */
    unsigned char *p = (unsigned char *)(uintptr_t)data;

    crc = ~crc;
    while (length > CRC32C_STEP) {
        crc = crc32_iscsi(p, (int)CRC32C_STEP, crc);
        p += CRC32C_STEP;
        length -= CRC32C_STEP;
    }
    return ~crc32_iscsi(p, (int)length, crc);
}
