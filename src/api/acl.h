/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codes of access rules (KIP-11, KIP-290). Kafka closes the connection of
 * who sends 0, "unknown", on purpose; other codes without a meaning pass.
 */
#ifndef TAKHIN_API_ACL_H
#define TAKHIN_API_ACL_H

#include <stdint.h>

static inline int acl_is_known(int8_t resource, int8_t pattern,
                               int8_t operation, int8_t permission)
{
    return resource && pattern && operation && permission;
}

#define ACL_UNKNOWN "an access rule with a code for \"unknown\""

#endif
