/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DeleteGroups: each group is deleted in its own shard, and the answer waits
 * for the last of them.
 */
#include "api/group_call.h"
#include "api/handlers.h"
#include "base/atomic.h"
#include "coordinator/memory.h"
#include "protocol/delete_groups_request.h"
#include "protocol/delete_groups_response.h"

typedef struct {
    request_t *request;
    delete_groups_response_t response;
    atomic_u32_t left;         /* groups, and one for the handler itself */
} deletion_t;

/* Each call has a pool of its own: they end in any thread. */
typedef struct {
    group_call_t call;         /* first */
    deletion_t *deletion;
    int32_t index;
} one_t;

static void release(deletion_t *deletion)
{
    if (atomic_add32(&deletion->left, -1) == 0)
        request_reply(deletion->request, &deletion->response);
}

static void deleted(group_call_t *call, const void *response)
{
    one_t *one = (one_t *)call;
    deletion_t *deletion = one->deletion;

    deletion->response.results[one->index].error_code =
        *(const int16_t *)response;
    apr_pool_destroy(call->pool);
    free(one);
    release(deletion);
}

static int is_twin(const deletion_t *deletion, wire_string_t name)
{
    for (int32_t i = 0; i < deletion->response.results_count; i++)
        if (wire_string_equal(deletion->response.results[i].group_id, name))
            return 1;
    return 0;
}

static void delete_one(deletion_t *deletion, int32_t index)
{
    one_t *one = memory_new(sizeof *one);

    one->deletion = deletion;
    one->index = index;
    one->call.done = deleted;
    TAKHIN_ASSERT(!apr_pool_create(&one->call.pool, NULL));
    group_delete(deletion->request->broker->groups, &one->call,
                 deletion->response.results[index].group_id);
}

void handle_delete_groups(request_t *request)
{
    const delete_groups_request_t *body = request->body;
    deletion_t *deletion = apr_pcalloc(request->pool, sizeof *deletion);
    int32_t count = 0;

    deletion->request = request;
    delete_groups_response_init(&deletion->response);
    deletion->response.results = apr_pcalloc(
        request->pool, ((apr_size_t)body->groups_names_count + 1) *
                           sizeof *deletion->response.results);
    for (int32_t g = 0; g < body->groups_names_count; g++)
        if (!is_twin(deletion, body->groups_names[g]))
            deletion->response.results[deletion->response.results_count++]
                .group_id = body->groups_names[g];
    count = deletion->response.results_count;
    atomic_set32(&deletion->left, (apr_uint32_t)count + 1);
    for (int32_t i = 0; i < count; i++)
        delete_one(deletion, i);
    release(deletion);
}
