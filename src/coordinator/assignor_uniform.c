/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The uniform assignor. Where all members subscribe to the same topics, each
 * has a quota: what it had up to that stays, the rest is handed out. Else
 * partitions go to the least loaded member that subscribes to them, and then
 * move from more to less loaded ones, over others in between where it must be,
 * until no move makes it more even.
 */
#include "coordinator/assignor.h"

enum { NOBODY = -1 };

/* Every partition of the subscribed topics, one after the other. */
typedef struct {
    assignor_input_t *input;
    int32_t *first;        /* of each topic, in OWNERS */
    int32_t *owners;       /* index of a member, or NOBODY */
    int32_t total;         /* partitions */
    int32_t *load;         /* partitions of each member */
    int32_t **subscribers; /* of each topic: members */
    int32_t *subscriber_count;
} plan_t;

static int32_t find_topic(const assignor_input_t *input,
                          const wire_uuid_t *id)
{
    int32_t low = 0, high = input->topic_count;

    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        int order = memcmp(input->topics[middle].id.bytes, id->bytes,
                           sizeof id->bytes);

        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

static int subscribes(const assignor_member_t *member, int32_t topic)
{
    int32_t low = 0, high = member->topic_count;

    while (low < high) {
        int32_t middle = low + (high - low) / 2;

        if (member->topics[middle] == topic)
            return 1;
        if (member->topics[middle] < topic)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

static void list_subscribers(plan_t *plan, apr_pool_t *scratch)
{
    const assignor_input_t *input = plan->input;
    apr_size_t topics = (apr_size_t)input->topic_count + 1;

    plan->subscribers = apr_pcalloc(scratch, topics * sizeof(int32_t *));
    plan->subscriber_count = apr_pcalloc(scratch, topics * sizeof(int32_t));
    for (int32_t m = 0; m < input->member_count; m++)
        for (int32_t t = 0; t < input->members[m].topic_count; t++)
            plan->subscriber_count[input->members[m].topics[t]]++;
    for (int32_t t = 0; t < input->topic_count; t++) {
        plan->subscribers[t] =
            apr_palloc(scratch, ((apr_size_t)plan->subscriber_count[t] + 1) *
                                    sizeof(int32_t));
        plan->subscriber_count[t] = 0;
    }
    for (int32_t m = 0; m < input->member_count; m++)
        for (int32_t t = 0; t < input->members[m].topic_count; t++) {
            int32_t topic = input->members[m].topics[t];

            plan->subscribers[topic][plan->subscriber_count[topic]++] = m;
        }
}

static void make_plan(plan_t *plan, assignor_input_t *input,
                      apr_pool_t *scratch)
{
    plan->input = input;
    plan->total = 0;
    plan->first = apr_palloc(
        scratch, ((apr_size_t)input->topic_count + 1) * sizeof *plan->first);
    list_subscribers(plan, scratch);
    for (int32_t t = 0; t < input->topic_count; t++) {
        plan->first[t] = plan->total;
        if (plan->subscriber_count[t] > 0)
            plan->total += input->topics[t].partitions;
    }
    plan->first[input->topic_count] = plan->total;
    plan->owners = apr_palloc(
        scratch, ((apr_size_t)plan->total + 1) * sizeof *plan->owners);
    for (int32_t i = 0; i < plan->total; i++)
        plan->owners[i] = NOBODY;
    plan->load = apr_pcalloc(
        scratch, ((apr_size_t)input->member_count + 1) * sizeof *plan->load);
}

static void give(plan_t *plan, int32_t at, int32_t member)
{
    if (plan->owners[at] != NOBODY)
        plan->load[plan->owners[at]]--;
    plan->owners[at] = member;
    plan->load[member]++;
}

/* MEMBER keeps of what it had what it may still have, up to QUOTA. */
static void keep_before(plan_t *plan, int32_t m, int32_t quota)
{
    const assignor_member_t *member = &plan->input->members[m];

    for (int32_t i = 0; i < member->before->count && plan->load[m] < quota;
         i++) {
        const set_item_t *item = &member->before->items[i];
        int32_t topic = find_topic(plan->input, &item->topic);
        int32_t at;

        if (topic < 0 || !subscribes(member, topic) ||
            item->partition >= plan->input->topics[topic].partitions)
            continue;
        at = plan->first[topic] + item->partition;
        if (plan->owners[at] == NOBODY)
            give(plan, at, m);
    }
}

/* ---- all subscribe to the same ------------------------------------------- */

static void assign_quotas(plan_t *plan)
{
    int32_t members = plan->input->member_count;
    int32_t least = plan->total / members, extra = plan->total % members;
    int32_t free = 0;

    /* Who has more than the others already keeps its one more. */
    for (int32_t m = 0; m < members; m++) {
        keep_before(plan, m, least + (extra > 0));
        if (plan->load[m] > least)
            extra--;
    }
    for (int32_t m = 0; m < members; m++) {
        int32_t quota = least;

        if (plan->load[m] <= least && extra > 0) {
            quota++;
            extra--;
        }
        while (plan->load[m] < quota) {
            while (plan->owners[free] != NOBODY)
                free++;
            give(plan, free, m);
        }
    }
}

/* ---- subscriptions differ ------------------------------------------------ */

static int32_t least_loaded(const plan_t *plan, int32_t topic)
{
    int32_t best = plan->subscribers[topic][0];

    for (int32_t s = 1; s < plan->subscriber_count[topic]; s++)
        if (plan->load[plan->subscribers[topic][s]] < plan->load[best])
            best = plan->subscribers[topic][s];
    return best;
}

/* Topics that few subscribe to first: the others have more choice. */
static void fill(plan_t *plan)
{
    for (int32_t wanted = 1; wanted <= plan->input->member_count; wanted++)
        for (int32_t t = 0; t < plan->input->topic_count; t++)
            for (int32_t at = plan->first[t];
                 plan->subscriber_count[t] == wanted && at < plan->first[t + 1];
                 at++)
                if (plan->owners[at] == NOBODY)
                    give(plan, at, least_loaded(plan, t));
}

/* Each move takes the sum of the squares down, so it comes to an end. */
static int balance_once(plan_t *plan)
{
    int moved = 0;

    for (int32_t t = 0; t < plan->input->topic_count; t++)
        for (int32_t at = plan->first[t]; at < plan->first[t + 1]; at++) {
            int32_t to = least_loaded(plan, t);

            if (plan->load[plan->owners[at]] > plan->load[to] + 1) {
                give(plan, at, to);
                moved = 1;
            }
        }
    return moved;
}

/* A search from one member over partitions it could give to others, and what
 * those could give in turn. Each topic is looked at once. */
typedef struct {
    int32_t *from;         /* of each member: the partition that led to it */
    int32_t *queue;
    uint8_t *reached;      /* of each member */
    uint8_t *looked;       /* of each topic */
} search_t;

static void make_search(search_t *search, const plan_t *plan,
                        apr_pool_t *scratch)
{
    apr_size_t members = (apr_size_t)plan->input->member_count + 1;

    search->from = apr_palloc(scratch, members * sizeof *search->from);
    search->queue = apr_palloc(scratch, members * sizeof *search->queue);
    search->reached = apr_palloc(scratch, members);
    search->looked =
        apr_palloc(scratch, (apr_size_t)plan->input->topic_count + 1);
}

/* A partition of TOPIC that MEMBER has, or NOBODY. */
static int32_t partition_of(const plan_t *plan, int32_t topic, int32_t member)
{
    for (int32_t at = plan->first[topic]; at < plan->first[topic + 1]; at++)
        if (plan->owners[at] == member)
            return at;
    return NOBODY;
}

/* A member that can have one more when SOURCE has one less, or NOBODY. */
static int32_t find_taker(const plan_t *plan, search_t *search,
                          int32_t source)
{
    int32_t head = 0, tail = 0;

    memset(search->reached, 0, (size_t)plan->input->member_count);
    memset(search->looked, 0, (size_t)plan->input->topic_count);
    search->reached[source] = 1;
    search->queue[tail++] = source;
    while (head < tail) {
        int32_t member = search->queue[head++];

        for (int32_t t = 0; t < plan->input->members[member].topic_count; t++) {
            int32_t topic = plan->input->members[member].topics[t];
            int32_t at = search->looked[topic]
                             ? NOBODY
                             : partition_of(plan, topic, member);

            if (at == NOBODY)
                continue;
            search->looked[topic] = 1;
            for (int32_t s = 0; s < plan->subscriber_count[topic]; s++) {
                int32_t other = plan->subscribers[topic][s];

                if (search->reached[other])
                    continue;
                search->reached[other] = 1;
                search->from[other] = at;
                search->queue[tail++] = other;
                if (plan->load[other] + 1 < plan->load[source])
                    return other;
            }
        }
    }
    return NOBODY;
}

/* Whether SOURCE could give one away, over however many others. */
static int relieve(plan_t *plan, search_t *search, int32_t source)
{
    int32_t taker = find_taker(plan, search, source);

    if (taker == NOBODY)
        return 0;
    while (taker != source) {
        int32_t at = search->from[taker], giver = plan->owners[at];

        give(plan, at, taker);
        taker = giver;
    }
    return 1;
}

static void assign_by_load(plan_t *plan, apr_pool_t *scratch)
{
    search_t search;
    int moved = 1;

    for (int32_t m = 0; m < plan->input->member_count; m++)
        keep_before(plan, m, plan->total);
    fill(plan);
    while (balance_once(plan))
        ;
    make_search(&search, plan, scratch);
    while (moved) {
        moved = 0;
        for (int32_t m = 0; m < plan->input->member_count; m++)
            moved |= relieve(plan, &search, m);
    }
}

void assignor_uniform(assignor_input_t *input, apr_pool_t *scratch)
{
    plan_t plan;

    if (input->member_count == 0)
        return;
    make_plan(&plan, input, scratch);
    if (assignor_is_homogeneous(input))
        assign_quotas(&plan);
    else
        assign_by_load(&plan, scratch);
    for (int32_t t = 0; t < input->topic_count; t++)
        for (int32_t at = plan.first[t]; at < plan.first[t + 1]; at++)
            set_add(&input->members[plan.owners[at]].after,
                    &input->topics[t].id, at - plan.first[t], 0);
}
