/* SPDX-License-Identifier: Apache-2.0 */
/* Takhin's status codes as Kafka's error codes. */
#include "api/error.h"

#include "base/error.h"
#include "protocol/error_code.h"

int16_t api_error(apr_status_t status)
{
    switch (status) {
    case APR_SUCCESS:
        return KAFKA_NONE;
    case TAKHIN_ECORRUPT:
    case TAKHIN_ETRUNCATED:
        return KAFKA_CORRUPT_MESSAGE;
    case TAKHIN_ETOOBIG:
        return KAFKA_MESSAGE_TOO_LARGE;
    case TAKHIN_EOFFSET_RANGE:
        return KAFKA_OFFSET_OUT_OF_RANGE;
    case TAKHIN_EOUT_OF_ORDER:
        return KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
    case TAKHIN_EPRODUCER_FENCED:
        return KAFKA_INVALID_PRODUCER_EPOCH;
    case TAKHIN_ETRANSACTION:
        return KAFKA_INVALID_TXN_STATE;
    case TAKHIN_ECOORDINATOR_FENCED:
        return KAFKA_TRANSACTION_COORDINATOR_FENCED;
    case TAKHIN_EDELETED:
    case TAKHIN_EUNKNOWN_TOPIC:
    case TAKHIN_EUNKNOWN_PARTITION:
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    case TAKHIN_ETOPIC_EXISTS:
    case TAKHIN_ETOPIC_COLLISION:
        return status == TAKHIN_ETOPIC_EXISTS ? KAFKA_TOPIC_ALREADY_EXISTS
                                              : KAFKA_INVALID_TOPIC_EXCEPTION;
    case TAKHIN_EPARTITIONS:
        return KAFKA_INVALID_PARTITIONS;
    case TAKHIN_EOFFLINE:
        return KAFKA_KAFKA_STORAGE_ERROR;
    default:
        /* What the file system refused has taken the directory offline. */
        return APR_STATUS_IS_ENOMEM(status) ? KAFKA_UNKNOWN_SERVER_ERROR
                                            : KAFKA_KAFKA_STORAGE_ERROR;
    }
}
