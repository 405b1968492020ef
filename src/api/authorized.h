/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations a client is told it may do (KIP-430), as bits by the code of
 * the ACL operation. Without an authorizer everyone may do all that a kind of
 * resource has.
 */
#ifndef TAKHIN_API_AUTHORIZED_H
#define TAKHIN_API_AUTHORIZED_H

#include <stdint.h>

enum {
    OPERATION_READ = 1 << 3,
    OPERATION_WRITE = 1 << 4,
    OPERATION_CREATE = 1 << 5,
    OPERATION_DELETE = 1 << 6,
    OPERATION_ALTER = 1 << 7,
    OPERATION_DESCRIBE = 1 << 8,
    OPERATION_CLUSTER_ACTION = 1 << 9,
    OPERATION_DESCRIBE_CONFIGS = 1 << 10,
    OPERATION_ALTER_CONFIGS = 1 << 11,
    OPERATION_IDEMPOTENT_WRITE = 1 << 12
};

#define AUTHORIZED_TOPIC                                                      \
    (OPERATION_READ | OPERATION_WRITE | OPERATION_CREATE | OPERATION_DELETE | \
     OPERATION_ALTER | OPERATION_DESCRIBE | OPERATION_DESCRIBE_CONFIGS |      \
     OPERATION_ALTER_CONFIGS)
#define AUTHORIZED_CLUSTER                                                    \
    (OPERATION_CREATE | OPERATION_ALTER | OPERATION_DESCRIBE |                \
     OPERATION_CLUSTER_ACTION | OPERATION_DESCRIBE_CONFIGS |                  \
     OPERATION_ALTER_CONFIGS | OPERATION_IDEMPOTENT_WRITE)
#define AUTHORIZED_GROUP                                                      \
    (OPERATION_READ | OPERATION_DELETE | OPERATION_DESCRIBE |                 \
     OPERATION_DESCRIBE_CONFIGS | OPERATION_ALTER_CONFIGS)

/* What the answer carries when the client did not ask. */
#define AUTHORIZED_NOT_ASKED INT32_MIN

#endif
