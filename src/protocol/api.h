/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which message belongs to which key: the requests and responses of every API
 * that is known, and the records of the logs that the broker keeps for itself.
 * What is known is not what is served: that is api/table.h. The tables are
 * generated from the schemas.
 */
#ifndef TAKHIN_PROTOCOL_API_H
#define TAKHIN_PROTOCOL_API_H

#include "protocol/request_header.h"
#include "protocol/response_header.h"
#include "protocol/wire.h"

/* Who listens for an API, in Apache Kafka: bits of protocol_api_t.listeners. */
enum { PROTOCOL_BROKER = 1, PROTOCOL_CONTROLLER = 2 };

typedef struct protocol_api_t {
    int16_t key;
    int16_t min_version; /* known; the response knows the same */
    int16_t max_version;
    int16_t flexible; /* first flexible version, INT16_MAX: none */
    const char *name; /* "Fetch" */
    const wire_message_t *request;
    const wire_message_t *response;
    unsigned listeners;
} protocol_api_t;

/* The API of KEY, or NULL. */
const protocol_api_t *protocol_api(int16_t key);

/* "Fetch", or "unknown". */
const char *protocol_api_name(int16_t key);

/* Every message there is, in the order of their names. */
const wire_message_t *const *protocol_messages(int *count);

/* By its full name ("FetchRequest"), or NULL. */
const wire_message_t *protocol_message(const char *name);

/*
 * The header's version that goes with an API's VERSION: 1 or 2 for a request, 0
 * or 1 for a response. ApiVersions responses are always under version 0: the
 * client does not know yet what the broker speaks (KIP-511). Unknown keys have
 * the oldest header.
 */
int16_t protocol_request_header_version(int16_t key, int16_t version);
int16_t protocol_response_header_version(int16_t key, int16_t version);

/* Decodes the header that IN begins with, at the version that its own first
 * four bytes call for. Errors as wire_message_decode. */
apr_status_t protocol_request_header_decode(request_header_t *header,
                                            wire_reader_t *in);

/*
 * The message of a record's KEY, or NULL. In __cluster_metadata the key and
 * version stand before the record's body; in the coordinators' logs the 16-bit
 * number that a record's key begins with is KEY, and the one that its value
 * begins with is the value's version.
 */
const wire_message_t *metadata_record(int16_t key);
const wire_message_t *group_record_key(int16_t key);
const wire_message_t *group_record_value(int16_t key);
const wire_message_t *transaction_record_key(int16_t key);
const wire_message_t *transaction_record_value(int16_t key);
const wire_message_t *share_record_key(int16_t key);
const wire_message_t *share_record_value(int16_t key);

#endif
