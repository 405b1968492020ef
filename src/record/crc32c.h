/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C (Castagnoli, RFC 3720), the checksum of record batches and of
 * producer snapshots. Two files implement it and the build picks one:
 * crc32c_isal.c with ISA-L, crc32c_portable.c with nothing.
 */
#ifndef TAKHIN_RECORD_CRC32C_H
#define TAKHIN_RECORD_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * The checksum of LENGTH bytes at DATA, behind bytes whose checksum is CRC (0
 * for none): crc32c(crc32c(0, a), b) == crc32c(0, ab). Any thread.
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t length);

#endif
