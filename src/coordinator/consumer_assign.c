/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From subscriptions to a target assignment, and from there, step by step, to
 * what each member holds.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/logger.h"
#include "coordinator/assignor.h"
#include "coordinator/consumer_group.h"
#include "coordinator/memory.h"
#include "coordinator/topic_regex.h"

/* ---- regular expressions ------------------------------------------------- */

typedef struct {
    topic_regex_t *regex;
    wire_string_t *topics;
    int32_t count, capacity;
} matching_t;

static apr_status_t match_topic(void *baton, const image_topic_t *topic)
{
    matching_t *matching = baton;
    const char *name = image_topic_name(topic);
    apr_size_t length = image_topic_name_length(topic);

    if (!topic_regex_matches(matching->regex, name, length))
        return APR_SUCCESS;
    if (matching->count == matching->capacity) {
        matching->capacity = matching->capacity ? 2 * matching->capacity : 8;
        matching->topics =
            memory_resize(matching->topics, (size_t)matching->capacity *
                                                sizeof *matching->topics);
    }
    matching->topics[matching->count++] =
        text_copy((wire_string_t){ name, (int32_t)length });
    return APR_SUCCESS;
}

static int compare_names(const void *left, const void *right)
{
    const wire_string_t *a = left, *b = right;

    return strcmp(a->data, b->data);
}

static consumer_regex_t *resolve(wire_string_t expression,
                                 const metadata_image_t *image)
{
    consumer_regex_t *resolved = memory_new(sizeof *resolved);
    matching_t matching = { 0 };
    const char *error;
    apr_pool_t *pool;

    TAKHIN_ASSERT(!apr_pool_create(&pool, NULL));
    matching.regex = topic_regex_compile(expression, &error, pool);
    if (matching.regex) { /* else it was another build's: matches nothing */
        image_each_topic(image, match_topic, &matching);
        topic_regex_free(matching.regex);
    }
    apr_pool_destroy(pool);
    if (matching.count > 0)
        qsort(matching.topics, (size_t)matching.count,
              sizeof *matching.topics, compare_names);
    resolved->topics = matching.topics;
    resolved->topic_count = matching.count;
    resolved->version = image_offset(image);
    resolved->timestamp = clock_wall_ms();
    return resolved;
}

static int same_topics(const consumer_regex_t *a, const consumer_regex_t *b)
{
    if (!a || a->topic_count != b->topic_count)
        return 0;
    for (int32_t i = 0; i < a->topic_count; i++)
        if (!wire_string_equal(a->topics[i], b->topics[i]))
            return 0;
    return 1;
}

/* Has EXPRESSION mean what it means in IMAGE; whether that is news. */
static int refresh_regex(group_t *group, wire_string_t expression,
                         const metadata_image_t *image)
{
    map_t *regexes = &group->consumer->regexes;
    consumer_regex_t *former = map_get(regexes, expression), *resolved;
    int news;

    if (former && (former->seen || former->version == image_offset(image))) {
        former->seen = 1;
        return 0;
    }
    resolved = resolve(expression, image);
    resolved->seen = 1;
    news = !same_topics(former, resolved);
    if (news)
        consumer_put_regex(group, expression, resolved);
    map_put(regexes, expression, resolved);
    if (former)
        consumer_regex_free(former);
    return news;
}

static int refresh_regexes(group_t *group, const metadata_image_t *image)
{
    consumer_t *consumer = group->consumer;
    int news = 0;

    for (map_entry_t *entry = consumer->regexes.first; entry;
         entry = entry->next)
        ((consumer_regex_t *)entry->value)->seen = 0;
    for (map_entry_t *entry = consumer->members.first; entry;
         entry = entry->next) {
        const consumer_member_t *member = entry->value;

        if (member->regex.length > 0)
            news |= refresh_regex(group, member->regex, image);
    }
    for (map_entry_t *entry = consumer->regexes.first, *next; entry;
         entry = next) {
        consumer_regex_t *regex = entry->value;

        next = entry->next;
        if (regex->seen)
            continue;
        consumer_put_regex(group, map_key(entry), NULL);
        map_remove(&consumer->regexes, map_key(entry));
        consumer_regex_free(regex);
    }
    return news;
}

/* ---- what the group reads ------------------------------------------------ */

static const consumer_regex_t *regex_of(const consumer_member_t *member)
{
    return member->regex.length > 0
               ? map_get(&member->group->consumer->regexes, member->regex)
               : NULL;
}

static const image_topic_t *find_topic(const metadata_image_t *image,
                                       wire_string_t name)
{
    return name.length > 0 ? image_topic(image, name.data,
                                         (apr_size_t)name.length)
                           : NULL;
}

static uint64_t mix(uint64_t hash, const void *data, size_t length)
{
    const uint8_t *p = data;

    while (length-- > 0)
        hash = (hash ^ *p++) * UINT64_C(1099511628211);
    return hash;
}

/* All the group reads, as far as it exists, in one number that does not
 * depend on the order. */
static uint64_t hash_subscribed(const consumer_t *consumer,
                                const metadata_image_t *image)
{
    uint64_t sum = 0;

    for (map_entry_t *entry = consumer->subscribed.first; entry;
         entry = entry->next) {
        const image_topic_t *topic = find_topic(image, map_key(entry));
        uint64_t hash = UINT64_C(14695981039346656037);
        int32_t partitions;

        if (!topic)
            continue;
        partitions = image_topic_partition_count(topic);
        hash = mix(hash, image_topic_id(topic)->bytes,
                   sizeof image_topic_id(topic)->bytes);
        sum += mix(hash, &partitions, sizeof partitions);
    }
    return sum;
}

static void list_subscribed(consumer_t *consumer)
{
    map_free(&consumer->subscribed);
    for (map_entry_t *entry = consumer->members.first; entry;
         entry = entry->next) {
        const consumer_member_t *member = entry->value;

        for (int32_t i = 0; i < member->topic_count; i++)
            map_put(&consumer->subscribed, member->topics[i], (void *)1);
    }
    for (map_entry_t *entry = consumer->regexes.first; entry;
         entry = entry->next) {
        const consumer_regex_t *regex = entry->value;

        for (int32_t i = 0; i < regex->topic_count; i++)
            map_put(&consumer->subscribed, regex->topics[i], (void *)1);
    }
}

/* ---- the target ---------------------------------------------------------- */

typedef struct {
    assignor_topic_t topic;
    wire_string_t name;
} named_topic_t;

static int compare_topics(const void *left, const void *right)
{
    const named_topic_t *a = left, *b = right;

    return memcmp(a->topic.id.bytes, b->topic.id.bytes,
                  sizeof a->topic.id.bytes);
}

/* The topics that exist, by id; INDEXES maps their names to 1 + index. */
static void list_topics(const consumer_t *consumer,
                        const metadata_image_t *image,
                        assignor_input_t *input, map_t *indexes,
                        apr_pool_t *pool)
{
    named_topic_t *named = apr_palloc(
        pool, ((apr_size_t)consumer->subscribed.count + 1) * sizeof *named);
    assignor_topic_t *topics;
    int32_t count = 0;

    for (map_entry_t *entry = consumer->subscribed.first; entry;
         entry = entry->next) {
        const image_topic_t *topic = find_topic(image, map_key(entry));

        if (!topic)
            continue;
        named[count].topic.id = *image_topic_id(topic);
        named[count].topic.partitions = image_topic_partition_count(topic);
        named[count++].name = map_key(entry);
    }
    qsort(named, (size_t)count, sizeof *named, compare_topics);
    topics = apr_palloc(pool, ((apr_size_t)count + 1) * sizeof *topics);
    for (int32_t i = 0; i < count; i++) {
        topics[i] = named[i].topic;
        map_put(indexes, named[i].name, (void *)(intptr_t)(i + 1));
    }
    input->topics = topics;
    input->topic_count = count;
}

static int compare_numbers(const void *left, const void *right)
{
    const int32_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

static int32_t add_indexes(const map_t *indexes, const wire_string_t *names,
                           int32_t count, int32_t *to, int32_t at)
{
    for (int32_t i = 0; i < count; i++) {
        intptr_t index = (intptr_t)map_get(indexes, names[i]);

        if (index > 0)
            to[at++] = (int32_t)index - 1;
    }
    return at;
}

static void describe_member(const consumer_member_t *member,
                            const map_t *indexes, assignor_member_t *out,
                            apr_pool_t *pool)
{
    const consumer_regex_t *regex = regex_of(member);
    int32_t room = member->topic_count + (regex ? regex->topic_count : 0);
    int32_t *topics = apr_palloc(pool, ((apr_size_t)room + 1) * sizeof *topics);
    int32_t count =
        add_indexes(indexes, member->topics, member->topic_count, topics, 0);
    int32_t kept = 0;

    if (regex)
        count = add_indexes(indexes, regex->topics, regex->topic_count, topics,
                            count);
    qsort(topics, (size_t)count, sizeof *topics, compare_numbers);
    for (int32_t i = 0; i < count; i++)
        if (kept == 0 || topics[kept - 1] != topics[i])
            topics[kept++] = topics[i];
    out->id = member->id;
    out->instance_id = member->instance_id;
    out->topics = topics;
    out->topic_count = kept;
    out->before = &member->target;
}

/* What most members ask for; the broker's first where none does. */
static assignor_fn choose_assignor(const group_t *group)
{
    map_t votes = { 0 };
    wire_string_t winner =
        wire_string_from(shard_config(group->shard)->consumer_assignors[0]);
    intptr_t most = 0;
    assignor_fn assign;

    for (map_entry_t *entry = group->consumer->members.first; entry;
         entry = entry->next) {
        const consumer_member_t *member = entry->value;
        intptr_t count;

        if (member->assignor.length <= 0)
            continue;
        count = (intptr_t)map_get(&votes, member->assignor) + 1;
        map_put(&votes, member->assignor, (void *)count);
        if (count > most) {
            most = count;
            winner = member->assignor;
        }
    }
    map_free(&votes);
    assign = assignor_find(winner);
    return assign ? assign : assignor_uniform;
}

static void take_targets(group_t *group, assignor_input_t *input)
{
    int32_t m = 0;

    for (map_entry_t *entry = group->consumer->members.first; entry;
         entry = entry->next) {
        consumer_member_t *member = entry->value;
        partition_set_t *after = &input->members[m++].after;
        int is_new = group->consumer->assignment_epoch < 0 ||
                     (member->epoch == 0 && member->target.count == 0);

        if (set_equal(after, &member->target) && !is_new) {
            set_free(after);
            continue;
        }
        set_move(&member->target, after);
        consumer_put_target(member);
    }
}

static void assign(group_t *group, const metadata_image_t *image)
{
    consumer_t *consumer = group->consumer;
    assignor_input_t input = { 0 };
    map_t indexes = { 0 };
    apr_pool_t *pool;

    TAKHIN_ASSERT(!apr_pool_create(&pool, NULL));
    list_topics(consumer, image, &input, &indexes, pool);
    input.members =
        apr_pcalloc(pool, ((apr_size_t)consumer->members.count + 1) *
                              sizeof *input.members);
    for (map_entry_t *entry = consumer->members.first; entry;
         entry = entry->next)
        describe_member(entry->value, &indexes,
                        &input.members[input.member_count++], pool);
    choose_assignor(group)(&input, pool);
    take_targets(group, &input);
    map_free(&indexes);
    apr_pool_destroy(pool);
    consumer->assignment_epoch = consumer->epoch;
    consumer->assignment_timestamp = clock_wall_ms();
    consumer_put_target_epoch(group);
}

static void look(group_t *group, const metadata_image_t *image, int changed)
{
    consumer_t *consumer = group->consumer;
    uint64_t hash;

    changed |= refresh_regexes(group, image);
    list_subscribed(consumer);
    hash = hash_subscribed(consumer, image);
    if (!changed && hash == consumer->metadata_hash)
        return;
    consumer->metadata_hash = hash;
    consumer->epoch++;
    consumer_put_epoch(group);
}

void consumer_refresh(group_t *group, int changed)
{
    consumer_t *consumer = group->consumer;
    const metadata_image_t *image = shard_image(group->shard);

    if (changed || consumer->metadata_seen != image_offset(image))
        look(group, image, changed);
    consumer->metadata_seen = image_offset(image);
    if (consumer->epoch > consumer->assignment_epoch)
        assign(group, image);
    image_release(image);
}

/* ---- reconciliation ------------------------------------------------------ */

/* Whether the client may still read what it must give up. */
static int owns_any(const partition_set_t *owned, const partition_set_t *set)
{
    if (!owned)
        return 1; /* it did not say */
    for (int32_t i = 0; i < set->count; i++)
        if (set_has(owned, &set->items[i].topic, set->items[i].partition))
            return 1;
    return 0;
}

/* Adds to ASSIGNED what MEMBER lacks of its target and nobody holds; whether
 * somebody held some of it. */
static int take_free(const consumer_member_t *member,
                     partition_set_t *assigned, int32_t epoch)
{
    partition_set_t lacking = { 0 };
    int unreleased = 0;

    set_select(&lacking, &member->target, assigned, 0);
    for (int32_t i = 0; i < lacking.count; i++) {
        const set_item_t *item = &lacking.items[i];

        if (consumer_is_held(member, &item->topic, item->partition))
            unreleased = 1;
        else
            set_add(assigned, &item->topic, item->partition, epoch);
    }
    set_free(&lacking);
    return unreleased;
}

static void set_progress(consumer_member_t *member, int32_t epoch,
                         consumer_member_state_t state,
                         partition_set_t *assigned, partition_set_t *revoking)
{
    group_shard_t *shard = member->group->shard;
    int same = member->state == state && member->epoch == epoch &&
               member->previous_epoch == member->epoch &&
               set_equal(assigned, &member->assigned) &&
               set_equal(revoking, &member->revoking);

    member->previous_epoch = member->epoch;
    member->epoch = epoch;
    member->state = state;
    consumer_set_held(member, assigned, revoking);
    if (same)
        return;
    consumer_put_current(member);
    if (state == CONSUMER_UNREVOKED && !member->is_classic)
        shard_set_deadline(shard, &member->revocation,
                           member->rebalance_timeout_ms);
    else
        shard_clear_deadline(shard, &member->revocation);
}

/* From what MEMBER holds, as far as it can go. EPOCH is its own while it has
 * to give something up first. */
static void advance(consumer_member_t *member, int32_t epoch,
                    const partition_set_t *owned)
{
    int32_t target_epoch = member->group->consumer->assignment_epoch;
    partition_set_t assigned = { 0 }, revoking = { 0 }, none = { 0 };
    int unreleased;

    set_select(&assigned, &member->assigned, &member->target, 1);
    set_select(&revoking, &member->assigned, &member->target, 0);
    if (revoking.count > 0 && owns_any(owned, &revoking)) {
        set_progress(member, epoch, CONSUMER_UNREVOKED, &assigned, &revoking);
        return;
    }
    set_free(&revoking);
    unreleased = take_free(member, &assigned, target_epoch);
    set_progress(member, target_epoch,
                 unreleased ? CONSUMER_UNRELEASED : CONSUMER_STABLE, &assigned,
                 &none);
}

int16_t consumer_reconcile(consumer_member_t *member,
                           const partition_set_t *owned)
{
    int32_t target_epoch = member->group->consumer->assignment_epoch;

    switch (member->state) {
    case CONSUMER_STABLE:
        if (member->epoch != target_epoch)
            advance(member, member->epoch, owned);
        break;
    case CONSUMER_UNREVOKED:
        if (!owns_any(owned, &member->revoking))
            advance(member, member->epoch + 1, owned);
        break;
    case CONSUMER_UNRELEASED:
        advance(member, member->epoch, owned);
        break;
    default:
        if (!owned || owned->count > 0)
            return KAFKA_FENCED_MEMBER_EPOCH;
        advance(member, target_epoch, owned);
    }
    return KAFKA_NONE;
}

int consumer_waits_for_release(const consumer_member_t *member)
{
    for (int32_t i = 0; i < member->target.count; i++) {
        const set_item_t *item = &member->target.items[i];

        if (!set_has(&member->assigned, &item->topic, item->partition) &&
            consumer_is_held(member, &item->topic, item->partition))
            return 1;
    }
    return 0;
}

/* ---- leaving ------------------------------------------------------------- */

void consumer_remove_member(group_t *group, consumer_member_t *member)
{
    const metadata_image_t *image;

    if (consumer_downgrade(group, member))
        return;
    consumer_put_member_gone(group, member->id);
    consumer_drop_member(group, member);
    image = shard_image(group->shard);
    look(group, image, 1);
    image_release(image);
}

void consumer_touch(consumer_member_t *member)
{
    group_shard_t *shard = member->group->shard;

    shard_set_deadline(shard, &member->session,
                       member->is_classic
                           ? member->session_timeout_ms
                           : shard_config(shard)->consumer_session_timeout_ms);
}

static void throw_out(consumer_member_t *member, const char *why)
{
    group_t *group = member->group;

    LOG_INFO(coordinator, "group %.*s: member %.*s %s", (int)group->id.length,
             group->id.data, (int)member->id.length, member->id.data, why);
    consumer_remove_member(group, member);
}

#define MEMBER_OF(deadline, field)                                          \
    ((consumer_member_t *)((char *)(deadline) -                             \
                           offsetof(consumer_member_t, field)))

void consumer_session_passed(deadline_t *deadline)
{
    throw_out(MEMBER_OF(deadline, session), "was not heard of");
}

void consumer_revocation_passed(deadline_t *deadline)
{
    throw_out(MEMBER_OF(deadline, revocation),
              "did not give up its partitions in time");
}

void consumer_phase_passed(deadline_t *deadline)
{
    throw_out(MEMBER_OF(deadline, phase),
              "did not join or sync in time");
}
