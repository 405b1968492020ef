#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several requests at once on one connection, and how long one may be silent."""
import threading

from calls import *


@test
def requests_of_all_kinds_are_answered_in_the_order_they_came(node):
    node.create("mixed")
    with node.connect() as peer:
        for i in range(40):
            peer.send("Produce", 9, produce_body(
                "mixed", batch([b"%d" % i]), acks=(-1, 1)[i % 2]))
            if i % 3 == 0:
                peer.send("ApiVersions", 2)
            if i % 5 == 0:
                peer.send("Fetch", 12, fetch_body("mixed", i))
            if i % 7 == 0:
                peer.send("Produce", 9, produce_body(
                    "mixed", batch([b"silent"]), partition=9, acks=-1))
        offset = 0
        while peer.sent:
            api = peer.sent[0][0]
            answer = peer.receive()     # checks the correlation id
            if api == "Produce":
                part = answer["responses"][0]["partition_responses"][0]
                if part["index"] == 0:
                    equal((part["error_code"], part["base_offset"]),
                          (0, offset), "a batch")
                    offset += 1
            if api == "Fetch":
                part = answer["responses"][0]["partitions"][0]
                true(part["high_watermark"] >= offset,
                     "a fetch sees what was produced before it")
        equal(offset, 40, "batches")


@test
def three_hundred_batches_with_acks_all_are_all_answered(node):
    node.create("flushed")
    with node.connect() as peer:
        for i in range(300):            # more than may be in progress
            peer.send("Produce", 9, produce_body("flushed",
                                                 batch([b"x" * 100])))
        for i in range(300):
            part = peer.receive()["responses"][0]["partition_responses"][0]
            equal((part["error_code"], part["base_offset"]), (0, i))


@test
def what_follows_a_waiting_fetch_waits_and_nobody_else(node):
    node.create("quiet")
    with node.connect() as waiting, node.connect() as other:
        waiting.send("Fetch", 12, fetch_body("quiet", 0, max_wait_ms=60000,
                                             min_bytes=1))
        waiting.send("ApiVersions", 2)
        for _ in range(20):
            equal(other.call("ApiVersions", 2)["error_code"], 0)
        true(waiting.is_quiet(0.1), "the fetch waits")
        equal(produce(other, "quiet", batch([b"news"]))["error_code"], 0)
        part = waiting.receive()["responses"][0]["partitions"][0]
        equal([value for _, value in values(part["records"])], [b"news"])
        equal(waiting.receive()["error_code"], 0)


@test
def a_consumer_that_goes_while_it_waits_disturbs_nobody(node):
    node.create("left")
    peers = [node.connect() for _ in range(50)]
    for peer in peers:
        peer.send("Fetch", 12, fetch_body("left", 0, max_wait_ms=60000,
                                          min_bytes=1))
    for peer in peers[:25]:
        peer.close()
    with node.connect() as producer:
        equal(produce(producer, "left", batch([b"news"]))["error_code"], 0)
    for peer in peers[25:]:
        part = peer.receive()["responses"][0]["partitions"][0]
        equal([value for _, value in values(part["records"])], [b"news"])
        peer.close()


@test
def many_producers_and_waiting_consumers_get_what_is_theirs(node):
    node.create("busy", partitions=4)
    failures = []

    def consume(partition):
        try:
            with node.connect() as peer:
                got = 0
                while got < 100:
                    part = fetch(peer, "busy", got, partition=partition,
                                 max_wait_ms=60000, min_bytes=1)
                    for offset, value in values(part["records"], whole=False):
                        equal((offset, value), (got, b"%d-%d" % (partition,
                                                                 got)))
                        got += 1
        except Exception as failure:    # told by the test's own thread
            failures.append(failure)

    threads = [threading.Thread(target=consume, args=(i % 4,))
               for i in range(12)]
    for thread in threads:
        thread.start()
    with node.connect() as peer:
        for i in range(100):
            for partition in range(4):
                peer.send("Produce", 9, produce_body(
                    "busy", batch([b"%d-%d" % (partition, i)]),
                    partition=partition, acks=(1, -1)[i % 2]))
        while peer.sent:
            peer.receive()
    for thread in threads:
        thread.join()
    equal(failures, [])


@test
def a_silent_connection_is_closed_after_connections_max_idle_ms(node):
    with broker(connections_max_idle_ms=300) as other, \
            other.connect() as silent:
        equal(silent.call("ApiVersions", 2)["error_code"], 0)
        true(silent.is_closed(), "it is closed")
        with other.connect() as peer:
            equal(peer.call("ApiVersions", 2)["error_code"], 0)


main(broker)
