/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The response writer: one loop that gathers memory parts, of as many
 * answered exchanges as there are, into one vectored send, sends each large
 * file part by takhin_send_file, and goes on at the very byte where the socket
 * had no more room. A file part below the crossover is read into a buffer and
 * becomes a memory part. It never waits and never reorders.
 */
#include "net/internal.h"
#include "net/socket.h"

#define GATHER_MAX 64 /* pieces in one vectored send */

/* Enough for small file parts; one that doesn't fit goes with the next send. */
#define COPY_BUFFER (256 * 1024)

typedef struct {
    struct iovec pieces[GATHER_MAX];
    int count;
    apr_size_t size;
    int more; /* a large file part follows at once */
} gathered_t;

static int is_large_file(const net_server_t *server, const net_part_t *part)
{
    apr_size_t size = part->run ? part->run : part->size;
    return !part->data && size >= server->options.sendfile_min_bytes;
}

/* How much of EXCHANGE's small file parts, from PART on, to hold in memory. */
static apr_size_t copy_size(const net_server_t *server,
                            const net_exchange_t *exchange,
                            const net_part_t *part)
{
    const net_part_t *end = exchange->parts + exchange->part_count;
    apr_size_t size = part->size;

    while (++part < end && size < COPY_BUFFER)
        if (!part->data && !is_large_file(server, part))
            size += part->size;
    return size;
}

/* Makes a memory part of the small file part PART. APR_INCOMPLETE: what is
 * copied already must be sent first. */
static apr_status_t copy_part(net_server_t *server, net_exchange_t *exchange,
                              net_part_t *part)
{
    takhin_reader_t reader =
        takhin_reader(part->file, part->offset, (apr_off_t)part->size);
    net_buffer_t *copied = exchange->copied;
    apr_size_t length = part->size;
    apr_status_t rv;

    if (!copied) {
        copied = net_buffer_lease(server->buffers,
                                  copy_size(server, exchange, part));
        if (!copied)
            return APR_ENOMEM;
        exchange->copied = copied;
    }
    if (copied->capacity - copied->used < part->size) {
        if (copied->used)
            return APR_INCOMPLETE;
        if (!net_buffer_grow(&exchange->copied, part->size))
            return APR_ENOMEM;
        copied = exchange->copied;
    }
    rv = takhin_reader_read(&reader, copied->data + copied->used, &length);
    if (rv == APR_SUCCESS && length < part->size)
        rv = APR_EOF;
    if (rv)
        return rv;
    part->data = copied->data + copied->used;
    copied->used += length;
    return APR_SUCCESS;
}

/* Gathers what memory parts of EXCHANGE come next; sets *STOP where no more of
 * the connection can be gathered behind them. */
static apr_status_t gather_exchange(net_server_t *server,
                                    net_exchange_t *exchange,
                                    gathered_t *gathered, int *stop)
{
    int i;

    for (i = exchange->part; i < exchange->part_count; i++) {
        net_part_t *part = &exchange->parts[i];
        apr_size_t skip = i == exchange->part ? exchange->part_sent : 0;

        if (part->size == skip)
            continue;
        *stop = 1;
        if (gathered->count == GATHER_MAX)
            return APR_SUCCESS;
        if (is_large_file(server, part)) {
            gathered->more = 1;
            return APR_SUCCESS;
        }
        if (!part->data) {
            apr_status_t rv = copy_part(server, exchange, part);
            if (rv)
                return rv == APR_INCOMPLETE ? APR_SUCCESS : rv;
        }
        *stop = 0;
        gathered->pieces[gathered->count].iov_base =
            (void *)(part->data + skip);
        gathered->pieces[gathered->count].iov_len = part->size - skip;
        gathered->count++;
        gathered->size += part->size - skip;
    }
    return APR_SUCCESS;
}

static apr_status_t gather(connection_t *connection, gathered_t *gathered)
{
    net_exchange_t *exchange = connection->first;
    apr_status_t rv = APR_SUCCESS;
    int stop = 0;

    gathered->count = 0;
    gathered->size = 0;
    gathered->more = 0;
    for (; exchange && !stop && !rv; exchange = exchange->next) {
        if (!exchange_is_done(exchange) || exchange->why)
            break;
        rv = gather_exchange(connection->server, exchange, gathered, &stop);
    }
    return rv;
}

/* Takes SENT bytes off the front; exchanges that are sent whole go. */
static void advance(connection_t *connection, apr_size_t sent)
{
    net_exchange_t *exchange;

    atomic_add64(&connection->server->counters.bytes_out, (apr_int64_t)sent);
    while ((exchange = connection->first) && exchange_is_done(exchange) &&
           !exchange->why) {
        while (exchange->part < exchange->part_count) {
            apr_size_t left =
                exchange->parts[exchange->part].size - exchange->part_sent;
            if (sent < left) {
                exchange->part_sent += sent;
                return;
            }
            sent -= left;
            exchange->part++;
            exchange->part_sent = 0;
            if (exchange->copied && exchange->part < exchange->part_count &&
                !exchange->parts[exchange->part].data)
                exchange->copied->used = 0; /* all that was in it is sent */
        }
        connection_retire_first(connection);
    }
}

static apr_status_t send_gathered(connection_t *connection,
                                  const gathered_t *gathered)
{
    apr_size_t sent;
    apr_status_t rv = net_socket_send(connection->socket, gathered->pieces,
                                      gathered->count, gathered->more, &sent);
    connection->corked |= gathered->more;
    advance(connection, sent);
    return rv;
}

/* Sends what is left of the large file part that comes next. */
static apr_status_t send_file(connection_t *connection, const char **why)
{
    net_exchange_t *exchange = connection->first;
    net_part_t *part = &exchange->parts[exchange->part];
    takhin_destination_t to = takhin_to_socket(connection->socket);
    apr_off_t sent;
    apr_status_t rv;

    rv = takhin_send_file(&to, part->file,
                          part->offset + (apr_off_t)exchange->part_sent,
                          (apr_off_t)(part->size - exchange->part_sent),
                          &connection->server->counters.zerocopy, &sent);
    exchange->zero_copied = 1;
    if (rv == APR_EOF)
        *why = "a segment is shorter than what its index promised";
    advance(connection, (apr_size_t)sent);
    return rv;
}

/* One step: APR_INCOMPLETE when nothing more is answered. */
static apr_status_t write_step(connection_t *connection, const char **why)
{
    net_exchange_t *exchange = connection->first;
    gathered_t gathered;
    apr_status_t rv;

    if (!exchange || !exchange_is_done(exchange))
        return APR_INCOMPLETE;
    if (exchange->why) {
        *why = exchange->why;
        return APR_EGENERAL;
    }
    rv = gather(connection, &gathered);
    if (gathered.count)
        return send_gathered(connection, &gathered);
    if (rv) {
        *why = rv == APR_EOF ? "a segment is shorter than what its index "
                               "promised"
                             : "a segment cannot be read";
        return rv;
    }
    if (exchange->part < exchange->part_count &&
        is_large_file(connection->server, &exchange->parts[exchange->part]))
        return send_file(connection, why);
    advance(connection, 0); /* nothing of it is left, or never was */
    return APR_SUCCESS;
}

apr_status_t connection_write(connection_t *connection, const char **why)
{
    apr_status_t rv;

    *why = NULL;
    do
        rv = write_step(connection, why);
    while (rv == APR_SUCCESS);
    if (APR_STATUS_IS_EAGAIN(rv))
        return APR_EAGAIN;
    if (connection->corked) {
        connection->corked = 0;
        net_socket_uncork(connection->socket);
    }
    return rv == APR_INCOMPLETE ? APR_SUCCESS : rv;
}
