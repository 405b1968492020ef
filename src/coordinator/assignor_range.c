/* SPDX-License-Identifier: Apache-2.0 */
/* The range assignor, and what both assignors need. */
#include <stdlib.h>

#include "coordinator/assignor.h"

int assignor_is_homogeneous(const assignor_input_t *input)
{
    const assignor_member_t *first = &input->members[0];

    for (int32_t m = 1; m < input->member_count; m++)
        if (input->members[m].topic_count != first->topic_count ||
            (first->topic_count > 0 &&
             memcmp(input->members[m].topics, first->topics,
                    (size_t)first->topic_count * sizeof *first->topics)))
            return 0;
    return 1;
}

assignor_fn assignor_find(wire_string_t name)
{
    if (wire_string_equal_text(name, "uniform"))
        return assignor_uniform;
    return wire_string_equal_text(name, "range") ? assignor_range : NULL;
}

/* How a topic is cut: so many members get so many partitions each. */
typedef struct {
    int32_t members;   /* that subscribe to it */
    int32_t extra;     /* members that still get one more */
    int32_t next;      /* first partition of the next range */
} cut_t;

static int compare_text(wire_string_t a, wire_string_t b)
{
    int32_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter > 0 ? memcmp(a.data, b.data, (size_t)shorter) : 0;

    return order ? order : (a.length > b.length) - (a.length < b.length);
}

/* Static members first: their order is the same after a restart. */
static int compare_members(const void *left, const void *right)
{
    const assignor_member_t *a = *(assignor_member_t *const *)left;
    const assignor_member_t *b = *(assignor_member_t *const *)right;

    if (a->instance_id.length >= 0 && b->instance_id.length >= 0)
        return compare_text(a->instance_id, b->instance_id);
    if (a->instance_id.length >= 0 || b->instance_id.length >= 0)
        return a->instance_id.length >= 0 ? -1 : 1;
    return compare_text(a->id, b->id);
}

static void give_range(const assignor_topic_t *topic, cut_t *cut,
                       assignor_member_t *member)
{
    int32_t quota = topic->partitions / cut->members;
    int32_t end;

    if (cut->extra > 0) {
        quota++;
        cut->extra--;
    }
    end = cut->next + quota;
    if (end > topic->partitions)
        end = topic->partitions;
    for (; cut->next < end; cut->next++)
        set_add(&member->after, &topic->id, cut->next, 0);
}

void assignor_range(assignor_input_t *input, apr_pool_t *scratch)
{
    cut_t *cuts = apr_pcalloc(
        scratch, ((apr_size_t)input->topic_count + 1) * sizeof *cuts);
    assignor_member_t **sorted = apr_palloc(
        scratch, ((apr_size_t)input->member_count + 1) * sizeof *sorted);

    for (int32_t m = 0; m < input->member_count; m++) {
        sorted[m] = &input->members[m];
        for (int32_t t = 0; t < sorted[m]->topic_count; t++)
            cuts[sorted[m]->topics[t]].members++;
    }
    for (int32_t t = 0; t < input->topic_count; t++)
        if (cuts[t].members > 0)
            cuts[t].extra = input->topics[t].partitions % cuts[t].members;
    qsort(sorted, (size_t)input->member_count, sizeof *sorted,
          compare_members);
    for (int32_t m = 0; m < input->member_count; m++)
        for (int32_t t = 0; t < sorted[m]->topic_count; t++) {
            int32_t topic = sorted[m]->topics[t];

            give_range(&input->topics[topic], &cuts[topic], sorted[m]);
        }
}
