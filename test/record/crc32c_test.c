/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C: the one the build picked, and the portable one beside it. */
#include "unit.h"

#include <string.h>

#define crc32c crc32c_portable
#include "record/crc32c_portable.c"
#undef crc32c
uint32_t crc32c(uint32_t crc, const void *data, size_t length);

static void the_check_value_is_right(void)
{
    CU_ASSERT_EQUAL(crc32c(0, "123456789", 9), 0xE3069283u);
    CU_ASSERT_EQUAL(crc32c_portable(0, "123456789", 9), 0xE3069283u);
}

/* RFC 3720, appendix B.4 */
static void the_vectors_of_rfc_3720_are_right(void)
{
    uint8_t bytes[32];

    memset(bytes, 0, sizeof bytes);
    CU_ASSERT_EQUAL(crc32c(0, bytes, 32), 0x8A9136AAu);
    memset(bytes, 0xff, sizeof bytes);
    CU_ASSERT_EQUAL(crc32c(0, bytes, 32), 0x62A8AB43u);
    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    CU_ASSERT_EQUAL(crc32c(0, bytes, 32), 0x46DD794Eu);
    CU_ASSERT_EQUAL(crc32c_portable(0, bytes, 32), 0x46DD794Eu);
}

static void nothing_has_checksum_0(void)
{
    CU_ASSERT_EQUAL(crc32c(0, "", 0), 0);
    CU_ASSERT_EQUAL(crc32c_portable(0, "", 0), 0);
}

static void both_agree_at_every_length_alignment_and_split(void)
{
    uint8_t bytes[300];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 131 + (i >> 3));
    for (size_t from = 0; from < 9; from++)
        for (size_t length = 0; length <= sizeof bytes - from; length++) {
            const uint8_t *p = bytes + from;
            uint32_t whole = crc32c(0, p, length);
            size_t cut = length / 3;
            CU_ASSERT_EQUAL(crc32c_portable(0, p, length), whole);
            CU_ASSERT_EQUAL(crc32c(crc32c(0, p, cut), p + cut, length - cut),
                            whole);
            CU_ASSERT_EQUAL(crc32c_portable(crc32c_portable(0, p, cut), p + cut,
                                            length - cut),
                            whole);
        }
}

UNIT_MAIN(UNIT_TEST(the_check_value_is_right),
          UNIT_TEST(the_vectors_of_rfc_3720_are_right),
          UNIT_TEST(nothing_has_checksum_0),
          UNIT_TEST(both_agree_at_every_length_alignment_and_split))
