/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-2 as FIPS 180-4 has it. Both widths walk the same rounds; the constants
 * of SHA-256 are the upper halves of SHA-512's. It must never allocate, and
 * leaves no key on the stack.
 */
#include "base/sha2.h"

#include <string.h>

/* Cube roots of the first 80 primes: 64 bits of the fraction. */
static const uint64_t constants[80] = {
    0x428a2f98d728ae22u, 0x7137449123ef65cdu, 0xb5c0fbcfec4d3b2fu,
    0xe9b5dba58189dbbcu, 0x3956c25bf348b538u, 0x59f111f1b605d019u,
    0x923f82a4af194f9bu, 0xab1c5ed5da6d8118u, 0xd807aa98a3030242u,
    0x12835b0145706fbeu, 0x243185be4ee4b28cu, 0x550c7dc3d5ffb4e2u,
    0x72be5d74f27b896fu, 0x80deb1fe3b1696b1u, 0x9bdc06a725c71235u,
    0xc19bf174cf692694u, 0xe49b69c19ef14ad2u, 0xefbe4786384f25e3u,
    0x0fc19dc68b8cd5b5u, 0x240ca1cc77ac9c65u, 0x2de92c6f592b0275u,
    0x4a7484aa6ea6e483u, 0x5cb0a9dcbd41fbd4u, 0x76f988da831153b5u,
    0x983e5152ee66dfabu, 0xa831c66d2db43210u, 0xb00327c898fb213fu,
    0xbf597fc7beef0ee4u, 0xc6e00bf33da88fc2u, 0xd5a79147930aa725u,
    0x06ca6351e003826fu, 0x142929670a0e6e70u, 0x27b70a8546d22ffcu,
    0x2e1b21385c26c926u, 0x4d2c6dfc5ac42aedu, 0x53380d139d95b3dfu,
    0x650a73548baf63deu, 0x766a0abb3c77b2a8u, 0x81c2c92e47edaee6u,
    0x92722c851482353bu, 0xa2bfe8a14cf10364u, 0xa81a664bbc423001u,
    0xc24b8b70d0f89791u, 0xc76c51a30654be30u, 0xd192e819d6ef5218u,
    0xd69906245565a910u, 0xf40e35855771202au, 0x106aa07032bbd1b8u,
    0x19a4c116b8d2d0c8u, 0x1e376c085141ab53u, 0x2748774cdf8eeb99u,
    0x34b0bcb5e19b48a8u, 0x391c0cb3c5c95a63u, 0x4ed8aa4ae3418acbu,
    0x5b9cca4f7763e373u, 0x682e6ff3d6b2b8a3u, 0x748f82ee5defb2fcu,
    0x78a5636f43172f60u, 0x84c87814a1f0ab72u, 0x8cc702081a6439ecu,
    0x90befffa23631e28u, 0xa4506cebde82bde9u, 0xbef9a3f7b2c67915u,
    0xc67178f2e372532bu, 0xca273eceea26619cu, 0xd186b8c721c0c207u,
    0xeada7dd6cde0eb1eu, 0xf57d4f7fee6ed178u, 0x06f067aa72176fbau,
    0x0a637dc5a2c898a6u, 0x113f9804bef90daeu, 0x1b710b35131c471bu,
    0x28db77f523047d84u, 0x32caab7b40c72493u, 0x3c9ebe0a15c9bebcu,
    0x431d67c49c100d4cu, 0x4cc5d4becb3e42b6u, 0x597f299cfc657e2au,
    0x5fcb6fab3ad6faecu, 0x6c44198c4a475817u};

/* Square roots of the first 8 primes. */
static const uint32_t start_256[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u,
                                      0xa54ff53au, 0x510e527fu, 0x9b05688cu,
                                      0x1f83d9abu, 0x5be0cd19u};
static const uint64_t start_512[8] = {0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu,
                                      0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
                                      0x510e527fade682d1u, 0x9b05688c2b3e6c1fu,
                                      0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u};

#define ROTATE(x, n, width) ((x) >> (n) | (x) << ((width) - (n)))

#define CHOOSE(x, y, z)   (((x) & (y)) ^ (~(x) & (z)))
#define MAJORITY(x, y, z) (((x) & (y)) ^ ((x) & (z)) ^ ((y) & (z)))

/* One block: WORD is the width's type, the rest its rotations. */
#define COMPRESS(name, word, width, rounds, shift, a0, a1, a2, e0, e1, e2, w0, \
                 w1, w2, v0, v1, v2)                                           \
    static void name(word state[8], const uint8_t *block)                      \
    {                                                                          \
        word w[rounds], s[8];                                                  \
                                                                               \
        for (int i = 0; i < 16; i++) {                                         \
            w[i] = 0;                                                          \
            for (int j = 0; j < (width) / 8; j++)                              \
                w[i] = w[i] << 8 | *block++;                                   \
        }                                                                      \
        for (int i = 16; i < (rounds); i++) {                                  \
            word x = w[i - 15], y = w[i - 2];                                  \
                                                                               \
            w[i] = w[i - 16] + w[i - 7] +                                      \
                   (ROTATE(x, w0, width) ^ ROTATE(x, w1, width) ^ x >> (w2)) + \
                   (ROTATE(y, v0, width) ^ ROTATE(y, v1, width) ^ y >> (v2));  \
        }                                                                      \
        memcpy(s, state, sizeof(s));                                           \
        for (int i = 0; i < (rounds); i++) {                                   \
            word e = s[4], a = s[0];                                           \
            word t1 = s[7] + CHOOSE(e, s[5], s[6]) + w[i] +                    \
                      (word)(constants[i] >> (shift)) +                        \
                      (ROTATE(e, e0, width) ^ ROTATE(e, e1, width) ^           \
                       ROTATE(e, e2, width));                                  \
            word t2 = MAJORITY(a, s[1], s[2]) + (ROTATE(a, a0, width) ^        \
                                                 ROTATE(a, a1, width) ^        \
                                                 ROTATE(a, a2, width));        \
                                                                               \
            memmove(s + 1, s, 7 * sizeof(*s));                                 \
            s[4] += t1;                                                        \
            s[0] = t1 + t2;                                                    \
        }                                                                      \
        for (int i = 0; i < 8; i++)                                            \
            state[i] += s[i];                                                  \
    }

COMPRESS(compress_256, uint32_t, 32, 64, 32, 2, 13, 22, 6, 11, 25, 7, 18, 3, 17,
         19, 10)
COMPRESS(compress_512, uint64_t, 64, 80, 0, 28, 34, 39, 14, 18, 41, 1, 8, 7, 19,
         61, 6)

#define BLOCK_MAX 128

typedef struct {
    sha2_t which;
    union {
        uint32_t narrow[8];
        uint64_t wide[8];
    } state;
    uint8_t block[BLOCK_MAX];
    apr_size_t used; /* of the block */
    uint64_t length; /* in bytes */
} hash_t;

static apr_size_t block_size(sha2_t which)
{
    return which == SHA2_256 ? 64 : 128;
}

static void begin(hash_t *hash, sha2_t which)
{
    memset(hash, 0, sizeof(*hash));
    hash->which = which;
    if (which == SHA2_256)
        memcpy(hash->state.narrow, start_256, sizeof(start_256));
    else
        memcpy(hash->state.wide, start_512, sizeof(start_512));
}

static void add(hash_t *hash, const void *data, apr_size_t length)
{
    const uint8_t *from = data;

    hash->length += length;
    while (length > 0) {
        apr_size_t room = block_size(hash->which) - hash->used;
        apr_size_t step = length < room ? length : room;

        memcpy(hash->block + hash->used, from, step);
        hash->used += step;
        from += step;
        length -= step;
        if (step < room)
            return;
        if (hash->which == SHA2_256)
            compress_256(hash->state.narrow, hash->block);
        else
            compress_512(hash->state.wide, hash->block);
        hash->used = 0;
    }
}

/* The padding: a one, zeros, and the length in bits at the block's end. */
static void end(hash_t *hash, uint8_t *digest)
{
    static const uint8_t padding[BLOCK_MAX] = {0x80};
    apr_size_t size = block_size(hash->which), tail = size / 8;
    apr_size_t at = hash->used < size - tail ? size : 2 * size;
    uint64_t bits = hash->length * 8;
    uint8_t length[8];

    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    at -= hash->used + sizeof(length);
    add(hash, padding, at < BLOCK_MAX ? at : BLOCK_MAX);
    if (at > BLOCK_MAX)
        add(hash, padding + 1, at - BLOCK_MAX);
    add(hash, length, sizeof(length));
    for (int i = 0; i < (int)hash->which; i++)
        digest[i] =
            hash->which == SHA2_256
                ? (uint8_t)(hash->state.narrow[i / 4] >> (24 - 8 * (i % 4)))
                : (uint8_t)(hash->state.wide[i / 8] >> (56 - 8 * (i % 8)));
}

/* The compiler may not leave this out. */
static void forget(void *data, apr_size_t length)
{
    volatile uint8_t *byte = data;

    while (length-- > 0)
        *byte++ = 0;
}

void sha2_digest(sha2_t which, const void *data, apr_size_t length,
                 uint8_t digest[SHA2_MAX])
{
    hash_t hash;

    begin(&hash, which);
    add(&hash, data, length);
    end(&hash, digest);
    forget(&hash, sizeof(hash));
}

void sha2_hmac(sha2_t which, const void *key, apr_size_t key_length,
               const void *data, apr_size_t length, uint8_t digest[SHA2_MAX])
{
    uint8_t pad[BLOCK_MAX] = {0}, inner[SHA2_MAX];
    apr_size_t size = block_size(which);
    hash_t hash;

    if (key_length > size)
        sha2_digest(which, key, key_length, pad);
    else if (key_length > 0)
        memcpy(pad, key, key_length);
    for (apr_size_t i = 0; i < size; i++)
        pad[i] ^= 0x36;
    begin(&hash, which);
    add(&hash, pad, size);
    add(&hash, data, length);
    end(&hash, inner);
    for (apr_size_t i = 0; i < size; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    begin(&hash, which);
    add(&hash, pad, size);
    add(&hash, inner, (apr_size_t)which);
    end(&hash, digest);
    forget(pad, sizeof(pad));
    forget(&hash, sizeof(hash));
}
