/* SPDX-License-Identifier: Apache-2.0 */
/* The offsets of one group. */
#include "coordinator/offsets.h"

#include "coordinator/memory.h"

/* Where PARTITION is, or would be. */
static int32_t place(const offset_topic_t *topic, int32_t partition)
{
    int32_t low = 0, high = topic->count;

    while (low < high) {
        int32_t middle = low + (high - low) / 2;

        if (topic->committed[middle].partition < partition)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static committed_t *find(const offset_topic_t *topic, int32_t partition)
{
    int32_t at = place(topic, partition);

    return at < topic->count && topic->committed[at].partition == partition
               ? &topic->committed[at]
               : NULL;
}

const committed_t *offsets_get(const offsets_t *offsets, wire_string_t topic,
                               int32_t partition)
{
    const offset_topic_t *found = map_get(&offsets->topics, topic);

    return found ? find(found, partition) : NULL;
}

/* A zeroed place for PARTITION, which is not there yet. */
static committed_t *insert(offset_topic_t *topic, int32_t partition)
{
    int32_t at = place(topic, partition);

    if (topic->count == topic->capacity) {
        topic->capacity = topic->capacity ? 2 * topic->capacity : 1;
        topic->committed =
            memory_resize(topic->committed, (size_t)topic->capacity *
                                                sizeof *topic->committed);
    }
    memmove(&topic->committed[at + 1], &topic->committed[at],
            (size_t)(topic->count - at) * sizeof *topic->committed);
    topic->count++;
    memset(&topic->committed[at], 0, sizeof topic->committed[at]);
    return &topic->committed[at];
}

void offsets_put(offsets_t *offsets, wire_string_t name,
                 const committed_t *committed)
{
    offset_topic_t *topic = map_get(&offsets->topics, name);
    committed_t *kept;
    wire_string_t metadata = text_copy(committed->metadata);

    if (!topic) {
        topic = memory_new(sizeof *topic);
        map_put(&offsets->topics, name, topic);
    }
    kept = find(topic, committed->partition);
    if (!kept)
        kept = insert(topic, committed->partition);
    text_free(&kept->metadata);
    *kept = *committed;
    kept->metadata = metadata;
}

int offsets_remove(offsets_t *offsets, wire_string_t name, int32_t partition)
{
    offset_topic_t *topic = map_get(&offsets->topics, name);
    committed_t *kept = topic ? find(topic, partition) : NULL;
    int32_t at;

    if (!kept)
        return 0;
    at = (int32_t)(kept - topic->committed);
    text_free(&kept->metadata);
    topic->count--;
    memmove(kept, kept + 1, (size_t)(topic->count - at) * sizeof *kept);
    if (topic->count == 0) {
        map_remove(&offsets->topics, name);
        free(topic->committed);
        free(topic);
    }
    return 1;
}

void offsets_free(offsets_t *offsets)
{
    for (map_entry_t *entry = offsets->topics.first; entry;
         entry = entry->next) {
        offset_topic_t *topic = entry->value;

        for (int32_t i = 0; i < topic->count; i++)
            text_free(&topic->committed[i].metadata);
        free(topic->committed);
        free(topic);
    }
    map_free(&offsets->topics);
}
