/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_bench - a request there and back, through the listener and the workers,
 * beside the least there can be: a thread that blocks in recv and sends.
 *
 *   net_bench [ROUNDS [BYTES [CONNECTIONS]]]
 *       prints a table of microseconds and of requests a second, A-B-A-B
 *   net_bench serve PORT
 *       answers Produce 3 and ApiVersions 0 without doing anything, for
 *       wirebench (rtt, produce, idle) with a topic of two letters
 */
#include <apr_general.h>
#include <apr_signal.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "net/server.h"

static int rounds = 20000, bytes = 200, connections = 4;
static apr_pool_t *pool;

static void check(apr_status_t rv, const char *what)
{
    char text[120];
    if (rv) {
        fprintf(stderr, "net_bench: %s: %s\n", what,
                apr_strerror(rv, text, sizeof(text)));
        exit(1);
    }
}

/* The server under test ----------------------------------------------------- */

static void echo(net_exchange_t *exchange)
{
    net_part_t *parts = apr_palloc(exchange->pool, sizeof(*parts));
    /* The size stands in front of the frame. */
    parts[0] = (net_part_t){.data = exchange->frame - 4,
                            .size = exchange->frame_length + 4};
    net_exchange_reply(exchange, parts, 1, NULL);
}

/* The answers that rawproduce gives, and an ApiVersions of no APIs. */
static void answer(net_exchange_t *exchange)
{
    net_part_t *parts = apr_palloc(exchange->pool, sizeof(*parts));
    int produce = bytes_get_i16(exchange->frame) == 0;
    apr_size_t size = produce ? 48 : 14;
    uint8_t *reply = apr_pcalloc(exchange->pool, size);

    bytes_put_i32(reply, (int32_t)(size - 4));
    memcpy(reply + 4, exchange->frame + 4, 4);
    if (produce) {
        reply[11] = 1;
        reply[13] = 2;
        reply[19] = 1;
    }
    parts[0] = (net_part_t){.data = reply, .size = size};
    net_exchange_reply(exchange, parts, 1, NULL);
}

static int all_overlap(const uint8_t *frame, apr_size_t length)
{
    (void)frame;
    (void)length;
    return 1;
}

static net_server_t *serve(apr_port_t port, void (*dispatch)(net_exchange_t *))
{
    net_listener_options_t *listener = apr_pcalloc(pool, sizeof(*listener));
    net_options_t options;
    net_server_t *server;
    const char *error;

    listener->name = "PLAINTEXT";
    listener->host = "127.0.0.1";
    listener->port = port;
    net_options_init(&options);
    options.listeners = listener;
    options.listener_count = 1;
    options.dispatch = dispatch;
    options.overlaps = all_overlap;
    if (net_server_start(&server, &options, &error, pool)) {
        fprintf(stderr, "net_bench: %s\n", error);
        exit(1);
    }
    return server;
}

/* The least there can be ----------------------------------------------------- */

static void receive(apr_socket_t *socket, char *data, apr_size_t size)
{
    apr_size_t got = 0;
    while (got < size) {
        apr_size_t n = size - got;
        check(apr_socket_recv(socket, data + got, &n), "receive");
        got += n;
    }
}

static void *APR_THREAD_FUNC blocking_echo(apr_thread_t *thread, void *baton)
{
    apr_socket_t *socket = baton;
    char *data = malloc((apr_size_t)bytes + 4);

    (void)thread;
    for (;;) {
        apr_size_t n = (apr_size_t)bytes + 4;
        if (apr_socket_recv(socket, data, &n))
            break;
        check(apr_socket_send(socket, data, &n), "send");
    }
    free(data);
    return NULL;
}

static void *APR_THREAD_FUNC blocking_server(apr_thread_t *thread, void *baton)
{
    apr_socket_t *listener = baton, *socket;
    apr_thread_t *child;

    (void)thread;
    while (!apr_socket_accept(&socket, listener, pool)) {
        apr_socket_opt_set(socket, APR_TCP_NODELAY, 1);
        check(apr_thread_create(&child, NULL, blocking_echo, socket, pool),
              "thread");
    }
    return NULL;
}

static apr_port_t start_blocking(void)
{
    apr_sockaddr_t *address;
    apr_socket_t *socket;
    apr_thread_t *thread;

    check(apr_sockaddr_info_get(&address, "127.0.0.1", APR_INET, 0, 0, pool),
          "address");
    check(apr_socket_create(&socket, APR_INET, SOCK_STREAM, 0, pool), "socket");
    check(apr_socket_bind(socket, address), "bind");
    check(apr_socket_listen(socket, 50), "listen");
    check(apr_socket_addr_get(&address, APR_LOCAL, socket), "address");
    check(apr_thread_create(&thread, NULL, blocking_server, socket, pool),
          "thread");
    return address->port;
}

/* Measuring ------------------------------------------------------------------- */

typedef struct {
    apr_port_t port;
    apr_time_t *took;
} client_t;

static void *APR_THREAD_FUNC client_main(apr_thread_t *thread, void *baton)
{
    client_t *client = baton;
    char *data = calloc(1, (apr_size_t)bytes + 4);
    apr_sockaddr_t *address;
    apr_socket_t *socket;
    apr_pool_t *own;
    int i;

    (void)thread;
    check(apr_pool_create(&own, NULL), "pool");
    check(apr_sockaddr_info_get(&address, "127.0.0.1", APR_INET, client->port,
                                0, own),
          "address");
    check(apr_socket_create(&socket, APR_INET, SOCK_STREAM, 0, own), "socket");
    check(apr_socket_connect(socket, address), "connect");
    apr_socket_opt_set(socket, APR_TCP_NODELAY, 1);
    bytes_put_i32((uint8_t *)data, bytes);
    for (i = 0; i < rounds; i++) {
        apr_time_t from = clock_monotonic();
        apr_size_t n = (apr_size_t)bytes + 4;
        check(apr_socket_send(socket, data, &n), "send");
        receive(socket, data, (apr_size_t)bytes + 4);
        client->took[i] = clock_monotonic() - from;
    }
    apr_socket_close(socket);
    apr_pool_destroy(own);
    free(data);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    apr_time_t x = *(const apr_time_t *)a, y = *(const apr_time_t *)b;
    return x < y ? -1 : x > y;
}

static void measure(const char *name, apr_port_t port, int count)
{
    apr_time_t *took = malloc(sizeof(*took) * (apr_size_t)(rounds * count));
    client_t *clients = calloc((apr_size_t)count, sizeof(*clients));
    apr_thread_t **threads = calloc((apr_size_t)count, sizeof(*threads));
    apr_time_t from = clock_monotonic();
    int all = rounds * count, i;
    apr_status_t rv;

    for (i = 0; i < count; i++) {
        clients[i].port = port;
        clients[i].took = took + i * rounds;
        check(apr_thread_create(&threads[i], NULL, client_main, &clients[i],
                                pool),
              "thread");
    }
    for (i = 0; i < count; i++)
        apr_thread_join(&rv, threads[i]);
    from = clock_monotonic() - from;
    qsort(took, (size_t)all, sizeof(*took), by_value);
    printf("%-16s %5d %8ld %8ld %8ld %10.0f\n", name, count,
           (long)took[all / 2], (long)took[all / 100 * 99],
           (long)took[all / 1000 * 999], all / (from / 1e6));
    free(threads);
    free(clients);
    free(took);
}

int main(int argc, const char *const *argv)
{
    int i;

    apr_app_initialize(&argc, &argv, NULL);
    apr_pool_create(&pool, NULL);
    if (argc == 3 && !strcmp(argv[1], "serve")) {
        serve((apr_port_t)atoi(argv[2]), answer);
        for (;;)
            apr_sleep(apr_time_from_sec(3600));
    }
    if (argc > 1)
        rounds = atoi(argv[1]);
    if (argc > 2)
        bytes = atoi(argv[2]);
    if (argc > 3)
        connections = atoi(argv[3]);
    printf("%-16s %5s %8s %8s %8s %10s\n", "server", "conns", "p50 us",
           "p99 us", "p99.9 us", "requests/s");
    {
        apr_port_t blocking = start_blocking();
        net_server_t *server = serve(0, echo);
        for (i = 0; i < 4; i++) {
            int count = i < 2 ? 1 : connections;
            measure("blocking thread", blocking, count);
            measure("net", net_server_port(server, 0), count);
        }
    }
    return 0;
}
