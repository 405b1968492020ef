/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image and its look-ups: one persistent map a kind of thing. Every value
 * is one block of memory with all its strings behind it (a topic has a second
 * one for its partitions), built once and never changed when others can see it.
 *
 * It never reads records or files: replay.c does.
 */
#include <apr_atomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "metadata/image_edit.h"
#include "metadata/pmap.h"

enum {
    TOPIC_NAMES,
    TOPIC_IDS,
    TOPIC_METRICS, /* only names with '.' or '_' in them */
    CONFIGS,
    BROKERS,
    CONTROLLERS,
    FEATURES,
    QUOTAS,
    SCRAMS,
    ACLS,
    TOKENS,
    MAP_COUNT
};

struct metadata_image_t {
    apr_uint32_t references;
    int32_t epoch;
    int64_t offset;
    int64_t next_producer_id;
    apr_size_t partition_count;
    uint64_t edit; /* who may change what this one points to */
    int8_t zk_state;
    pmap_t maps[MAP_COUNT];
};

/* ---- values -------------------------------------------------------------- */

typedef struct {
    apr_uint32_t references; /* topics that differ elsewhere share it */
    image_partition_t partition;
} partition_box_t;

struct image_topic_t {
    pmap_value_t value;
    uint64_t edit;
    wire_uuid_t id;
    partition_box_t **partitions; /* NULL where a record is still to come */
    int32_t count;
    int32_t capacity;
    uint16_t name_length;
    uint16_t has_metrics_name;
    char names[]; /* the name, NUL; the same in metrics, NUL */
};

/* What all other values begin with: the key is in the block. */
typedef struct {
    pmap_value_t value;
    const void *key;
    apr_size_t key_length;
} block_t;

typedef struct {
    block_t block;
    int8_t type;
    int count;
    const char *name;
    image_config_entry_t *entries;
} config_block_t;

typedef struct {
    block_t block;
    image_node_t node;
} node_block_t;

typedef struct {
    block_t block;
    int16_t level;
    const char *name;
} feature_block_t;

typedef struct {
    block_t block;
    image_quota_t quota;
} quota_block_t;

typedef struct {
    block_t block;
    image_scram_t scram;
} scram_block_t;

typedef struct {
    block_t block;
    image_acl_t acl;
} acl_block_t;

typedef struct {
    block_t block;
    const uint8_t *record;
    apr_size_t length;
} token_block_t;

static apr_size_t key_of_name(const pmap_value_t *value, const void **key)
{
    const image_topic_t *topic = (const image_topic_t *)value;

    *key = topic->names;
    return topic->name_length;
}

static apr_size_t key_of_id(const pmap_value_t *value, const void **key)
{
    *key = &((const image_topic_t *)value)->id;
    return sizeof(wire_uuid_t);
}

static apr_size_t key_of_metrics(const pmap_value_t *value, const void **key)
{
    const image_topic_t *topic = (const image_topic_t *)value;

    *key = topic->names + topic->name_length + 1;
    return topic->name_length;
}

static apr_size_t key_of_block(const pmap_value_t *value, const void **key)
{
    *key = ((const block_t *)value)->key;
    return ((const block_t *)value)->key_length;
}

static void box_release(partition_box_t *box)
{
    if (box && apr_atomic_dec32(&box->references) == 0)
        free(box);
}

static void topic_destroy(pmap_value_t *value)
{
    image_topic_t *topic = (image_topic_t *)value;

    for (int32_t i = 0; i < topic->count; i++)
        box_release(topic->partitions[i]);
    free(topic->partitions);
    free(topic);
}

static void block_destroy(pmap_value_t *value)
{
    free(value);
}

static const pmap_type_t topic_by_name = {key_of_name, topic_destroy};
static const pmap_type_t topic_by_id = {key_of_id, topic_destroy};
static const pmap_type_t topic_by_metrics = {key_of_metrics, topic_destroy};
static const pmap_type_t block_by_key = {key_of_block, block_destroy};

/* ---- one block, filled from its front ------------------------------------ */

typedef struct {
    char *at;
    char *end;
} pack_t;

/* Bytes that something of SIZE takes in a pack. */
static apr_size_t pack_room(apr_size_t size)
{
    return (size + 7) & ~(apr_size_t)7;
}

static apr_size_t pack_text_room(const char *text)
{
    return text ? pack_room(strlen(text) + 1) : 0;
}

static void *pack_take(pack_t *pack, apr_size_t size)
{
    void *taken = pack->at;

    TAKHIN_ASSERT(pack_room(size) <= (apr_size_t)(pack->end - pack->at));
    pack->at += pack_room(size);
    return taken;
}

static void *pack_copy(pack_t *pack, const void *data, apr_size_t size)
{
    void *copy = pack_take(pack, size);

    if (size)
        memcpy(copy, data, size);
    return copy;
}

static const char *pack_text(pack_t *pack, const char *text)
{
    return text ? pack_copy(pack, text, strlen(text) + 1) : NULL;
}

static const char *pack_bytes_text(pack_t *pack, image_text_t text)
{
    char *copy = pack_take(pack, text.length + 1);

    if (text.length)
        memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    return copy;
}

/* A value of HEAD bytes with ROOM (of pack_room) behind it; PACK is set to the
 * latter. NULL when memory is out. */
static void *block_new(apr_size_t head, apr_size_t room, pack_t *pack)
{
    block_t *block = calloc(1, pack_room(head) + room);

    if (!block)
        return NULL;
    pmap_value_init(&block->value);
    pack->at = (char *)block + pack_room(head);
    pack->end = pack->at + room;
    return block;
}

/* Puts BLOCK into a map and gives up the caller's reference. */
static apr_status_t block_put(metadata_image_t *image, int map, void *block)
{
    apr_status_t status = pmap_put(&image->maps[map], image->edit, block);

    pmap_value_release(&block_by_key, block);
    return status;
}

static apr_status_t block_remove(metadata_image_t *image, int map,
                                 const void *key, apr_size_t length)
{
    return pmap_remove(&image->maps[map], image->edit, key, length);
}

/* ---- images -------------------------------------------------------------- */

static uint64_t next_edit(void)
{
    static apr_uint64_t last;

    return apr_atomic_inc64(&last) + 1;
}

metadata_image_t *image_create(void)
{
    metadata_image_t *image = calloc(1, sizeof(*image));

    if (!image)
        return NULL;
    image->references = 1;
    image->offset = -1;
    image->epoch = -1;
    image->zk_state = -1;
    image->edit = next_edit();
    for (int i = 0; i < MAP_COUNT; i++)
        pmap_init(&image->maps[i], &block_by_key);
    pmap_init(&image->maps[TOPIC_NAMES], &topic_by_name);
    pmap_init(&image->maps[TOPIC_IDS], &topic_by_id);
    pmap_init(&image->maps[TOPIC_METRICS], &topic_by_metrics);
    return image;
}

metadata_image_t *image_edit(const metadata_image_t *base)
{
    metadata_image_t *image = malloc(sizeof(*image));

    if (!image)
        return NULL;
    /* Not by assignment: others may be counting BASE's references. */
    image->references = 1;
    image->epoch = base->epoch;
    image->offset = base->offset;
    image->next_producer_id = base->next_producer_id;
    image->partition_count = base->partition_count;
    image->zk_state = base->zk_state;
    image->edit = next_edit();
    for (int i = 0; i < MAP_COUNT; i++)
        pmap_copy(&image->maps[i], &base->maps[i]);
    return image;
}

void image_retain(const metadata_image_t *image)
{
    apr_atomic_inc32(&((metadata_image_t *)image)->references);
}

void image_release(const metadata_image_t *image)
{
    metadata_image_t *gone = (metadata_image_t *)image;

    if (!gone || apr_atomic_dec32(&gone->references) != 0)
        return;
    for (int i = 0; i < MAP_COUNT; i++)
        pmap_release(&gone->maps[i]);
    free(gone);
}

int64_t image_offset(const metadata_image_t *image)
{
    return image->offset;
}

int32_t image_epoch(const metadata_image_t *image)
{
    return image->epoch;
}

void image_set_position(metadata_image_t *image, int64_t offset, int32_t epoch)
{
    image->offset = offset;
    image->epoch = epoch;
}

/* ---- topics -------------------------------------------------------------- */

const char *image_topic_name(const image_topic_t *topic)
{
    return topic->names;
}

apr_size_t image_topic_name_length(const image_topic_t *topic)
{
    return topic->name_length;
}

const wire_uuid_t *image_topic_id(const image_topic_t *topic)
{
    return &topic->id;
}

int32_t image_topic_partition_count(const image_topic_t *topic)
{
    return topic->count;
}

const image_partition_t *image_topic_partition(const image_topic_t *topic,
                                               int32_t index)
{
    if (index < 0 || index >= topic->count || !topic->partitions[index])
        return NULL;
    return &topic->partitions[index]->partition;
}

const image_topic_t *image_topic(const metadata_image_t *image,
                                 const char *name, apr_size_t name_length)
{
    return (const image_topic_t *)pmap_get(&image->maps[TOPIC_NAMES], name,
                                           name_length);
}

const image_topic_t *image_topic_by_id(const metadata_image_t *image,
                                       const wire_uuid_t *id)
{
    return (const image_topic_t *)pmap_get(&image->maps[TOPIC_IDS], id,
                                           sizeof(*id));
}

/* Writes NAME as metrics have it; says whether that makes a difference to
 * anyone, which is where a '.' or '_' was. */
static int metrics_name(char *to, const char *name, apr_size_t length)
{
    int found = 0;

    for (apr_size_t i = 0; i < length; i++) {
        to[i] = name[i] == '.' ? '_' : name[i];
        found |= to[i] == '_';
    }
    to[length] = '\0';
    return found;
}

const image_topic_t *image_topic_collision(const metadata_image_t *image,
                                           const char *name,
                                           apr_size_t name_length)
{
    char metrics[256];
    const image_topic_t *topic;

    if (name_length >= sizeof(metrics) ||
        !metrics_name(metrics, name, name_length))
        return NULL;
    topic = (const image_topic_t *)pmap_get(&image->maps[TOPIC_METRICS],
                                            metrics, name_length);
    if (topic && memcmp(topic->names, name, name_length) == 0)
        return NULL;
    return topic;
}

apr_size_t image_topic_count(const metadata_image_t *image)
{
    return image->maps[TOPIC_NAMES].count;
}

apr_size_t image_partition_count(const metadata_image_t *image)
{
    return image->partition_count;
}

apr_status_t image_each_topic(const metadata_image_t *image,
                              image_topic_fn each, void *baton)
{
    return pmap_each(&image->maps[TOPIC_NAMES], (pmap_each_fn)each, baton);
}

static image_topic_t *topic_new(uint64_t edit, const char *name,
                                apr_size_t length, const wire_uuid_t *id)
{
    image_topic_t *topic = calloc(1, sizeof(*topic) + 2 * (length + 1));

    if (!topic)
        return NULL;
    pmap_value_init(&topic->value);
    topic->edit = edit;
    topic->id = *id;
    topic->name_length = (uint16_t)length;
    memcpy(topic->names, name, length);
    topic->has_metrics_name =
        (uint16_t)metrics_name(topic->names + length + 1, name, length);
    return topic;
}

/* Puts TOPIC into every map and gives up the caller's reference. */
static apr_status_t topic_put(metadata_image_t *image, image_topic_t *topic)
{
    apr_status_t status;

    status = pmap_put(&image->maps[TOPIC_NAMES], image->edit, &topic->value);
    if (!status)
        status = pmap_put(&image->maps[TOPIC_IDS], image->edit, &topic->value);
    if (!status && topic->has_metrics_name)
        status =
            pmap_put(&image->maps[TOPIC_METRICS], image->edit, &topic->value);
    pmap_value_release(&topic_by_name, &topic->value);
    return status;
}

apr_status_t image_add_topic(metadata_image_t *image, image_text_t name,
                             const wire_uuid_t *id)
{
    image_topic_t *topic;

    if (name.length == 0 || name.length > UINT16_MAX ||
        image_topic(image, name.data, name.length) ||
        image_topic_by_id(image, id))
        return TAKHIN_ECORRUPT;
    topic = topic_new(image->edit, name.data, name.length, id);
    return topic ? topic_put(image, topic) : APR_ENOMEM;
}

static apr_size_t config_key(char *key, int8_t type, image_text_t name);

apr_status_t image_remove_topic(metadata_image_t *image, const wire_uuid_t *id)
{
    image_topic_t *topic = (image_topic_t *)image_topic_by_id(image, id);
    apr_status_t status;
    char *key;

    if (!topic)
        return TAKHIN_ECORRUPT;
    key = malloc(topic->name_length + 1u);
    if (!key)
        return APR_ENOMEM;
    pmap_value_retain(&topic->value);
    for (int32_t i = 0; i < topic->count; i++)
        image->partition_count -= topic->partitions[i] != NULL;
    status = block_remove(
        image, CONFIGS, key,
        config_key(key, CONFIG_TOPIC,
                   (image_text_t){topic->names, topic->name_length}));
    if (!status)
        status = pmap_remove(&image->maps[TOPIC_NAMES], image->edit,
                             topic->names, topic->name_length);
    if (!status)
        status =
            pmap_remove(&image->maps[TOPIC_IDS], image->edit, id, sizeof(*id));
    if (!status && topic->has_metrics_name)
        status = pmap_remove(&image->maps[TOPIC_METRICS], image->edit,
                             topic->names + topic->name_length + 1,
                             topic->name_length);
    pmap_value_release(&topic_by_name, &topic->value);
    free(key);
    return status;
}

/* Sets *OWNED to TOPIC as this edit may change it: itself, or a copy that took
 * its place. */
static apr_status_t topic_own(metadata_image_t *image,
                              const image_topic_t *topic, image_topic_t **owned)
{
    image_topic_t *copy;

    *owned = (image_topic_t *)topic;
    if (topic->edit == image->edit)
        return APR_SUCCESS;
    copy = topic_new(image->edit, topic->names, topic->name_length, &topic->id);
    if (!copy)
        return APR_ENOMEM;
    if (topic->count) {
        copy->partitions =
            malloc((apr_size_t)topic->count * sizeof(*copy->partitions));
        if (!copy->partitions) {
            free(copy);
            return APR_ENOMEM;
        }
    }
    copy->count = copy->capacity = topic->count;
    for (int32_t i = 0; i < topic->count; i++) {
        copy->partitions[i] = topic->partitions[i];
        if (copy->partitions[i])
            apr_atomic_inc32(&copy->partitions[i]->references);
    }
    *owned = copy;
    return topic_put(image, copy);
}

/* Gives TOPIC, which is owned, room for partition INDEX. */
static apr_status_t topic_reserve(image_topic_t *topic, int32_t index)
{
    int32_t capacity = topic->capacity ? topic->capacity : 1;
    partition_box_t **partitions;

    if (index < topic->count)
        return APR_SUCCESS;
    while (capacity <= index)
        capacity *= 2;
    if (capacity != topic->capacity) {
        partitions = realloc(topic->partitions,
                             (apr_size_t)capacity * sizeof(*partitions));
        if (!partitions)
            return APR_ENOMEM;
        topic->partitions = partitions;
        topic->capacity = capacity;
    }
    while (topic->count <= index)
        topic->partitions[topic->count++] = NULL;
    return APR_SUCCESS;
}

static const image_ids_t *partition_ids(const image_partition_t *partition,
                                        int which)
{
    const image_ids_t *lists[] = {&partition->replicas, &partition->isr,
                                  &partition->removing, &partition->adding,
                                  &partition->eligible, &partition->last_known};

    return which < 6 ? lists[which] : NULL;
}

static partition_box_t *box_new(const image_partition_t *from)
{
    apr_size_t room = 0;
    apr_size_t directories =
        from->directories
            ? (apr_size_t)from->replicas.count * sizeof(wire_uuid_t)
            : 0;
    partition_box_t *box;
    pack_t pack;
    image_ids_t *to;

    for (int i = 0; partition_ids(from, i); i++)
        room += pack_room((apr_size_t)partition_ids(from, i)->count *
                          sizeof(int32_t));
    box = malloc(pack_room(sizeof(*box)) + room + pack_room(directories));
    if (!box)
        return NULL;
    apr_atomic_set32(&box->references, 1);
    pack.at = (char *)box + pack_room(sizeof(*box));
    pack.end = pack.at + room + pack_room(directories);
    box->partition = *from;
    for (int i = 0; partition_ids(from, i); i++) {
        to = (image_ids_t *)partition_ids(&box->partition, i);
        to->ids =
            pack_copy(&pack, to->ids, (apr_size_t)to->count * sizeof(int32_t));
    }
    if (directories)
        box->partition.directories =
            pack_copy(&pack, from->directories, directories);
    return box;
}

apr_status_t image_put_partition(metadata_image_t *image,
                                 const wire_uuid_t *topic_id, int32_t index,
                                 const image_partition_t *partition)
{
    const image_topic_t *before = image_topic_by_id(image, topic_id);
    image_topic_t *topic;
    partition_box_t *box;
    apr_status_t status;

    if (!before || index < 0 || index >= IMAGE_MAX_PARTITIONS)
        return TAKHIN_ECORRUPT;
    box = box_new(partition);
    if (!box)
        return APR_ENOMEM;
    status = topic_own(image, before, &topic);
    if (!status)
        status = topic_reserve(topic, index);
    if (status) {
        free(box);
        return status;
    }
    image->partition_count += topic->partitions[index] == NULL;
    box_release(topic->partitions[index]);
    topic->partitions[index] = box;
    return APR_SUCCESS;
}

typedef struct {
    metadata_image_t *image;
    const metadata_image_t *base;
} clear_elr_t;

static apr_status_t clear_topic_elr(void *baton, const image_topic_t *topic)
{
    clear_elr_t *clear = baton;

    for (int32_t i = 0; i < topic->count; i++) {
        const image_partition_t *old = image_topic_partition(topic, i);
        image_partition_t changed;
        apr_status_t status;

        if (!old || (old->eligible.count == 0 && old->last_known.count == 0))
            continue;
        changed = *old;
        changed.eligible.count = changed.last_known.count = 0;
        changed.partition_epoch++;
        status = image_put_partition(clear->image, &topic->id, i, &changed);
        if (status)
            return status;
    }
    return APR_SUCCESS;
}

apr_status_t image_clear_elr(metadata_image_t *image, image_text_t name)
{
    clear_elr_t clear = {image, NULL};
    metadata_image_t *base;
    apr_status_t status;

    if (name.length > 0) {
        image_topic_t *topic =
            (image_topic_t *)image_topic(image, name.data, name.length);

        if (!topic)
            return TAKHIN_ECORRUPT;
        pmap_value_retain(&topic->value); /* an edit may replace it */
        status = clear_topic_elr(&clear, topic);
        pmap_value_release(&topic_by_name, &topic->value);
        return status;
    }
    /* The walk is over an image of its own: the edits are beside it. */
    base = image_edit(image);
    if (!base)
        return APR_ENOMEM;
    image->edit = next_edit();
    status = image_each_topic(base, clear_topic_elr, &clear);
    image_release(base);
    return status;
}

/* ---- configurations ------------------------------------------------------ */

/* Writes the key of a resource to KEY, which has room for NAME and one more. */
static apr_size_t config_key(char *key, int8_t type, image_text_t name)
{
    key[0] = (char)type;
    if (name.length)
        memcpy(key + 1, name.data, name.length);
    return name.length + 1;
}

static const config_block_t *config_find(const metadata_image_t *image,
                                         int8_t type, image_text_t name)
{
    char small[257];
    char *key = name.length < sizeof(small) ? small : malloc(name.length + 1);
    const config_block_t *found;

    if (!key)
        return NULL;
    found = (const config_block_t *)pmap_get(&image->maps[CONFIGS], key,
                                             config_key(key, type, name));
    if (key != small)
        free(key);
    return found;
}

const image_config_entry_t *image_configs(const metadata_image_t *image,
                                          int8_t type, const char *name,
                                          int *count)
{
    const config_block_t *configs =
        config_find(image, type, (image_text_t){name, strlen(name)});

    *count = configs ? configs->count : 0;
    return configs ? configs->entries : NULL;
}

const char *image_config(const metadata_image_t *image, int8_t type,
                         const char *name, const char *key)
{
    int count;
    const image_config_entry_t *entries =
        image_configs(image, type, name, &count);
    int low = 0;

    while (low < count) {
        int middle = low + (count - low) / 2;
        int order = strcmp(entries[middle].name, key);

        if (order == 0)
            return entries[middle].value;
        if (order < 0)
            low = middle + 1;
        else
            count = middle;
    }
    return NULL;
}

typedef struct {
    image_config_fn each;
    void *baton;
} config_walk_t;

static apr_status_t walk_config(void *baton, pmap_value_t *value)
{
    config_walk_t *walk = baton;
    const config_block_t *configs = (const config_block_t *)value;

    return walk->each(walk->baton, configs->type, configs->name,
                      configs->entries, configs->count);
}

apr_status_t image_each_config(const metadata_image_t *image,
                               image_config_fn each, void *baton)
{
    config_walk_t walk = {each, baton};

    return pmap_each(&image->maps[CONFIGS], walk_config, &walk);
}

static int text_compare(const char *text, image_text_t other)
{
    int order = strncmp(text, other.data, other.length);

    return order ? order : text[other.length] != '\0';
}

/* OLD (or nothing) with KEY set to VALUE, or without it; in the same order. */
static config_block_t *config_merge(const config_block_t *old, int8_t type,
                                    image_text_t name, image_text_t key,
                                    image_text_t value)
{
    int count = old ? old->count : 0;
    apr_size_t room =
        pack_room(name.length + 2) + pack_room(key.length + 1) +
        pack_room(value.length + 1) +
        pack_room((apr_size_t)(count + 1) * sizeof(image_config_entry_t));
    config_block_t *block;
    int placed = value.data == NULL;
    pack_t pack;

    for (int i = 0; i < count; i++)
        room += pack_text_room(old->entries[i].name) +
                pack_text_room(old->entries[i].value);
    block = block_new(sizeof(*block), room, &pack);
    if (!block)
        return NULL;
    block->type = type;
    block->entries = pack_take(&pack, (apr_size_t)(count + 1) *
                                          sizeof(image_config_entry_t));
    block->block.key = pack_take(&pack, name.length + 2);
    block->block.key_length = config_key((char *)block->block.key, type, name);
    block->name = (const char *)block->block.key + 1;
    for (int i = 0; i <= count; i++) {
        int order = i < count ? text_compare(old->entries[i].name, key) : 1;

        if (order > 0 && !placed) {
            block->entries[block->count].name = pack_bytes_text(&pack, key);
            block->entries[block->count++].value =
                pack_bytes_text(&pack, value);
            placed = 1;
        }
        if (i == count || order == 0)
            continue;
        block->entries[block->count].name =
            pack_text(&pack, old->entries[i].name);
        block->entries[block->count++].value =
            pack_text(&pack, old->entries[i].value);
    }
    return block;
}

apr_status_t image_set_config(metadata_image_t *image, int8_t type,
                              image_text_t name, image_text_t key,
                              image_text_t value)
{
    const config_block_t *old = config_find(image, type, name);
    config_block_t *block;
    apr_status_t status;

    if (!old && !value.data)
        return APR_SUCCESS;
    block = config_merge(old, type, name, key, value);
    if (!block)
        return APR_ENOMEM;
    if (block->count > 0)
        return block_put(image, CONFIGS, block);
    status =
        block_remove(image, CONFIGS, block->block.key, block->block.key_length);
    pmap_value_release(&block_by_key, &block->block.value);
    return status;
}

/* ---- brokers and controllers --------------------------------------------- */

static const image_node_t *node_find(const metadata_image_t *image, int map,
                                     int32_t id)
{
    const node_block_t *block =
        (const node_block_t *)pmap_get(&image->maps[map], &id, sizeof(id));

    return block ? &block->node : NULL;
}

const image_node_t *image_broker(const metadata_image_t *image, int32_t id)
{
    return node_find(image, BROKERS, id);
}

const image_node_t *image_controller(const metadata_image_t *image, int32_t id)
{
    return node_find(image, CONTROLLERS, id);
}

static apr_size_t node_room(const image_node_t *node)
{
    apr_size_t room = pack_text_room(node->rack);

    room +=
        pack_room((apr_size_t)node->endpoint_count * sizeof(image_endpoint_t));
    for (int i = 0; i < node->endpoint_count; i++)
        room += pack_text_room(node->endpoints[i].name) +
                pack_text_room(node->endpoints[i].host);
    room += pack_room((apr_size_t)node->feature_count *
                      sizeof(image_feature_range_t));
    for (int i = 0; i < node->feature_count; i++)
        room += pack_text_room(node->features[i].name);
    room += pack_room((apr_size_t)node->log_dir_count * sizeof(wire_uuid_t));
    if (node->cordoned_count > 0)
        room +=
            pack_room((apr_size_t)node->cordoned_count * sizeof(wire_uuid_t));
    return room;
}

static void node_fill(image_node_t *node, pack_t *pack)
{
    image_endpoint_t *endpoints;
    image_feature_range_t *features;

    node->rack = pack_text(pack, node->rack);
    endpoints =
        pack_copy(pack, node->endpoints,
                  (apr_size_t)node->endpoint_count * sizeof(image_endpoint_t));
    for (int i = 0; i < node->endpoint_count; i++) {
        endpoints[i].name = pack_text(pack, endpoints[i].name);
        endpoints[i].host = pack_text(pack, endpoints[i].host);
    }
    node->endpoints = endpoints;
    features = pack_copy(pack, node->features,
                         (apr_size_t)node->feature_count *
                             sizeof(image_feature_range_t));
    for (int i = 0; i < node->feature_count; i++)
        features[i].name = pack_text(pack, features[i].name);
    node->features = features;
    node->log_dirs =
        pack_copy(pack, node->log_dirs,
                  (apr_size_t)node->log_dir_count * sizeof(wire_uuid_t));
    if (node->cordoned_count > 0)
        node->cordoned =
            pack_copy(pack, node->cordoned,
                      (apr_size_t)node->cordoned_count * sizeof(wire_uuid_t));
}

static apr_status_t node_put(metadata_image_t *image, int map,
                             const image_node_t *node)
{
    pack_t pack;
    node_block_t *block = block_new(sizeof(*block), node_room(node), &pack);

    if (!block)
        return APR_ENOMEM;
    block->node = *node;
    node_fill(&block->node, &pack);
    block->block.key = &block->node.id;
    block->block.key_length = sizeof(block->node.id);
    return block_put(image, map, block);
}

apr_status_t image_put_broker(metadata_image_t *image, const image_node_t *node)
{
    return node_put(image, BROKERS, node);
}

apr_status_t image_put_controller(metadata_image_t *image,
                                  const image_node_t *node)
{
    return node_put(image, CONTROLLERS, node);
}

apr_status_t image_remove_broker(metadata_image_t *image, int32_t id)
{
    return block_remove(image, BROKERS, &id, sizeof(id));
}

typedef struct {
    image_node_fn each;
    void *baton;
} node_walk_t;

static apr_status_t walk_node(void *baton, pmap_value_t *value)
{
    node_walk_t *walk = baton;

    return walk->each(walk->baton, &((const node_block_t *)value)->node);
}

apr_status_t image_each_broker(const metadata_image_t *image,
                               image_node_fn each, void *baton)
{
    node_walk_t walk = {each, baton};

    return pmap_each(&image->maps[BROKERS], walk_node, &walk);
}

apr_status_t image_each_controller(const metadata_image_t *image,
                                   image_node_fn each, void *baton)
{
    node_walk_t walk = {each, baton};

    return pmap_each(&image->maps[CONTROLLERS], walk_node, &walk);
}

/* ---- features, producer ids, ZooKeeper's last trace ---------------------- */

int16_t image_feature(const metadata_image_t *image, const char *name)
{
    const feature_block_t *block = (const feature_block_t *)pmap_get(
        &image->maps[FEATURES], name, strlen(name));

    return block ? block->level : 0;
}

apr_status_t image_set_feature(metadata_image_t *image, image_text_t name,
                               int16_t level)
{
    feature_block_t *block;
    pack_t pack;

    if (level == 0)
        return block_remove(image, FEATURES, name.data, name.length);
    block = block_new(sizeof(*block), pack_room(name.length + 1), &pack);
    if (!block)
        return APR_ENOMEM;
    block->level = level;
    block->name = pack_bytes_text(&pack, name);
    block->block.key = block->name;
    block->block.key_length = name.length;
    return block_put(image, FEATURES, block);
}

typedef struct {
    image_feature_fn each;
    void *baton;
} feature_walk_t;

static apr_status_t walk_feature(void *baton, pmap_value_t *value)
{
    feature_walk_t *walk = baton;
    const feature_block_t *block = (const feature_block_t *)value;

    return walk->each(walk->baton, block->name, block->level);
}

apr_status_t image_each_feature(const metadata_image_t *image,
                                image_feature_fn each, void *baton)
{
    feature_walk_t walk = {each, baton};

    return pmap_each(&image->maps[FEATURES], walk_feature, &walk);
}

int64_t image_next_producer_id(const metadata_image_t *image)
{
    return image->next_producer_id;
}

void image_set_next_producer_id(metadata_image_t *image, int64_t id)
{
    image->next_producer_id = id;
}

int8_t image_zk_state(const metadata_image_t *image)
{
    return image->zk_state;
}

void image_set_zk_state(metadata_image_t *image, int8_t state)
{
    image->zk_state = state;
}

/* ---- quotas -------------------------------------------------------------- */

#define QUOTA_MAX_PARTS 8

/* Sorts the parts by type into SORTED, which has QUOTA_MAX_PARTS. */
static int quota_sort(image_quota_entity_t *sorted,
                      const image_quota_entity_t *entity, int count)
{
    if (count < 1 || count > QUOTA_MAX_PARTS)
        return 0;
    for (int i = 0; i < count; i++) {
        int at = i;

        while (at > 0 && strcmp(sorted[at - 1].type, entity[i].type) > 0) {
            sorted[at] = sorted[at - 1];
            at--;
        }
        sorted[at] = entity[i];
    }
    return 1;
}

static apr_size_t quota_key_room(const image_quota_entity_t *entity, int count)
{
    apr_size_t room = 0;

    for (int i = 0; i < count; i++)
        room += strlen(entity[i].type) + 2 +
                (entity[i].name ? strlen(entity[i].name) + 1 : 0);
    return room;
}

/* type, NUL, then 0 for the default or 1, name, NUL. */
static void quota_key(char *key, const image_quota_entity_t *entity, int count)
{
    for (int i = 0; i < count; i++) {
        apr_size_t length = strlen(entity[i].type) + 1;

        memcpy(key, entity[i].type, length);
        key += length;
        *key++ = entity[i].name != NULL;
        if (!entity[i].name)
            continue;
        length = strlen(entity[i].name) + 1;
        memcpy(key, entity[i].name, length);
        key += length;
    }
}

static const quota_block_t *quota_find(const metadata_image_t *image,
                                       const image_quota_entity_t *sorted,
                                       int count)
{
    apr_size_t length = quota_key_room(sorted, count);
    char *key = malloc(length);
    const quota_block_t *block;

    if (!key)
        return NULL;
    quota_key(key, sorted, count);
    block = (const quota_block_t *)pmap_get(&image->maps[QUOTAS], key, length);
    free(key);
    return block;
}

const image_quota_t *image_quota(const metadata_image_t *image,
                                 const image_quota_entity_t *entity,
                                 int entity_count)
{
    image_quota_entity_t sorted[QUOTA_MAX_PARTS];
    const quota_block_t *block;

    if (image->maps[QUOTAS].count == 0 ||
        !quota_sort(sorted, entity, entity_count))
        return NULL;
    block = quota_find(image, sorted, entity_count);
    return block ? &block->quota : NULL;
}

static quota_block_t *quota_merge(const image_quota_t *old,
                                  const image_quota_entity_t *sorted, int count,
                                  const char *key, const double *value)
{
    int values = old ? old->value_count : 0;
    apr_size_t key_length = quota_key_room(sorted, count);
    apr_size_t room =
        pack_room(key_length) + pack_text_room(key) +
        pack_room((apr_size_t)count * sizeof(*sorted)) +
        pack_room((apr_size_t)(values + 1) * sizeof(image_quota_value_t));
    image_quota_entity_t *parts;
    image_quota_value_t *to;
    quota_block_t *block;
    pack_t pack;

    for (int i = 0; i < count; i++)
        room += pack_text_room(sorted[i].type) + pack_text_room(sorted[i].name);
    for (int i = 0; i < values; i++)
        room += pack_text_room(old->values[i].key);
    block = block_new(sizeof(*block), room, &pack);
    if (!block)
        return NULL;
    parts = pack_copy(&pack, sorted, (apr_size_t)count * sizeof(*sorted));
    for (int i = 0; i < count; i++) {
        parts[i].type = pack_text(&pack, parts[i].type);
        parts[i].name = pack_text(&pack, parts[i].name);
    }
    to = pack_take(&pack, (apr_size_t)(values + 1) * sizeof(*to));
    block->quota = (image_quota_t){parts, count, to, 0};
    for (int i = 0; i < values; i++) {
        if (strcmp(old->values[i].key, key) == 0)
            continue;
        to[block->quota.value_count].key = pack_text(&pack, old->values[i].key);
        to[block->quota.value_count++].value = old->values[i].value;
    }
    if (value) {
        to[block->quota.value_count].key = pack_text(&pack, key);
        to[block->quota.value_count++].value = *value;
    }
    block->block.key = pack_take(&pack, key_length);
    block->block.key_length = key_length;
    quota_key((char *)block->block.key, sorted, count);
    return block;
}

apr_status_t image_set_quota(metadata_image_t *image,
                             const image_quota_entity_t *entity, int count,
                             const char *key, const double *value)
{
    image_quota_entity_t sorted[QUOTA_MAX_PARTS];
    const quota_block_t *old;
    quota_block_t *block;
    apr_status_t status;

    if (!quota_sort(sorted, entity, count))
        return TAKHIN_ECORRUPT;
    old = quota_find(image, sorted, count);
    if (!old && !value)
        return APR_SUCCESS;
    block = quota_merge(old ? &old->quota : NULL, sorted, count, key, value);
    if (!block)
        return APR_ENOMEM;
    if (block->quota.value_count > 0)
        return block_put(image, QUOTAS, block);
    status =
        block_remove(image, QUOTAS, block->block.key, block->block.key_length);
    pmap_value_release(&block_by_key, &block->block.value);
    return status;
}

typedef struct {
    image_quota_fn each;
    void *baton;
} quota_walk_t;

static apr_status_t walk_quota(void *baton, pmap_value_t *value)
{
    quota_walk_t *walk = baton;

    return walk->each(walk->baton, &((const quota_block_t *)value)->quota);
}

apr_status_t image_each_quota(const metadata_image_t *image,
                              image_quota_fn each, void *baton)
{
    quota_walk_t walk = {each, baton};

    return pmap_each(&image->maps[QUOTAS], walk_quota, &walk);
}

/* ---- SCRAM credentials --------------------------------------------------- */

/* Mechanism, then the user's name. KEY has room for USER with its NUL. */
static apr_size_t scram_key(char *key, const char *user, int8_t mechanism)
{
    apr_size_t length = strlen(user);

    key[0] = (char)mechanism;
    memcpy(key + 1, user, length);
    return length + 1;
}

const image_scram_t *image_scram(const metadata_image_t *image,
                                 const char *user, int8_t mechanism)
{
    char *key = malloc(strlen(user) + 1);
    const scram_block_t *block;

    if (!key)
        return NULL;
    block = (const scram_block_t *)pmap_get(&image->maps[SCRAMS], key,
                                            scram_key(key, user, mechanism));
    free(key);
    return block ? &block->scram : NULL;
}

apr_status_t image_put_scram(metadata_image_t *image, const image_scram_t *from)
{
    apr_size_t user = strlen(from->user) + 1;
    apr_size_t room = pack_room(user) * 2 + pack_room(from->salt_length) +
                      pack_room(from->stored_key_length) +
                      pack_room(from->server_key_length);
    pack_t pack;
    scram_block_t *block = block_new(sizeof(*block), room, &pack);

    if (!block)
        return APR_ENOMEM;
    block->scram = *from;
    block->scram.user = pack_text(&pack, from->user);
    block->scram.salt = pack_copy(&pack, from->salt, from->salt_length);
    block->scram.stored_key =
        pack_copy(&pack, from->stored_key, from->stored_key_length);
    block->scram.server_key =
        pack_copy(&pack, from->server_key, from->server_key_length);
    block->block.key = pack_take(&pack, user);
    block->block.key_length =
        scram_key((char *)block->block.key, from->user, from->mechanism);
    return block_put(image, SCRAMS, block);
}

apr_status_t image_remove_scram(metadata_image_t *image, const char *user,
                                int8_t mechanism)
{
    char *key = malloc(strlen(user) + 1);
    apr_status_t status;

    if (!key)
        return APR_ENOMEM;
    status = block_remove(image, SCRAMS, key, scram_key(key, user, mechanism));
    free(key);
    return status;
}

typedef struct {
    image_scram_fn each;
    void *baton;
} scram_walk_t;

static apr_status_t walk_scram(void *baton, pmap_value_t *value)
{
    scram_walk_t *walk = baton;

    return walk->each(walk->baton, &((const scram_block_t *)value)->scram);
}

apr_status_t image_each_scram(const metadata_image_t *image,
                              image_scram_fn each, void *baton)
{
    scram_walk_t walk = {each, baton};

    return pmap_each(&image->maps[SCRAMS], walk_scram, &walk);
}

/* ---- ACLs ---------------------------------------------------------------- */

apr_status_t image_put_acl(metadata_image_t *image, const image_acl_t *from)
{
    apr_size_t room = pack_text_room(from->resource) +
                      pack_text_room(from->principal) +
                      pack_text_room(from->host);
    pack_t pack;
    acl_block_t *block = block_new(sizeof(*block), room, &pack);

    if (!block)
        return APR_ENOMEM;
    block->acl = *from;
    block->acl.resource = pack_text(&pack, from->resource);
    block->acl.principal = pack_text(&pack, from->principal);
    block->acl.host = pack_text(&pack, from->host);
    block->block.key = &block->acl.id;
    block->block.key_length = sizeof(block->acl.id);
    return block_put(image, ACLS, block);
}

apr_status_t image_remove_acl(metadata_image_t *image, const wire_uuid_t *id)
{
    return block_remove(image, ACLS, id, sizeof(*id));
}

apr_size_t image_acl_count(const metadata_image_t *image)
{
    return image->maps[ACLS].count;
}

typedef struct {
    image_acl_fn each;
    void *baton;
} acl_walk_t;

static apr_status_t walk_acl(void *baton, pmap_value_t *value)
{
    acl_walk_t *walk = baton;

    return walk->each(walk->baton, &((const acl_block_t *)value)->acl);
}

apr_status_t image_each_acl(const metadata_image_t *image, image_acl_fn each,
                            void *baton)
{
    acl_walk_t walk = {each, baton};

    return pmap_each(&image->maps[ACLS], walk_acl, &walk);
}

/* ---- delegation tokens --------------------------------------------------- */

apr_status_t image_put_token(metadata_image_t *image, image_text_t token_id,
                             const uint8_t *record, apr_size_t length)
{
    pack_t pack;
    token_block_t *block =
        block_new(sizeof(*block),
                  pack_room(token_id.length + 1) + pack_room(length), &pack);

    if (!block)
        return APR_ENOMEM;
    block->block.key = pack_bytes_text(&pack, token_id);
    block->block.key_length = token_id.length;
    block->record = pack_copy(&pack, record, length);
    block->length = length;
    return block_put(image, TOKENS, block);
}

apr_status_t image_remove_token(metadata_image_t *image, image_text_t token_id)
{
    return block_remove(image, TOKENS, token_id.data, token_id.length);
}

typedef struct {
    image_token_fn each;
    void *baton;
} token_walk_t;

static apr_status_t walk_token(void *baton, pmap_value_t *value)
{
    token_walk_t *walk = baton;
    const token_block_t *block = (const token_block_t *)value;

    return walk->each(walk->baton, block->record, block->length);
}

apr_status_t image_each_token(const metadata_image_t *image,
                              image_token_fn each, void *baton)
{
    token_walk_t walk = {each, baton};

    return pmap_each(&image->maps[TOKENS], walk_token, &walk);
}
