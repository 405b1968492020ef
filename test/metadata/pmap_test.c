/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <apr_atomic.h>
#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metadata/pmap.h"

typedef struct {
    pmap_value_t value;
    int number;
    char key[16];
} item_t;

static int alive; /* items that were made and not destroyed */

static apr_size_t item_key(const pmap_value_t *value, const void **key)
{
    *key = ((const item_t *)value)->key;
    return strlen(((const item_t *)value)->key);
}

static void item_destroy(pmap_value_t *value)
{
    alive--;
    free(value);
}

static const pmap_type_t items = {item_key, item_destroy};

static void put(pmap_t *map, uint64_t edit, int key, int number)
{
    item_t *item = malloc(sizeof(*item));

    alive++;
    pmap_value_init(&item->value);
    item->number = number;
    snprintf(item->key, sizeof(item->key), "%d", key);
    UNIT_OK(pmap_put(map, edit, &item->value));
    pmap_value_release(&items, &item->value);
}

static void drop(pmap_t *map, uint64_t edit, int key)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", key);
    UNIT_OK(pmap_remove(map, edit, text, strlen(text)));
}

/* The number under KEY, or -1. */
static int get(const pmap_t *map, int key)
{
    char text[16];
    const item_t *item;

    snprintf(text, sizeof(text), "%d", key);
    item = (const item_t *)pmap_get(map, text, strlen(text));
    return item ? item->number : -1;
}

static apr_status_t add_up(void *baton, pmap_value_t *value)
{
    *(int64_t *)baton += ((item_t *)value)->number;
    return APR_SUCCESS;
}

static void finds_what_was_put_and_not_what_was_removed(void)
{
    enum { KEYS = 1000, STEPS = 50000 };
    static int model[KEYS];
    pmap_t map;
    apr_size_t count = 0;
    int64_t sum = 0;
    int64_t walked = 0;
    uint32_t random = 7;
    int wrong = 0;

    pmap_init(&map, &items);
    for (int i = 0; i < KEYS; i++)
        model[i] = -1;
    for (int i = 0; i < STEPS; i++) {
        int key;

        random = random * 1664525u + 1013904223u;
        key = (int)(random >> 8) % KEYS;
        if (random >> 30) {
            put(&map, (uint64_t)(i / 100), key, i);
            model[key] = i;
        } else {
            drop(&map, (uint64_t)(i / 100), key);
            model[key] = -1;
        }
    }
    for (int i = 0; i < KEYS; i++) {
        wrong += get(&map, i) != model[i];
        count += model[i] >= 0;
        sum += model[i] >= 0 ? model[i] : 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(map.count, count);
    UNIT_OK(pmap_each(&map, add_up, &walked));
    CU_ASSERT_EQUAL(walked, sum);
    pmap_release(&map);
    CU_ASSERT_EQUAL(alive, 0);
}

/* 300,000 keys have some of the same 32-bit hash among them. */
static void keys_of_equal_hash_are_told_apart(void)
{
    enum { KEYS = 300000 };
    pmap_t map;
    int wrong = 0;

    pmap_init(&map, &items);
    for (int i = 0; i < KEYS; i++)
        put(&map, 1, i, i);
    CU_ASSERT_EQUAL(map.count, KEYS);
    for (int i = 0; i < KEYS; i += 2)
        drop(&map, 1, i);
    for (int i = 0; i < KEYS; i++)
        wrong += get(&map, i) != (i % 2 ? i : -1);
    CU_ASSERT_EQUAL(wrong, 0);
    for (int i = 1; i < KEYS; i += 2)
        drop(&map, 2, i);
    CU_ASSERT_EQUAL(map.count, 0);
    pmap_release(&map);
    CU_ASSERT_EQUAL(alive, 0);
}

static void a_copy_does_not_see_later_changes(void)
{
    pmap_t map;
    pmap_t copies[10];
    int wrong = 0;

    pmap_init(&map, &items);
    for (int i = 0; i < 1000; i++)
        put(&map, 1, i, 0);
    for (int c = 0; c < 10; c++) {
        pmap_copy(&copies[c], &map);
        for (int i = 0; i < 1000; i++) {
            if (i % 10 == c)
                drop(&map, (uint64_t)c + 2, i);
            else
                put(&map, (uint64_t)c + 2, i, c + 1);
        }
    }
    for (int c = 0; c < 10; c++) {
        for (int i = 0; i < 1000; i++) {
            int gone = c > 0 && i % 10 == c - 1;

            wrong += get(&copies[c], i) != (gone ? -1 : c);
        }
        pmap_release(&copies[c]);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    pmap_release(&map);
    CU_ASSERT_EQUAL(alive, 0);
}

UNIT_MAIN(UNIT_TEST(finds_what_was_put_and_not_what_was_removed),
          UNIT_TEST(keys_of_equal_hash_are_told_apart),
          UNIT_TEST(a_copy_does_not_see_later_changes))
