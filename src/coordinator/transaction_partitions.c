/* SPDX-License-Identifier: Apache-2.0 */
/* The partitions of a transaction, a sorted array. */
#include "coordinator/transaction_partitions.h"

#include "coordinator/memory.h"

static int compare(const transaction_partition_t *item, wire_string_t topic,
                   int32_t index)
{
    int32_t least =
        item->topic.length < topic.length ? item->topic.length : topic.length;
    int order =
        least > 0 ? memcmp(item->topic.data, topic.data, (size_t)least) : 0;

    if (order == 0)
        order = (item->topic.length > topic.length) -
                (item->topic.length < topic.length);
    return order ? order : (item->index > index) - (item->index < index);
}

/* Where it is, or belongs. */
static int32_t find(const transaction_partitions_t *set, wire_string_t topic,
                    int32_t index, int *there)
{
    int32_t low = 0, high = set->count;

    *there = 0;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        int order = compare(&set->items[middle], topic, index);

        if (order == 0) {
            *there = 1;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void reserve(transaction_partitions_t *set, int32_t count)
{
    if (count <= set->capacity)
        return;
    if (count < set->capacity * 2)
        count = set->capacity * 2;
    set->items = memory_resize(set->items, (size_t)count * sizeof *set->items);
    set->capacity = count;
}

void transaction_partitions_add(transaction_partitions_t *set,
                                wire_string_t topic, int32_t index)
{
    int there;
    int32_t at = find(set, topic, index, &there);

    if (there)
        return;
    reserve(set, set->count + 1);
    memmove(&set->items[at + 1], &set->items[at],
            (size_t)(set->count - at) * sizeof *set->items);
    set->items[at].topic = text_copy(topic);
    set->items[at].index = index;
    set->count++;
}

int transaction_partitions_contain(const transaction_partitions_t *set,
                                   wire_string_t topic, int32_t index)
{
    int there;

    find(set, topic, index, &there);
    return there;
}

void transaction_partitions_copy(transaction_partitions_t *to,
                                 const transaction_partitions_t *from)
{
    reserve(to, from->count);
    for (int32_t i = 0; i < from->count; i++) {
        to->items[i].topic = text_copy(from->items[i].topic);
        to->items[i].index = from->items[i].index;
    }
    to->count = from->count;
}

int32_t transaction_partitions_of_topic(const transaction_partitions_t *set,
                                        int32_t first)
{
    int32_t i = first;

    while (i < set->count &&
           wire_string_equal(set->items[i].topic, set->items[first].topic))
        i++;
    return i - first;
}

void transaction_partitions_free(transaction_partitions_t *set)
{
    for (int32_t i = 0; i < set->count; i++)
        text_free(&set->items[i].topic);
    free(set->items);
    memset(set, 0, sizeof *set);
}
