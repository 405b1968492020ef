#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Produce promises: each batch is checked, stored as it came, answered
by its acks; and an idempotent producer's batches are there once, in order."""
from calls import *

HOUR = 3600 * 1000


def now():
    return int(time.time() * 1000)


def refused(node, name, data, error, version=12, **configs):
    """Produces DATA to a new topic; expects ERROR and nothing written."""
    node.create(name, **configs)
    with node.connect() as peer:
        part = produce(peer, name, data, version)
        equal(part["error_code"], error, "error code")
        equal(part["base_offset"], -1, "base offset")
        equal(list_offset(peer, name, LATEST)["offset"], 0, "end of the log")
        equal(produce(peer, name, batch([b"good"]))["base_offset"], 0,
              "base offset of the next good batch")


@cases("version {} writes what was sent", range(3, 14))
def versions(node, version):
    name = f"produce-v{version}"
    topic = node.create(name)
    key = topic if version > 12 else name
    with node.connect() as peer:
        for offset in (0, 2):
            part = produce(peer, key, batch([b"a", b"b"]), version)
            equal((part["error_code"], part["base_offset"]), (0, offset))
            equal(part["log_append_time_ms"], -1)
        equal([o for o, _ in read_all(peer, name)], [0, 1, 2, 3])


@cases("acks={} is answered after the write", [1, -1])
def acks(node, acks):
    name = f"acks{acks}"
    node.create(name)
    with node.connect() as peer:
        part = produce(peer, name, batch([b"a"]), acks=acks)
        equal((part["error_code"], part["base_offset"]), (0, 0))


@test
def acks_0_writes_without_an_answer(node):
    node.create("acks0")
    with node.connect() as peer:
        for _ in range(10):
            peer.send("Produce", 9, produce_body("acks0", batch([b"x"]),
                                                 acks=0))
            peer.sent.clear()
        equal(peer.call("ApiVersions", 2)["error_code"], 0,
              "the first answer on the connection")
        wait_for(lambda: len(read_all(peer, "acks0")) == 10, "ten records")


@test
def a_refused_batch_with_acks_0_closes_the_connection(node):
    node.create("acks0-bad")
    with node.connect() as peer:
        peer.send("Produce", 9, produce_body("acks0-bad",
                                             batch([b"x"], crc=1), acks=0))
        true(peer.is_closed(), "the connection is closed")


@cases("acks={} is invalid", [2, -2])
def bad_acks(node, acks):
    name = f"bad-acks{acks}"
    node.create(name)
    with node.connect() as peer:
        part = produce(peer, name, batch([b"a"]), acks=acks)
        equal((part["error_code"], part["base_offset"]), (21, -1))
        equal(list_offset(peer, name, LATEST)["offset"], 0)


@test
def an_unknown_topic_partition_or_id_is_an_error_of_its_own(node):
    node.create("known")
    with node.connect() as peer:
        equal(produce(peer, "nobody", batch([b"a"]))["error_code"], 3)
        equal(produce(peer, "known", batch([b"a"]),
                      partition=3)["error_code"], 3)
        equal(produce(peer, b"\7" * 16, batch([b"a"]), 13)["error_code"], 100)


@test
def one_bad_partition_does_not_keep_the_others_from_being_written(node):
    node.create("mixed", 3)
    with node.connect() as peer:
        answer = peer.call("Produce", 9, produce_body(
            "mixed", batch([b"a"]), batch([b"b"], crc=7), batch([b"c"])))
        equal({p["index"]: p["error_code"] for p in
               answer["responses"][0]["partition_responses"]},
              {0: 0, 1: 2, 2: 0})
        equal([read_all(peer, "mixed", p) for p in range(3)],
              [[(0, b"a")], [], [(0, b"c")]])


@test
def a_wrong_crc_is_corrupt(node):
    refused(node, "crc", batch([b"a"], crc=12345), 2)


@test
def a_flipped_bit_is_corrupt(node):
    data = bytearray(batch([b"some value"]))
    data[-3] ^= 1
    refused(node, "bit", bytes(data), 2)


@cases("magic {} is invalid", [0, 1, 3, -1])
def magic(node, magic):
    refused(node, f"magic{magic}", batch([b"a"], magic=magic),
            2 if magic in (3, -1) else 87)


@test
def no_batch_is_invalid(node):
    refused(node, "nothing", b"", 87)


@test
def two_batches_for_one_partition_are_invalid(node):
    refused(node, "twins", batch([b"a"]) + batch([b"b"]), 87)


@test
def a_batch_with_a_torn_end_is_refused(node):
    refused(node, "torn", batch([b"a" * 100])[:-10], 87)


@cases("a batch length of {} is refused", [-1, 0, 10, 48, 1 << 30])
def batch_length(node, length):
    data = bytearray(batch([b"a" * 100]))
    data[8:12] = struct.pack(">i", length)
    refused(node, f"length{length}", bytes(data), LENGTH_ERRORS[length])


LENGTH_ERRORS = {-1: 2, 0: 2, 10: 2, 48: 2, 1 << 30: 87}


@cases("a record count of {} for two records is invalid", [0, 1, 3, -1,
                                                            1 << 30])
def record_count(node, count):
    refused(node, f"count{count}", batch([b"a", b"b"], count=count), 87)


@cases("a last offset delta of {} for two records is invalid", [0, 2, -1,
                                                                1 << 30])
def last_offset_delta(node, delta):
    refused(node, f"delta{delta}", batch([b"a", b"b"], last_delta=delta), 87)


def refused_somehow(node, name, data):
    """For what Kafka answers with an error that says nothing."""
    node.create(name)
    with node.connect() as peer:
        part = produce(peer, name, data)
        true(part["error_code"] in (-1, 2, 87), "an error that fits: "
             + str(part["error_code"]))
        equal(list_offset(peer, name, LATEST)["offset"], 0)


@test
def offsets_inside_a_compressed_batch_are_checked(node):
    records = [Record(record(b"a", offset=0)), Record(record(b"b", offset=5))]
    refused_somehow(node, "inner", batch(records, codec=GZIP))


@test
def a_compressed_batch_that_is_no_gzip_is_refused(node):
    refused_somehow(node, "no-gzip", batch([b"a"], attributes=GZIP))


@test
def records_that_do_not_fill_the_batch_are_invalid(node):
    refused(node, "rest", batch([Record(record(b"a") + b"rest")]), 87)


@test
def a_control_batch_from_a_client_is_invalid(node):
    refused(node, "control", batch([b"a"], attributes=CONTROL), 87)


@cases("a batch with codec {} is stored as it came", range(5))
def codecs(node, codec):
    name = f"codec{codec}"
    node.create(name)
    sent = batch([b"value %d" % i * 100 for i in range(20)], codec=codec)
    with node.connect() as peer:
        equal(produce(peer, name, sent)["error_code"], 0)
        equal(produce(peer, name, sent)["base_offset"], 20)
        found = fetch(peer, name, 0)["records"]
    equal(len(found), 2 * len(sent))
    equal(found[:8], bytes(8), "first base offset")
    equal(found[len(sent):len(sent) + 8], struct.pack(">q", 20),
          "second base offset")
    for at in (0, len(sent)):
        equal(found[at + 8:at + 12], sent[8:12], "length")
        equal(found[at + 16:at + len(sent)], sent[16:], "magic and the rest")


@test
def zstd_needs_version_7(node):
    node.create("zstd6")
    with node.connect() as peer:
        data = batch([b"a"], codec=ZSTD)
        equal(produce(peer, "zstd6", data, 6)["error_code"], 76)
        equal(produce(peer, "zstd6", data, 7)["error_code"], 0)


@test
def a_batch_above_max_message_bytes_is_too_large(node):
    node.create("large", max_message_bytes=1000)
    with node.connect() as peer:
        size = len(batch([b""]))
        while len(batch([b"x" * (1000 - size)])) > 1000:
            size += 1
        fits = batch([b"x" * (1000 - size)])
        equal(len(fits), 1000)
        equal(produce(peer, "large", fits)["error_code"], 0)
        more = batch([b"x" * (1001 - size)])
        equal(produce(peer, "large", more)["error_code"], 10)
        equal(list_offset(peer, "large", LATEST)["offset"], 1)


@test
def a_batch_above_a_mebibyte_is_too_large_unless_the_topic_says_so(node):
    big = batch([b"x" * 1100000])
    node.create("usual")
    node.create("allows", max_message_bytes=2000000)
    with node.connect() as peer:
        equal(produce(peer, "usual", big)["error_code"], 10)
        equal(produce(peer, "allows", big)["error_code"], 0)


@test
def a_timestamp_two_hours_ahead_is_invalid(node):
    refused(node, "ahead", batch([b"a"], now() + 2 * HOUR), 32)


@test
def a_timestamp_behind_the_topics_bound_is_invalid(node):
    refused(node, "behind", batch([b"a"], now() - 2 * HOUR), 32,
            message_timestamp_before_max_ms=HOUR)


@test
def a_timestamp_within_the_topics_bound_is_written(node):
    node.create("future", message_timestamp_after_max_ms=24 * HOUR)
    with node.connect() as peer:
        equal(produce(peer, "future",
                      batch([b"a"], now() + 2 * HOUR))["error_code"], 0)


@test
def one_bad_timestamp_names_its_record(node):
    node.create("which")
    with node.connect() as peer:
        records = [Record(record(b"good")),
                   Record(record(b"bad", offset=1, timestamp=3 * HOUR))]
        data = batch(records, now(), max_timestamp=now() + 3 * HOUR)
        part = produce(peer, "which", data)
        equal(part["error_code"], 32)
        equal([e["batch_index"] for e in part["record_errors"]], [1])


@cases("log append time replaces a timestamp, codec {}", [NONE, GZIP])
def log_append_time(node, codec):
    name = f"append{codec}"
    node.create(name, message_timestamp_type="LogAppendTime")
    before = now()
    with node.connect() as peer:
        part = produce(peer, name, batch([b"a", b"b"], 1000, codec=codec))
        equal(part["error_code"], 0)
        stamp = part["log_append_time_ms"]
        true(before <= stamp <= now(), "the broker's clock")
        head, = batches(fetch(peer, name, 0)["records"])
    equal(head["max_timestamp"], stamp)
    equal(head["attributes"], LOG_APPEND_TIME | codec)
    equal(head["count"], 2)


@test
def a_compacted_topic_refuses_a_record_without_a_key(node):
    node.create("keys", cleanup_policy="compact")
    with node.connect() as peer:
        part = produce(peer, "keys", batch([b"no key"]))
        equal(part["error_code"], 87)
        keyed = batch([Record(record(b"v", key=b"k"))])
        equal(produce(peer, "keys", keyed)["error_code"], 0)


@test
def pipelined_batches_are_written_in_order(node):
    node.create("pipeline")
    with node.connect() as peer:
        for index in range(200):
            peer.send("Produce", 9, produce_body(
                "pipeline", batch([b"%d" % index]), acks=index % 2 or -1))
        equal([peer.receive()["responses"][0]["partition_responses"][0]
               ["base_offset"] for _ in range(200)], list(range(200)))
        equal(read_all(peer, "pipeline"),
              [(i, b"%d" % i) for i in range(200)])


@test
def tombstones_headers_and_keys_come_back(node):
    node.create("rich")
    rich = Record(record(None, key=b"k", headers=[("h", b"1"), ("n", None)]))
    with node.connect() as peer:
        equal(produce(peer, "rich", batch([rich]))["error_code"], 0)
        head, = batches(fetch(peer, "rich", 0)["records"])
        equal(head["records"], bytes(rich))


# Idempotent producers (KIP-98) ----------------------------------------------

def producer(peer, version=4):
    def ask():
        answer = peer.call("InitProducerId", version, transactional_id=None,
                           transaction_timeout_ms=60000)
        # 14: Kafka fetches its first block of ids from the controller.
        return None if answer["error_code"] == 14 else answer
    answer = wait_for(ask, "a producer id")
    equal(answer["error_code"], 0)
    return answer["producer_id"], answer["producer_epoch"]


def numbered(peer, topic, who, sequence, count=1, epoch=None):
    return produce(peer, topic, batch(
        [b"%d" % (sequence + i) for i in range(count)], producer_id=who[0],
        producer_epoch=who[1] if epoch is None else epoch,
        sequence=sequence))


@cases("InitProducerId version {} gives each producer an id of its own",
       range(6))
def init_producer_id(node, version):
    with node.connect() as peer:
        one, two = producer(peer, version), producer(peer, version)
        true(one[0] >= 0 and two[0] > one[0], "ids grow")
        equal((one[1], two[1]), (0, 0), "epochs")


@test
def producer_ids_are_never_given_again_after_a_restart(node):
    with node.connect() as peer:
        before = producer(peer)[0]
    node.restart()
    with node.connect() as peer:
        true(producer(peer)[0] > before, "a new id")


@test
def a_repeated_batch_is_answered_with_its_offset_and_written_once(node):
    node.create("once")
    with node.connect() as peer:
        who = producer(peer)
        for sequence in range(0, 10, 2):
            equal(numbered(peer, "once", who, sequence, 2)["base_offset"],
                  sequence)
        for sequence in range(0, 10, 2):        # the last five are remembered
            part = numbered(peer, "once", who, sequence, 2)
            equal((part["error_code"], part["base_offset"]), (0, sequence))
        equal(len(read_all(peer, "once")), 10)


@test
def a_repeated_batch_is_found_again_after_a_restart(node):
    node.create("again")
    with node.connect() as peer:
        who = producer(peer)
        for sequence in range(3):
            numbered(peer, "again", who, sequence)
    node.restart()
    with node.connect() as peer:
        part = numbered(peer, "again", who, 2)
        equal((part["error_code"], part["base_offset"]), (0, 2))
        equal(numbered(peer, "again", who, 4)["error_code"], 45)
        equal(numbered(peer, "again", who, 3)["base_offset"], 3)


@test
def a_repeated_batch_is_found_again_after_a_kill(node):
    node.create("killed")
    with node.connect() as peer:
        who = producer(peer)
        for sequence in range(3):
            equal(numbered(peer, "killed", who, sequence)["error_code"], 0)
    node.kill()
    node.start()
    with node.connect() as peer:
        part = numbered(peer, "killed", who, 2)
        equal((part["error_code"], part["base_offset"]), (0, 2))
        equal(numbered(peer, "killed", who, 3)["base_offset"], 3)


@test
def a_gap_in_the_sequence_is_out_of_order(node):
    node.create("gap")
    with node.connect() as peer:
        who = producer(peer)
        equal(numbered(peer, "gap", who, 0, 3)["error_code"], 0)
        for sequence in (4, 2, 1000):
            equal(numbered(peer, "gap", who, sequence)["error_code"], 45)
        equal(numbered(peer, "gap", who, 3)["error_code"], 0)
        equal(len(read_all(peer, "gap")), 4)


@test
def a_batch_older_than_the_last_five_is_a_duplicate_or_out_of_order(node):
    node.create("old")
    with node.connect() as peer:
        who = producer(peer)
        for sequence in range(8):
            equal(numbered(peer, "old", who, sequence)["error_code"], 0)
        part = numbered(peer, "old", who, 0)
        equal(part["error_code"], 45)
        equal(len(read_all(peer, "old")), 8)


@test
def a_new_epoch_starts_at_sequence_0_and_fences_the_old(node):
    node.create("fence")
    with node.connect() as peer:
        who = producer(peer)
        equal(numbered(peer, "fence", who, 0)["error_code"], 0)
        equal(numbered(peer, "fence", who, 7, epoch=1)["error_code"], 45)
        equal(numbered(peer, "fence", who, 0, epoch=1)["error_code"], 0)
        equal(numbered(peer, "fence", who, 1, epoch=0)["error_code"], 47)
        equal(numbered(peer, "fence", who, 1, epoch=1)["error_code"], 0)


@test
def the_sequence_wraps_after_2147483647(node):
    node.create("wrap")
    with node.connect() as peer:
        who = producer(peer)
        last = 2147483647
        equal(numbered(peer, "wrap", who, last - 1, 2)["error_code"], 0,
              "an unknown producer may start anywhere")
        equal(numbered(peer, "wrap", who, 0)["error_code"], 0)


@test
def producers_have_a_sequence_for_each_partition(node):
    node.create("each", 2)
    with node.connect() as peer:
        who = producer(peer)
        for partition in (0, 1, 0, 1):
            data = batch([b"x"], producer_id=who[0], producer_epoch=0,
                         sequence=0)
            equal(produce(peer, "each", data,
                          partition=partition)["base_offset"], 0)


@test
def a_bad_record_before_a_torn_one_is_told_as_a_torn_batch(node):
    node.create("keys-torn", cleanup_policy="compact")
    torn = batch([b"no key", Record(b"\xff" * 10)])
    with node.connect() as peer:
        answer = produce(peer, "keys-torn", torn)
        true(answer["error_code"] != 0, "an error")
        equal(answer["record_errors"], [])


main(broker)
