/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between a request and the group coordinator: a call whose answer is the
 * request's, as it is.
 */
#ifndef TAKHIN_API_GROUP_CALL_H
#define TAKHIN_API_GROUP_CALL_H

#include "api/context.h"
#include "coordinator/groups.h"

/* A call in the request's pool that replies with the response it gets. A
 * handler that has to work on the response sets another DONE; BATON is the
 * request. */
group_call_t *group_call_create(request_t *request);

/* Whether PARTITION of TOPIC is in IMAGE. */
int group_partition_exists(const metadata_image_t *image, wire_string_t topic,
                           int32_t partition);

#endif
