#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Fetch promises: limits, waiting, sessions and errors."""
import time

from calls import *

SMALL = b"x" * 1000


def fill(node, name, sizes=(), partitions=1, **configs):
    """A topic with one batch for each of SIZES in partition 0."""
    topic = node.create(name, partitions, **configs)
    with node.connect() as peer:
        for size in sizes:
            equal(produce(peer, name, batch([b"v" * size]))["error_code"], 0)
    return topic


@cases("version {} brings what was produced", range(4, 19))
def versions(node, version):
    name = f"fetch-v{version}"
    topic = node.create(name)
    with node.connect() as peer:
        produce(peer, name, batch([b"one", b"two"]))
        produce(peer, name, batch([b"three"], codec=GZIP))
        part = fetch(peer, topic if version > 12 else name, 0, version)
    equal(part["error_code"], 0)
    equal(part["high_watermark"], 3)
    equal(part["last_stable_offset"], 3)
    equal(values(part["records"]), [(0, b"one"), (1, b"two"), (2, b"three")])


@test
def an_offset_inside_a_batch_brings_the_whole_batch(node):
    fill(node, "inside")
    with node.connect() as peer:
        produce(peer, "inside", batch([b"a", b"b", b"c"]))
        produce(peer, "inside", batch([b"d", b"e"]))
        part = fetch(peer, "inside", 1)
        equal(values(part["records"])[0][0], 0, "first offset that came")
        part = fetch(peer, "inside", 3)
        equal(values(part["records"])[0][0], 3, "first offset that came")


@test
def the_end_of_the_log_brings_no_records_and_no_error(node):
    fill(node, "end", [10, 10])
    with node.connect() as peer:
        part = fetch(peer, "end", 2)
        equal((part["error_code"], part["records"] or b""), (0, b""))
        equal(part["high_watermark"], 2)


@cases("offset {} is out of range", [3, 1000, -1, 1 << 62])
def out_of_range(node, offset):
    if "range" not in made:
        made.add("range")
        fill(node, "range", [10, 10])
    with node.connect() as peer:
        part = fetch(peer, "range", offset, max_wait_ms=60000, min_bytes=1)
        equal(part["error_code"], 1)
        equal(part["records"] or b"", b"")


made = set()


@test
def min_bytes_zero_is_answered_at_once(node):
    fill(node, "at-once")
    with node.connect() as peer:
        begin = time.monotonic()
        fetch(peer, "at-once", 0, min_bytes=0, max_wait_ms=60000)
        true(time.monotonic() - begin < 30, "no wait")


@test
def an_empty_fetch_waits_max_wait_ms(node):
    fill(node, "waits")
    with node.connect() as peer:
        begin = time.monotonic()
        part = fetch(peer, "waits", 0, min_bytes=1, max_wait_ms=400)
        true(time.monotonic() - begin >= 0.39, "it waited")
        equal((part["error_code"], part["records"] or b""), (0, b""))


@test
def a_produce_wakes_a_waiting_fetch(node):
    fill(node, "wakes")
    with node.connect() as waiting, node.connect() as peer:
        waiting.send("Fetch", 12, fetch_body("wakes", 0, min_bytes=1,
                                             max_wait_ms=100000))
        true(waiting.is_quiet(0.2), "it waits")
        produce(peer, "wakes", batch([b"news"]))
        part = waiting.receive()["responses"][0]["partitions"][0]
        equal(values(part["records"]), [(0, b"news")])
        equal(part["high_watermark"], 1)


@test
def a_fetch_waits_until_min_bytes_have_come(node):
    fill(node, "min")
    with node.connect() as waiting, node.connect() as peer:
        waiting.send("Fetch", 12, fetch_body("min", 0, min_bytes=2500,
                                             max_wait_ms=100000))
        for _ in range(2):
            produce(peer, "min", batch([SMALL]))
            true(waiting.is_quiet(0.1), "too little to be woken")
        produce(peer, "min", batch([SMALL]))
        part = waiting.receive()["responses"][0]["partitions"][0]
        equal([offset for offset, _ in values(part["records"])], [0, 1, 2])


@test
def min_bytes_counts_all_partitions_together(node):
    fill(node, "sum", partitions=2)
    with node.connect() as waiting, node.connect() as peer:
        body = fetch_body("sum", 0, min_bytes=1500, max_wait_ms=100000)
        body["topics"][0]["partitions"].append(
            {**body["topics"][0]["partitions"][0], "partition": 1})
        waiting.send("Fetch", 12, body)
        produce(peer, "sum", batch([SMALL]))
        true(waiting.is_quiet(0.1), "too little to be woken")
        produce(peer, "sum", batch([SMALL]), partition=1)
        answer = waiting.receive()
        equal([len(values(p["records"])) for p in
               answer["responses"][0]["partitions"]], [1, 1])


@test
def a_waiting_fetch_whose_client_leaves_disturbs_nobody(node):
    fill(node, "leaves")
    for _ in range(20):
        with node.connect() as waiting:
            waiting.send("Fetch", 12, fetch_body("leaves", 0, min_bytes=1,
                                                 max_wait_ms=100000))
    with node.connect() as peer:
        produce(peer, "leaves", batch([b"still"]))
        equal(read_all(peer, "leaves"), [(0, b"still")])


@test
def deleting_the_topic_ends_a_waiting_fetch(node):
    fill(node, "deleted")
    with node.connect() as waiting, node.connect() as peer:
        waiting.send("Fetch", 12, fetch_body("deleted", 0, min_bytes=1,
                                             max_wait_ms=20000))
        true(waiting.is_quiet(0.1), "it waits")
        peer.call("DeleteTopics", 5, topic_names=["deleted"],
                  timeout_ms=30000)
        part = waiting.receive()["responses"][0]["partitions"][0]
        true(part["error_code"] in (0, 3, 6), "an error that fits: "
             + str(part["error_code"]))


@test
def many_fetches_wait_for_one_produce(node):
    fill(node, "many")
    waiting = [node.connect() for _ in range(50)]
    for peer in waiting:
        peer.send("Fetch", 12, fetch_body("many", 0, min_bytes=1,
                                          max_wait_ms=100000))
    with node.connect() as peer:
        produce(peer, "many", batch([b"all"]))
    for peer in waiting:
        part = peer.receive()["responses"][0]["partitions"][0]
        equal(values(part["records"]), [(0, b"all")])
        peer.close()


@test
def pipelined_requests_are_answered_in_order(node):
    fill(node, "order", [10, 20, 30])
    with node.connect() as peer:
        peer.send("Fetch", 12, fetch_body("order", 3, min_bytes=1,
                                          max_wait_ms=300))
        for offset in (2, 0, 1):
            peer.send("Fetch", 12, fetch_body("order", offset,
                                              partition_max_bytes=1))
        peer.send("ApiVersions", 2)
        firsts = []
        for _ in range(4):
            part = peer.receive()["responses"][0]["partitions"][0]
            firsts += [o for o, _ in values(part["records"] or b"")]
        equal(firsts, [2, 0, 1])
        equal(peer.receive()["error_code"], 0)


@test
def partition_max_bytes_limits_what_comes(node):
    fill(node, "limit", [1000] * 10)
    with node.connect() as peer:
        part = fetch(peer, "limit", 0, partition_max_bytes=3500)
        true(len(part["records"]) <= 3500, "not above the limit")
        equal(len(values(part["records"], whole=False)), 3)


@test
def the_first_batch_comes_however_small_the_limits_are(node):
    fill(node, "first", [5000, 10])
    with node.connect() as peer:
        part = fetch(peer, "first", 0, partition_max_bytes=1, max_bytes=1)
        equal(values(part["records"]), [(0, b"v" * 5000)])


@test
def only_the_first_partition_may_exceed_the_limits(node):
    fill(node, "two", [5000], partitions=2)
    with node.connect() as peer:
        produce(peer, "two", batch([b"w" * 5000]), partition=1)
        body = fetch_body("two", 0, partition_max_bytes=100)
        body["topics"][0]["partitions"].insert(
            0, {**body["topics"][0]["partitions"][0], "partition": 1})
        answer = peer.call("Fetch", 12, body)
        sizes = {p["partition_index"]:
                 len(values(p["records"] or b"", whole=False))
                 for p in answer["responses"][0]["partitions"]}
        equal(sizes, {1: 1, 0: 0}, "batches that came by partition")


@test
def max_bytes_limits_all_partitions_together(node):
    fill(node, "together", [1000] * 4, partitions=2)
    with node.connect() as peer:
        for _ in range(4):
            produce(peer, "together", batch([SMALL]), partition=1)
        body = fetch_body("together", 0, max_bytes=5500)
        body["topics"][0]["partitions"].append(
            {**body["topics"][0]["partitions"][0], "partition": 1})
        answer = peer.call("Fetch", 12, body)
        sizes = [len(values(p["records"] or b"", whole=False))
                 for p in answer["responses"][0]["partitions"]]
        equal(sizes, [4, 1], "batches that came")


@test
def a_log_of_many_segments_is_read_to_its_end(node):
    fill(node, "segments", segment_bytes=1 << 20)
    sent = []
    with node.connect() as peer:
        for index in range(50):
            value = bytes([65 + index % 26]) * 90000
            sent.append((index, value))
            equal(produce(peer, "segments", batch([value]))["error_code"], 0)
        equal(read_all(peer, "segments"), sent)
        body = fetch_body("segments", 0, partition_max_bytes=50 << 20)
        part = peer.call("Fetch", 12, body)["responses"][0]["partitions"][0]
        true(len(values(part["records"], whole=False)) >= 11,
             "one fetch brings a segment at least")


@test
def an_unknown_topic_or_partition_is_an_error_of_its_own(node):
    fill(node, "known")
    with node.connect() as peer:
        equal(fetch(peer, "nobody", 0)["error_code"], 3)
        equal(fetch(peer, "known", 0, partition=7)["error_code"], 3)
        equal(fetch(peer, b"\7" * 16, 0, 13)["error_code"], 100)


@test
def a_leader_epoch_from_the_future_is_unknown(node):
    fill(node, "epoch", [10])
    with node.connect() as peer:
        epoch = describe(peer, "epoch")["partitions"][0]["leader_epoch"]
        equal(fetch(peer, "epoch", 0, leader_epoch=epoch)["error_code"], 0)
        equal(fetch(peer, "epoch", 0,
                    leader_epoch=epoch + 5)["error_code"], 75)


@test
def read_committed_brings_plain_records(node):
    fill(node, "committed", [10, 10])
    with node.connect() as peer:
        part = fetch(peer, "committed", 0, isolation_level=1)
        equal(len(values(part["records"])), 2)
        equal(part["last_stable_offset"], 2)
        equal(part["aborted_transactions"] or [], [])


# Incremental fetch sessions (KIP-227) ---------------------------------------

def session(peer, name, partitions, **fields):
    """Opens a session; returns its id and the first answer."""
    body = fetch_body(name, 0, session_epoch=0, **fields)
    first = body["topics"][0]["partitions"].pop()
    body["topics"][0]["partitions"] = [{**first, "partition": p}
                                       for p in partitions]
    answer = peer.call("Fetch", 12, body)
    equal(answer["error_code"], 0)
    true(answer["session_id"] > 0, "a session was made")
    return answer["session_id"], answer


def more(peer, session_id, epoch, **fields):
    return peer.call("Fetch", 12, max_wait_ms=0, min_bytes=0,
                     session_id=session_id, session_epoch=epoch, **fields)


def partitions_of(answer):
    return [p["partition_index"] for topic in answer["responses"]
            for p in topic["partitions"]]


@test
def a_new_session_names_every_partition_and_then_only_what_changed(node):
    fill(node, "session", partitions=3)
    with node.connect() as peer:
        number, answer = session(peer, "session", [0, 1, 2])
        equal(partitions_of(answer), [0, 1, 2])
        equal(partitions_of(more(peer, number, 1)), [])
        produce(peer, "session", batch([b"x"]), partition=1)
        answer = more(peer, number, 2)
        equal(partitions_of(answer), [1])
        equal(answer["session_id"], number)


@test
def a_session_remembers_a_moved_offset(node):
    fill(node, "moved", [10, 10])
    with node.connect() as peer:
        number, answer = session(peer, "moved", [0])
        equal(len(values(answer["responses"][0]["partitions"][0]["records"])),
              2)
        body = fetch_body("moved", 2, session_id=number, session_epoch=1)
        equal(partitions_of(peer.call("Fetch", 12, body)), [])
        produce(peer, "moved", batch([b"third"]))
        answer = more(peer, number, 2)
        equal(values(answer["responses"][0]["partitions"][0]["records"]),
              [(2, b"third")])


@test
def a_forgotten_partition_is_not_fetched_and_an_added_one_is(node):
    fill(node, "forget", partitions=3)
    with node.connect() as peer:
        number, _ = session(peer, "forget", [0, 1])
        for partition in range(3):
            produce(peer, "forget", batch([b"x"]), partition=partition)
        body = fetch_body("forget", 0, partition=2, session_id=number,
                          session_epoch=1, forgotten_topics_data=[
                              {"topic": "forget", "partitions": [0]}])
        equal(sorted(partitions_of(peer.call("Fetch", 12, body))), [1, 2])


@test
def a_session_waits_like_any_fetch(node):
    fill(node, "patient", partitions=2)
    with node.connect() as waiting, node.connect() as peer:
        number, _ = session(waiting, "patient", [0, 1])
        waiting.send("Fetch", 12, max_wait_ms=100000, min_bytes=1,
                     session_id=number, session_epoch=1)
        true(waiting.is_quiet(0.1), "it waits")
        produce(peer, "patient", batch([b"x"]), partition=1)
        equal(partitions_of(waiting.receive()), [1])


@test
def a_partition_in_error_is_named_each_time(node):
    fill(node, "error")
    with node.connect() as peer:
        number, _ = session(peer, "error", [0, 5])
        for epoch in (1, 2):
            answer = more(peer, number, epoch)
            equal(partitions_of(answer), [5])
            equal(answer["responses"][0]["partitions"][0]["error_code"], 3)


@test
def an_unknown_session_is_not_found(node):
    with node.connect() as peer:
        answer = more(peer, 123456, 1)
        equal((answer["error_code"], partitions_of(answer)), (70, []))


@test
def a_session_epoch_out_of_turn_is_invalid(node):
    fill(node, "turn")
    with node.connect() as peer:
        number, _ = session(peer, "turn", [0])
        equal(more(peer, number, 5)["error_code"], 71)


@test
def a_closed_session_is_gone(node):
    fill(node, "closed")
    with node.connect() as peer:
        number, _ = session(peer, "closed", [0])
        body = fetch_body("closed", 0, session_id=number, session_epoch=-1)
        answer = peer.call("Fetch", 12, body)
        equal((answer["error_code"], answer["session_id"]), (0, 0))
        equal(more(peer, number, 1)["error_code"], 70)


@test
def a_session_is_of_its_connection_only_by_number(node):
    fill(node, "other")
    with node.connect() as peer:
        number, _ = session(peer, "other", [0])
    with node.connect() as peer:
        equal(more(peer, number, 1)["error_code"], 0)


@test
def a_session_by_topic_ids_is_not_continued_by_names(node):
    topic = fill(node, "by-id")
    with node.connect() as peer:
        answer = peer.call("Fetch", 13, fetch_body(topic, 0, session_epoch=0))
        number = answer["session_id"]
        equal(more(peer, number, 1)["error_code"], 106)


main(broker)
