#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What ListOffsets and OffsetForLeaderEpoch promise."""
from calls import *

TIMES = [1000, 3000, 2000, 3000, 500]


def fill(node, name, times=TIMES, **configs):
    """One batch of two records a time; record i of all has time + i."""
    node.create(name, message_timestamp_type="CreateTime", retention_ms=-1,
                **configs)
    with node.connect() as peer:
        for when in times:
            records = [Record(record(b"v", offset=i, timestamp=i))
                       for i in range(2)]
            data = batch(records, when, max_timestamp=when + 1)
            equal(produce(peer, name, data)["error_code"], 0)


def found(part):
    return part["error_code"], part["offset"], part["timestamp"]


@cases("version {} finds the ends and a time", range(1, 12))
def versions(node, version):
    name = f"offsets-v{version}"
    fill(node, name)
    with node.connect() as peer:
        equal(found(list_offset(peer, name, EARLIEST, version)), (0, 0, -1))
        equal(found(list_offset(peer, name, LATEST, version)), (0, 10, -1))
        equal(found(list_offset(peer, name, 2500, version)), (0, 2, 3000))


@cases("time {} is found at the first record not before it",
       [0, 1000, 1001, 1002, 3000, 3001, 3002])
def by_time(node, when):
    if "times" not in made:
        made.add("times")
        fill(node, "times")
    wanted = {0: (0, 1000), 1000: (0, 1000), 1001: (1, 1001),
              1002: (2, 3000), 3000: (2, 3000), 3001: (3, 3001),
              3002: (-1, -1)}[when]
    with node.connect() as peer:
        equal(found(list_offset(peer, "times", when)), (0, *wanted))


made = set()


@test
def a_time_is_found_inside_a_compressed_batch(node):
    node.create("packed", retention_ms=-1)
    with node.connect() as peer:
        records = [Record(record(b"v" * 50, offset=i, timestamp=10 * i))
                   for i in range(10)]
        data = batch(records, 1000, max_timestamp=1090, codec=GZIP)
        equal(produce(peer, "packed", data)["error_code"], 0)
        equal(found(list_offset(peer, "packed", 1045)), (0, 5, 1050))


@test
def the_maximal_timestamp_names_its_first_offset(node):
    fill(node, "max")
    with node.connect() as peer:
        equal(found(list_offset(peer, "max", MAX_TIMESTAMP, 7)), (0, 3, 3001))


@test
def an_empty_log_has_both_ends_at_0_and_no_time(node):
    node.create("empty")
    with node.connect() as peer:
        equal(found(list_offset(peer, "empty", EARLIEST)), (0, 0, -1))
        equal(found(list_offset(peer, "empty", LATEST)), (0, 0, -1))
        equal(found(list_offset(peer, "empty", 5)), (0, -1, -1))
        equal(found(list_offset(peer, "empty", MAX_TIMESTAMP)), (0, -1, -1))


@test
def a_time_is_found_in_a_log_of_many_segments(node):
    node.create("segments", retention_ms=-1, segment_bytes=1 << 20)
    with node.connect() as peer:
        for index in range(40):
            data = batch([b"x" * 90000], 1000 + index * 10)
            equal(produce(peer, "segments", data)["error_code"], 0)
        for index in (0, 1, 11, 12, 20, 39):
            equal(found(list_offset(peer, "segments", 991 + index * 10)),
                  (0, index, 1000 + index * 10))
    node.restart()
    with node.connect() as peer:
        for index in (0, 12, 39):
            equal(found(list_offset(peer, "segments", 991 + index * 10)),
                  (0, index, 1000 + index * 10))


@test
def ends_and_times_are_the_same_after_a_restart_and_a_kill(node):
    fill(node, "lasting")
    asked = (EARLIEST, LATEST, MAX_TIMESTAMP, 1001, 2500)

    def answers():
        with node.connect() as peer:
            return [found(list_offset(peer, "lasting", when))
                    for when in asked]
    before = answers()
    node.restart()
    equal(answers(), before, "after a restart")
    node.kill()
    node.start()
    equal(answers(), before, "after a kill")


@test
def an_unknown_topic_or_partition_is_an_error(node):
    node.create("known")
    with node.connect() as peer:
        equal(found(list_offset(peer, "nobody", LATEST)), (3, -1, -1))
        equal(found(list_offset(peer, "known", LATEST, partition=9)),
              (3, -1, -1))


@test
def the_same_partition_twice_is_invalid(node):
    fill(node, "twice")
    with node.connect() as peer:
        part = {"partition_index": 0, "timestamp": LATEST}
        answer = peer.call("ListOffsets", 9, topics=[
            {"name": "twice", "partitions": [part, part]}])
        equal({p["error_code"] for p in answer["topics"][0]["partitions"]},
              {42})


@test
def a_leader_epoch_from_the_future_is_unknown(node):
    fill(node, "epoch")
    with node.connect() as peer:
        epoch = describe(peer, "epoch")["partitions"][0]["leader_epoch"]
        equal(list_offset(peer, "epoch", LATEST,
                          current_leader_epoch=epoch)["error_code"], 0)
        equal(list_offset(peer, "epoch", LATEST,
                          current_leader_epoch=epoch + 3)["error_code"], 75)


@test
def the_latest_offset_carries_the_leader_epoch(node):
    fill(node, "carries")
    with node.connect() as peer:
        epoch = describe(peer, "carries")["partitions"][0]["leader_epoch"]
        equal(list_offset(peer, "carries", LATEST)["leader_epoch"], epoch)


def epoch_end(peer, name, epoch, version, partition=0):
    answer = peer.call("OffsetForLeaderEpoch", version, topics=[
        {"topic": name, "partitions": [
            {"partition": partition, "leader_epoch": epoch}]}])
    part = answer["topics"][0]["partitions"][0]
    return part["error_code"], part["leader_epoch"], part["end_offset"]


@cases("OffsetForLeaderEpoch version {} gives the end of the current epoch",
       [2, 3, 4])
def leader_epoch(node, version):
    name = f"epoch-v{version}"
    fill(node, name)
    with node.connect() as peer:
        epoch = describe(peer, name)["partitions"][0]["leader_epoch"]
        equal(epoch_end(peer, name, epoch, version), (0, epoch, 10))
        equal(epoch_end(peer, name, epoch + 5, version), (0, -1, -1))
        equal(epoch_end(peer, "nobody", 0, version), (3, -1, -1))


main(broker)
