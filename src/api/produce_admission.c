/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the transaction coordinator before a Produce is written. */
#include "api/produce_admission.h"

#include <string.h>

#include "api/error.h"
#include "api/partition_lookup.h"
#include "api/topic_name.h"
#include "api/transaction_call.h"

typedef produce_request_partition_produce_data_t data_t;

enum { ABORTABLE_SINCE = 11, ADDS_SINCE = 12, IDS_SINCE = 13 };

typedef struct {
    request_t *request;
    void (*admitted)(void *baton);
    void *baton;
    int64_t producer_id; /* of all transactional batches, -1: there is none */
    int16_t producer_epoch;
    int16_t error; /* that concerns the whole request */
    transaction_partitions_t asked;
    produce_admission_t **waiting; /* for the answer, by the order of asked */
    int waiting_count;
} admission_t;

/* ---- the coordinator's answer ------------------------------------------- */

/* What a producer of that version can make sense of. What is worth another try
 * is said so that clients try again: NOT_ENOUGH_REPLICAS has them not even ask
 * for metadata. */
static void refuse(const request_t *request, produce_admission_t *admission,
                   int16_t error)
{
    int bumps = request->version >= ADDS_SINCE;

    admission->error = error;
    if (error == KAFKA_PRODUCER_FENCED)
        admission->error = KAFKA_INVALID_PRODUCER_EPOCH;
    else if (error == KAFKA_TRANSACTION_ABORTABLE &&
             request->version < ABORTABLE_SINCE) {
        admission->error = KAFKA_INVALID_TXN_STATE;
        admission->message = "the partition is not in the transaction";
    } else if ((error == KAFKA_CONCURRENT_TRANSACTIONS && !bumps) ||
               error == KAFKA_COORDINATOR_LOAD_IN_PROGRESS ||
               error == KAFKA_COORDINATOR_NOT_AVAILABLE ||
               error == KAFKA_NOT_COORDINATOR) {
        admission->error = KAFKA_NOT_ENOUGH_REPLICAS;
        admission->message =
            "it is not known whether the partition is in the transaction";
    }
}

static void answered(admission_t *admission, int16_t error,
                     const int16_t *errors)
{
    for (int i = 0; i < admission->waiting_count; i++) {
        int16_t mine = error || !errors ? error : errors[i];

        if (mine)
            refuse(admission->request, admission->waiting[i], mine);
    }
    admission->admitted(admission->baton);
}

static void added(transaction_call_t *call)
{
    answered(call->baton, call->error, NULL);
}

/* ---- asking ------------------------------------------------------------- */

/* Errors in the order in which the partitions were asked for. */
static void verify(admission_t *admission, wire_string_t id)
{
    request_t *request = admission->request;
    int count = admission->asked.count;
    int16_t *errors =
        apr_pcalloc(request->pool, ((apr_size_t)count + 1) * sizeof *errors);
    int16_t error = transactions_verify(
        request->broker->transactions, id, admission->producer_id,
        admission->producer_epoch, &admission->asked, errors);

    transaction_partitions_free(&admission->asked);
    answered(admission, error, errors);
}

static void ask(admission_t *admission)
{
    request_t *request = admission->request;
    const produce_request_t *body = request->body;

    if (admission->asked.count == 0) {
        admission->admitted(admission->baton);
        return;
    }
    if (request->version < ADDS_SINCE) {
        verify(admission, body->transactional_id);
        return;
    }
    transactions_add(request->broker->transactions,
                     transaction_call_create(request, added, admission),
                     body->transactional_id, admission->producer_id,
                     admission->producer_epoch, &admission->asked,
                     TRANSACTION_CLIENT_BUMPS);
}

/* Puts PARTITION on the list, sorted as the set is, so that the answers fit. */
static void put(admission_t *admission, const partition_t *partition,
                produce_admission_t *one)
{
    wire_string_t topic = wire_string_from(partition_topic_name(partition));
    int32_t index = partition_index(partition);
    int32_t before = admission->asked.count, at = 0;

    transaction_partitions_add(&admission->asked, topic, index);
    if (admission->asked.count == before) {
        one->error = KAFKA_INVALID_REQUEST; /* it comes twice */
        return;
    }
    while (admission->asked.items[at].index != index ||
           !wire_string_equal(admission->asked.items[at].topic, topic))
        at++;
    memmove(&admission->waiting[at + 1], &admission->waiting[at],
            (size_t)(admission->waiting_count - at) *
                sizeof *admission->waiting);
    admission->waiting[at] = one;
    admission->waiting_count++;
}

/* ---- the batches -------------------------------------------------------- */

static int is_transactional(const data_t *data, record_batch_t *batch)
{
    return data->records.length > 0 &&
           !record_batch_parse(batch, data->records.data,
                               (size_t)data->records.length) &&
           record_batch_is_transactional(batch);
}

/* Whether the log needs the coordinator's word, and with what guard. */
static void look(admission_t *admission, partition_t *partition,
                 const record_batch_t *batch, produce_admission_t *one)
{
    const request_t *request = admission->request;
    int bumps = request->version >= ADDS_SINCE;

    if (!bumps &&
        !config_bool(request->broker->config,
                     CONFIG_TRANSACTION_PARTITION_VERIFICATION_ENABLE)) {
        one->guard = LOG_GUARD_NONE;
        return;
    }
    one->error = api_error(log_verify(
        partition_log(partition), batch->producer_id, batch->producer_epoch,
        batch->base_sequence, bumps, &one->guard));
    if (!one->error && one->guard != LOG_GUARD_ONGOING)
        put(admission, partition, one);
}

static void take_producer(admission_t *admission, const record_batch_t *batch)
{
    const produce_request_t *body = admission->request->body;

    if (body->transactional_id.length < 0)
        admission->error = KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    else if (admission->producer_id >= 0 &&
             (admission->producer_id != batch->producer_id ||
              admission->producer_epoch != batch->producer_epoch))
        admission->error = KAFKA_INVALID_PRODUCER_ID_MAPPING;
    admission->producer_id = batch->producer_id;
    admission->producer_epoch = batch->producer_epoch;
}

static void look_at(admission_t *admission,
                    const produce_request_topic_produce_data_t *topic,
                    const data_t *data, produce_admission_t *one)
{
    record_batch_t batch;
    partition_t *partition;

    one->guard = LOG_GUARD_NONE;
    if (!is_transactional(data, &batch))
        return;
    one->guard = LOG_GUARD_ONGOING;
    take_producer(admission, &batch);
    if (admission->error || !record_batch_has_producer(&batch))
        return;
    /* What is not there is refused when it is to be written. */
    partition_lookup(admission->request->broker, &topic->name, &topic->topic_id,
                     admission->request->version >= IDS_SINCE, data->index, -1,
                     &partition);
    if (!partition)
        return;
    if (!topic_name_is_internal(partition_topic_name(partition),
                                strlen(partition_topic_name(partition))))
        look(admission, partition, &batch, one);
    partition_release(partition);
}

static int count_partitions(const produce_request_t *body)
{
    int count = 0;

    for (int32_t t = 0; t < body->topic_data_count; t++)
        count += body->topic_data[t].partition_data_count;
    return count;
}

static apr_status_t free_asked(void *baton)
{
    transaction_partitions_free(baton);
    return APR_SUCCESS;
}

static admission_t *create(request_t *request, int count)
{
    admission_t *admission = apr_pcalloc(request->pool, sizeof *admission);

    admission->request = request;
    admission->producer_id = -1;
    admission->waiting = apr_palloc(
        request->pool, ((apr_size_t)count + 1) * sizeof *admission->waiting);
    apr_pool_cleanup_register(request->pool, &admission->asked, free_asked,
                              apr_pool_cleanup_null);
    return admission;
}

void produce_admit(request_t *request, produce_admission_t *admissions,
                   void (*admitted)(void *baton), void *baton)
{
    const produce_request_t *body = request->body;
    int count = count_partitions(body);
    admission_t *admission = create(request, count);
    produce_admission_t *one = admissions;

    admission->admitted = admitted;
    admission->baton = baton;
    for (int32_t t = 0; t < body->topic_data_count; t++)
        for (int32_t p = 0; p < body->topic_data[t].partition_data_count; p++)
            look_at(admission, &body->topic_data[t],
                    &body->topic_data[t].partition_data[p], one++);
    if (!admission->error) {
        ask(admission);
        return;
    }
    for (int i = 0; i < count; i++)
        admissions[i].error = admission->error;
    admitted(baton);
}
