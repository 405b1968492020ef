/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exchange: one frame that came in, and the parts of its answer. It owns
 * what a request needs while it is in progress (a pool, buffers) and goes back
 * to a list of free ones afterwards, cleared: that is what keeps an idle
 * connection small and the path of a request free of malloc. net knows
 * nothing of what is in a frame.
 */
#ifndef TAKHIN_NET_EXCHANGE_H
#define TAKHIN_NET_EXCHANGE_H

#include <apr_file_io.h>
#include <apr_pools.h>
#include <apr_time.h>
#include <stdint.h>

#include "base/atomic.h"

typedef struct connection_t connection_t;
typedef struct net_exchange_t net_exchange_t;

/* A piece of an answer: SIZE bytes of memory at DATA, or, when DATA is NULL,
 * of FILE from OFFSET on. File pieces that follow each other and together are
 * large go by sendfile, also those that by themselves are small: RUN, unless it
 * is 0, says how large they are together. */
typedef struct {
    const uint8_t *data;
    apr_file_t *file;
    apr_off_t offset;
    apr_size_t size;
    apr_size_t run;
} net_part_t;

struct net_exchange_t {
    connection_t *connection;
    apr_pool_t *pool; /* cleared after the answer */
    uint8_t *frame;   /* without its size; writable */
    apr_size_t frame_length;
    apr_time_t received; /* clock_monotonic() when it was whole */
    void *room;          /* net_options_t.room_size bytes, as the last exchange
                            left them */

    /* What follows is net's own. */
    net_exchange_t *next;
    atomic_u32_t phase;
    int overlaps;                /* others of its kind may follow at once */
    struct net_buffer_t *input;  /* holds FRAME */
    struct net_buffer_t *copied; /* file parts too small for sendfile */
    net_part_t *parts;
    int part_count;
    int part;             /* the first that is not sent whole */
    apr_size_t part_sent; /* bytes of it that are sent */
    int zero_copied;      /* a part went from file to socket directly */
    void (*release)(net_exchange_t *exchange);
    const char *why;            /* to disconnect */
    apr_interval_time_t mute;   /* after the answer */
};

/*
 * Answers with the COUNT pieces at PARTS, which lie in the exchange's pool
 * and are net's from here on. RELEASE, unless it is NULL, is called once
 * when they were sent or never will be, from a worker. Each exchange is ended
 * once by one of these three, from any thread, and is gone afterwards.
 */
void net_exchange_reply(net_exchange_t *exchange, net_part_t *parts, int count,
                        void (*release)(net_exchange_t *exchange));

/* Before one of these: for so many microseconds after the answer nothing more
 * is read from the connection (KIP-219). No thread waits for it. */
void net_exchange_mute(net_exchange_t *exchange, apr_interval_time_t time);

/* Ends an exchange that has no answer. */
void net_exchange_done(net_exchange_t *exchange);

/* Closes the connection, after the answers before this one, and logs WHY (a
 * constant, or in the exchange's pool). */
void net_exchange_disconnect(net_exchange_t *exchange, const char *why);

#endif
