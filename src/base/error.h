/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takhin's own status codes, beside APR's and the operating system's. They
 * travel up as apr_status_t; api turns them into Kafka's error codes in one
 * place. A new code is one line here: it must never be given a number that
 * another one had in a release.
 */
#ifndef TAKHIN_BASE_ERROR_H
#define TAKHIN_BASE_ERROR_H

#include <apr_errno.h>

/* Name, offset from APR_OS_START_USERERR, what went wrong. */
#define TAKHIN_ERRORS(X)                                                    \
    X(TAKHIN_ECORRUPT, 1, "the data is corrupt")                            \
    X(TAKHIN_ETRUNCATED, 2, "the data ends too early")                      \
    X(TAKHIN_ETOOBIG, 3, "a size is above its limit")                       \
    X(TAKHIN_EUNSUPPORTED, 4, "a version or codec is not supported")        \
    X(TAKHIN_EOFFSET_RANGE, 5, "the offset is out of range")                \
    X(TAKHIN_EOUT_OF_ORDER, 6, "a sequence number is out of order")         \
    X(TAKHIN_EPRODUCER_FENCED, 7, "the producer's epoch is fenced")         \
    X(TAKHIN_EOFFLINE, 8, "the log directory is offline")                   \
    X(TAKHIN_EDELETED, 9, "the partition was deleted")                      \
    X(TAKHIN_EUNKNOWN_TOPIC, 10, "no such topic")                           \
    X(TAKHIN_EUNKNOWN_PARTITION, 11, "no such partition")                   \
    X(TAKHIN_EINVALID, 12, "an argument is invalid")                        \
    X(TAKHIN_ECONFIG, 13, "the configuration is invalid")                   \
    X(TAKHIN_ELOCKED, 14, "in use by another process")                      \
    X(TAKHIN_EUNKNOWN_PRODUCER, 15, "no such producer id")                  \
    X(TAKHIN_ETOPIC_EXISTS, 16, "the topic already exists")                 \
    X(TAKHIN_ETOPIC_NAME, 17, "the topic's name is invalid")                \
    X(TAKHIN_ETOPIC_COLLISION, 18, "the topic's name collides with another") \
    X(TAKHIN_EPARTITIONS, 19, "the number of partitions is invalid")        \
    X(TAKHIN_ETRANSACTION, 20, "not allowed in the transaction's state")    \
    X(TAKHIN_ECOORDINATOR_FENCED, 21, "the coordinator's epoch is fenced")

enum {
#define TAKHIN_ERROR_ENUM(name, number, text)                               \
    name = APR_OS_START_USERERR + (number),
    TAKHIN_ERRORS(TAKHIN_ERROR_ENUM)
#undef TAKHIN_ERROR_ENUM
    TAKHIN_ERROR_END_
};

/*
 * Writes what STATUS means (Takhin's, APR's or the system's) into BUFFER of
 * SIZE bytes, cut to fit, and returns BUFFER. Any thread.
 */
char *takhin_strerror(apr_status_t status, char *buffer, apr_size_t size);

#endif
