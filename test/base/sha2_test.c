/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of FIPS 180-4's examples and of RFC 4231. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/sha2.h"

static const char *hex(const uint8_t *digest, int length)
{
    static char text[2 * SHA2_MAX + 1];

    for (int i = 0; i < length; i++)
        sprintf(text + 2 * i, "%02x", digest[i]);
    return text;
}

static const char *digest(sha2_t which, const char *data, apr_size_t length)
{
    uint8_t out[SHA2_MAX];

    sha2_digest(which, data, length, out);
    return hex(out, which);
}

static void short_messages_have_the_digests_of_the_standard(void)
{
    CU_ASSERT_STRING_EQUAL(
        digest(SHA2_256, "abc", 3),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CU_ASSERT_STRING_EQUAL(
        digest(SHA2_256, "", 0),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CU_ASSERT_STRING_EQUAL(
        digest(SHA2_512, "abc", 3),
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

/* The padding takes another block from 56 bytes on (112 of SHA-512). */
static void every_length_around_a_block_is_padded_right(void)
{
    char data[300];
    uint8_t chain[SHA2_MAX] = {0};

    memset(data, 'a', sizeof(data));
    CU_ASSERT_STRING_EQUAL(
        digest(SHA2_256, data, 64),
        "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
    for (apr_size_t length = 0; length < sizeof(data); length++) {
        memcpy(data, chain, SHA2_256);
        sha2_digest(SHA2_256, data, length, chain);
    }
    CU_ASSERT_STRING_EQUAL(hex(chain, SHA2_256), "daf873de4d86629d73b834b166c71ddc299730b8420117d13f902ef3005fde4f");
    memset(data, 'a', sizeof(data));
    memset(chain, 0, sizeof(chain));
    for (apr_size_t length = 0; length < sizeof(data); length++) {
        memcpy(data, chain, SHA2_512);
        sha2_digest(SHA2_512, data, length, chain);
    }
    CU_ASSERT_STRING_EQUAL(hex(chain, 16), "f10b0878a7ba22b43e132d601b267215");
}

static void hmac_has_the_digests_of_rfc_4231(void)
{
    uint8_t key[131], out[SHA2_MAX];
    const char *data = "what do ya want for nothing?";

    sha2_hmac(SHA2_256, "Jefe", 4, data, strlen(data), out);
    CU_ASSERT_STRING_EQUAL(
        hex(out, SHA2_256),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    data = "Test Using Larger Than Block-Size Key - Hash Key First";
    sha2_hmac(SHA2_512, key, sizeof(key), data, strlen(data), out);
    CU_ASSERT_STRING_EQUAL(
        hex(out, SHA2_512),
        "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
        "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598");
}

UNIT_MAIN(UNIT_TEST(short_messages_have_the_digests_of_the_standard),
          UNIT_TEST(every_length_around_a_block_is_padded_right),
          UNIT_TEST(hmac_has_the_digests_of_rfc_4231))
