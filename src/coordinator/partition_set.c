/* SPDX-License-Identifier: Apache-2.0 */
/* Sorted sets of partitions. */
#include "coordinator/partition_set.h"

#include "coordinator/memory.h"

static int compare(const set_item_t *a, const wire_uuid_t *topic,
                   int32_t partition)
{
    int order = memcmp(a->topic.bytes, topic->bytes, sizeof topic->bytes);

    if (order != 0)
        return order;
    return a->partition < partition ? -1 : a->partition > partition;
}

/* Where the partition is, or would be. */
static int32_t place(const partition_set_t *set, const wire_uuid_t *topic,
                     int32_t partition)
{
    int32_t low = 0, high = set->count;

    /* Most are added in order. */
    if (high > 0 && compare(&set->items[high - 1], topic, partition) < 0)
        return high;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;

        if (compare(&set->items[middle], topic, partition) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int is_at(const partition_set_t *set, int32_t at,
                 const wire_uuid_t *topic, int32_t partition)
{
    return at < set->count && compare(&set->items[at], topic, partition) == 0;
}

void set_add(partition_set_t *set, const wire_uuid_t *topic,
             int32_t partition, int32_t epoch)
{
    int32_t at = place(set, topic, partition);

    if (is_at(set, at, topic, partition))
        return;
    if (set->count == set->capacity) {
        set->capacity = set->capacity ? 2 * set->capacity : 4;
        set->items = memory_resize(set->items, (size_t)set->capacity *
                                                   sizeof *set->items);
    }
    memmove(&set->items[at + 1], &set->items[at],
            (size_t)(set->count - at) * sizeof *set->items);
    set->items[at] = (set_item_t){ *topic, partition, epoch };
    set->count++;
}

const set_item_t *set_find(const partition_set_t *set,
                           const wire_uuid_t *topic, int32_t partition)
{
    int32_t at = place(set, topic, partition);

    return is_at(set, at, topic, partition) ? &set->items[at] : NULL;
}

int set_has(const partition_set_t *set, const wire_uuid_t *topic,
            int32_t partition)
{
    return set_find(set, topic, partition) != NULL;
}

int set_equal(const partition_set_t *a, const partition_set_t *b)
{
    if (a->count != b->count)
        return 0;
    for (int32_t i = 0; i < a->count; i++)
        if (compare(&a->items[i], &b->items[i].topic, b->items[i].partition))
            return 0;
    return 1;
}

void set_select(partition_set_t *out, const partition_set_t *a,
                const partition_set_t *b, int keep)
{
    int32_t j = 0;

    for (int32_t i = 0; i < a->count; i++) {
        const set_item_t *item = &a->items[i];

        while (j < b->count &&
               compare(&b->items[j], &item->topic, item->partition) < 0)
            j++;
        if (is_at(b, j, &item->topic, item->partition) == keep)
            set_add(out, &item->topic, item->partition, item->epoch);
    }
}

void set_copy(partition_set_t *set, const partition_set_t *from)
{
    size_t size = (size_t)from->count * sizeof *from->items;

    set_free(set);
    if (from->count == 0)
        return;
    set->items = memory_new(size);
    memcpy(set->items, from->items, size);
    set->count = set->capacity = from->count;
}

void set_move(partition_set_t *set, partition_set_t *from)
{
    set_free(set);
    *set = *from;
    memset(from, 0, sizeof *from);
}

void set_free(partition_set_t *set)
{
    free(set->items);
    memset(set, 0, sizeof *set);
}

int32_t set_topic_end(const partition_set_t *set, int32_t at)
{
    int32_t end = at;

    while (end < set->count &&
           wire_uuid_equal(&set->items[end].topic, &set->items[at].topic))
        end++;
    return end;
}

int32_t set_topic_count(const partition_set_t *set)
{
    int32_t count = 0;

    for (int32_t at = 0; at < set->count; at = set_topic_end(set, at))
        count++;
    return count;
}

int32_t *set_partitions(const partition_set_t *set, int32_t at, int32_t end,
                        apr_pool_t *pool)
{
    int32_t *partitions =
        apr_palloc(pool, (apr_size_t)(end - at) * sizeof *partitions);

    for (int32_t i = at; i < end; i++)
        partitions[i - at] = set->items[i].partition;
    return partitions;
}
