/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takhin's own statuses, beside those of APR and the system: one table. A
 * status travels up as apr_status_t and becomes a Kafka error code in one
 * place, in api/.
 */
#ifndef TAKHIN_BASE_ERRORS_H
#define TAKHIN_BASE_ERRORS_H

#include <apr_errno.h>

#define ERRORS_TABLE(X)                                                        \
    X(TAKHIN_EMALFORMED, "malformed data")                                     \
    X(TAKHIN_ECORRUPT, "data does not match its checksum")                     \
    X(TAKHIN_EUNSUPPORTED, "not supported")                                    \
    X(TAKHIN_ETOO_LARGE, "larger than allowed")                                \
    X(TAKHIN_EINVALID, "invalid argument")                                     \
    X(TAKHIN_ECONFIG, "invalid configuration")                                 \
    X(TAKHIN_EOFFLINE, "log directory is offline")                             \
    X(TAKHIN_EDELETED, "has been deleted")                                     \
    X(TAKHIN_EOFFSET_RANGE, "offset out of range")                             \
    X(TAKHIN_EOUT_OF_ORDER, "sequence number out of order")                    \
    X(TAKHIN_EPRODUCER_FENCED, "producer is fenced")                           \
    X(TAKHIN_EUNKNOWN_PRODUCER, "unknown producer id")                         \
    X(TAKHIN_EUNKNOWN_TOPIC, "unknown topic or partition")                     \
    X(TAKHIN_ETOPIC_EXISTS, "topic already exists")                            \
    X(TAKHIN_ETOPIC_COLLISION, "topic name collides with another")             \
    X(TAKHIN_ETOPIC_NAME, "invalid topic name")                                \
    X(TAKHIN_EPARTITIONS, "invalid number of partitions")                      \
    X(TAKHIN_ELOCKED, "in use by another process")

enum {
    TAKHIN_ERRORS_BEFORE = APR_OS_START_USERERR,
#define ERRORS_ENUM(name, text) name,
    ERRORS_TABLE(ERRORS_ENUM)
#undef ERRORS_ENUM
        TAKHIN_ERRORS_AFTER
};

/*
 * The text of any apr_status_t, ours, APR's or the system's, written into
 * BUFFER of SIZE bytes, which is returned. Any thread.
 */
char *error_text(apr_status_t status, char *buffer, apr_size_t size);

#endif
