/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of net share: the connection's and the server's structs. Only
 * src/net/ may include it.
 */
#ifndef TAKHIN_NET_INTERNAL_H
#define TAKHIN_NET_INTERNAL_H

#include <apr_poll.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#include "net/buffer.h"
#include "net/connection.h"
#include "net/server.h"

/*
 * Who owns a connection. Only its owner touches anything of it but this word
 * and what is marked below; every change of owner is one compare-and-swap.
 */
typedef enum {
    CONNECTION_FREE,     /* the slot holds no connection */
    CONNECTION_RUNNING,  /* one worker owns it, or it is queued for one */
    CONNECTION_KICKED,   /* the same, and something has happened meanwhile:
                            the owner looks again before it lets go */
    CONNECTION_WAITING,  /* nobody: an exchange is in progress, or it is muted,
                            and no more is read; the end of that hands it to a
                            worker */
    CONNECTION_PARKED,   /* nobody: it is in the pollset. Whoever makes it
                            RUNNING owns it and takes it out */
    CONNECTION_ENTERING, /* queued pollset: with the listener, on its way in */
    CONNECTION_LEAVING   /* queued pollset: with the listener, on its way out
                            and to a worker */
} connection_owner_t;

/* How far an exchange is. */
typedef enum {
    EXCHANGE_DISPATCHING, /* its handler has not returned to the owner */
    EXCHANGE_PENDING,     /* it has, without an answer */
    EXCHANGE_DONE         /* answered: the connection's owner's again */
} exchange_phase_t;

#define CONNECTION_PEER_SIZE 56

/* An idle connection is this, an apr_socket_t and what the kernel has. Slots
 * are used again and never freed before the server, so that a late kick finds
 * a connection, if perhaps another one, which does no harm. */
struct connection_t {
    worker_task_t task;   /* first; also the link in the listener's queue and
                             among the free slots */
    atomic_u32_t owner;   /* connection_owner_t; anyone */
    atomic_u32_t expires; /* when parked: the server_tick at which it has been
                             silent for too long, or 0; the listener reads it */
    net_server_t *server;
    apr_socket_t *socket;
    apr_pollfd_t poll; /* in the pollset by reference */

    net_buffer_t *input;   /* what was read and is not dispatched */
    apr_size_t input_at;   /* where the next frame begins in it */
    apr_size_t last_frame; /* its size: the next is likely alike */
    net_exchange_t *first; /* in progress, in the order of arrival */
    net_exchange_t *last;
    net_exchange_t *spare; /* kept for the next frame while running */
    int outstanding;
    apr_size_t outstanding_bytes;
    int turns; /* reads since a worker took it up */
    apr_time_t muted_until;       /* nothing is read before; 0: not muted */
    base_timer_entry_t unmute;    /* kicks it then */

    unsigned readable : 1; /* the socket likely has something */
    unsigned flood : 1;    /* the last read filled its buffer */
    unsigned held : 1;     /* a whole frame waits for its turn */
    unsigned expired : 1;  /* silent for too long */
    unsigned doomed : 1;   /* cannot be polled; that was logged */
    unsigned closed : 1;   /* the socket is; exchanges may not be */
    unsigned corked : 1;
    uint8_t listener; /* index */
    char peer[CONNECTION_PEER_SIZE];
    char peer_host[CONNECTION_PEER_SIZE - 6];
    void *user;
};

#define SERVER_MAX_SOCKETS        32
#define SERVER_SLOTS_A_CHUNK      64
#define SERVER_MAX_FREE_EXCHANGES 256

typedef struct {
    apr_socket_t *socket;
    apr_pollfd_t poll;
    int listener;
    int polled;
} server_socket_t;

typedef struct server_chunk_t server_chunk_t;
struct server_chunk_t {
    server_chunk_t *next;
    connection_t slots[SERVER_SLOTS_A_CHUNK];
};

struct net_server_t {
    net_options_t options;
    net_counters_t counters;
    apr_pool_t *pool;
    worker_pool_t *workers;
    net_buffers_t *buffers;
    apr_port_t *ports; /* one a listener */

    apr_thread_mutex_t *mutex;  /* guards the lists below */
    apr_thread_cond_t *emptied; /* the last connection closed */
    apr_pool_t *slot_pool;
    server_chunk_t *chunks;
    connection_t *free_slots;
    net_exchange_t *free_exchanges;
    int free_exchange_count;
    connection_t *posted; /* the listener's queue; newest first */

    atomic_u32_t stopping; /* nothing new is begun */
    atomic_u32_t forced;   /* connections close at once */
    atomic_u32_t ended;    /* the listener ends */

    /* The listener's own. */
    apr_thread_t *thread;
    apr_pollset_t *pollset;
    int shared; /* workers may change the pollset */
    const char *pollset_name;
    server_socket_t sockets[SERVER_MAX_SOCKETS];
    int socket_count;
    int accepting;
    apr_pool_t *accept_pool; /* cleared after each accept */
    apr_time_t accept_again; /* paused until then: no descriptors */
    apr_interval_time_t sweep_interval;
    apr_time_t next_sweep;
};

/* connection.c: the task that serves a connection; its owner calls it. */
void connection_run(worker_task_t *task);

/* Something happened that the owner of CONNECTION must see; if there is none, a
 * worker becomes it. Any thread, also for a slot that is free or in use again.
 */
void connection_kick(connection_t *connection);

/* writer.c: sends what is answered, in order. APR_SUCCESS when all that is
 * answered was sent, APR_EAGAIN when the socket has no room; else *WHY says why
 * the connection must be closed, NULL when the client simply went. */
apr_status_t connection_write(connection_t *connection, const char **why);

/* Whether EXCHANGE is answered; its answer may then be looked at. */
int exchange_is_done(const net_exchange_t *exchange);

/* exchange.c. The connection's owner leases and returns. */
net_exchange_t *exchange_lease(net_server_t *server);
void exchange_return(net_server_t *server, net_exchange_t *exchange);
/* Gives up what the answer holds and clears the exchange for the next. */
void exchange_clear(net_server_t *server, net_exchange_t *exchange);
void exchange_destroy(net_exchange_t *exchange);

/* Takes the first exchange off the connection. */
void connection_retire_first(connection_t *connection);

/* server.c. The milliseconds of the monotonic clock; they wrap around. */
apr_uint32_t server_tick(void);

/* Puts CONNECTION into the pollset for what its POLL asks; returns 0
 * when it was kicked meanwhile and the caller still owns it, *STATUS an error
 * when it cannot be polled at all (and it is still owned). */
int server_park(net_server_t *server, connection_t *connection,
                apr_status_t *status);

/* Takes the parked CONNECTION, of which the caller just became the owner, out
 * of the shared pollset. */
void server_unpark(net_server_t *server, connection_t *connection);

/* Queued pollset: wakes the listener to look at CONNECTION. */
void server_post(net_server_t *server, connection_t *connection);

/* The socket of CONNECTION is closed. */
void server_closed(net_server_t *server);

/* The slot of CONNECTION is free. */
void server_free_slot(net_server_t *server, connection_t *connection);

#endif
