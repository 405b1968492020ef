#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""takhind on a small file system that fills up, and on one of two log
directories that fails: Produce is refused where it must be, everything else
goes on, and nothing that was answered is lost."""
import contextlib
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "wire")]

from calls import *                                             # noqa: E402
from broker import Takhind                                      # noqa: E402

MIB = 1 << 20
STORAGE_ERROR = 56
FULL = {"log_dir_reserve_bytes": 8 * MIB}
TOPIC = {"segment_bytes": MIB, "file_delete_delay_ms": 0}


@contextlib.contextmanager
def small_disk(size):
    """A directory on a file system of SIZE bytes of its own."""
    path = tempfile.mkdtemp(prefix="takhin-disk-")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}",
                           "tmpfs", path], capture_output=True)
    try:
        if done.returncode:
            raise Skip("no file system can be mounted here")
        yield path
    finally:
        if not done.returncode:
            subprocess.run(["umount", "-l", path], capture_output=True)
        os.rmdir(path)


DATA = batch([b"large" + bytes(256 * 1024)])
MORE = b"more" + bytes(900)


def fill(peer, name):
    """Produces until it is refused; returns how many records are there."""
    number = 0
    while True:
        part = produce(peer, name, DATA)
        if part["error_code"]:
            equal(part["error_code"], STORAGE_ERROR, "error of the refusal")
            return number
        equal(part["base_offset"], number, "base offset")
        number += 1


def check_all(peer, name, count):
    """COUNT batches are there as they came, but for offset and epoch."""
    for offset in range(count):
        part = fetch(peer, name, offset, partition_max_bytes=1)
        equal((part["error_code"], part["high_watermark"]), (0, count))
        true(part["records"][16:] == DATA[16:], f"what is at {offset}")


def works(peer, name):
    return produce(peer, name, batch([b"again"]))["error_code"] == 0


def delete_records(peer, name, offset):
    answer = peer.call("DeleteRecords", 2, timeout_ms=30000, topics=[{
        "name": name, "partitions": [{"partition_index": 0,
                                      "offset": offset}]}])
    return answer["topics"][0]["partitions"][0]


@test
def a_full_disk_refuses_produce_and_nothing_else():
    with small_disk(24 * MIB) as path:
        node = Takhind({**FULL, "log_dirs": os.path.join(path, "logs")})
        with node, node.connect() as peer:
            node.create("full", **TOPIC)
            node.create("other", **TOPIC)
            count = fill(peer, "full")
            true(count > 40, f"only {count} records fit")
            true("log.dir.reserve.bytes: Produce is refused" in node.log(),
                 "the log does not say so")
            equal(produce(peer, "other", batch([b"x"]))["error_code"],
                  STORAGE_ERROR, "Produce to another topic")
            check_all(peer, "full", count)
            peer.close()
            node.restart()      # on the full disk
            peer = node.connect()
            check_all(peer, "full", count)
            part = delete_records(peer, "full", count)
            equal((part["error_code"], part["low_watermark"]), (0, count))
            wait_for(lambda: works(peer, "full"), "Produce goes on")
            equal(list_offset(peer, "full", LATEST)["offset"], count + 1)
            true("has space again" in node.log(), "the log does not say so")


@test
def retention_and_topic_deletion_make_room_by_themselves():
    with small_disk(24 * MIB) as path:
        node = Takhind({**FULL, "log_dirs": os.path.join(path, "logs"),
                        "log_retention_check_interval_ms": 4000})
        with node, node.connect() as peer:
            node.create("kept", **TOPIC, retention_bytes=2 * MIB)
            fill(peer, "kept")
            wait_for(lambda: works(peer, "kept"), "retention makes room")
            start = list_offset(peer, "kept", EARLIEST)["offset"]
            true(start > 0, "the log start offset did not move")
            node.create("gone", **TOPIC)
            fill(peer, "gone")
            answer = peer.call("DeleteTopics", 6, timeout_ms=30000, topics=[
                {"name": "gone"}])
            equal(answer["responses"][0]["error_code"], 0)
            wait_for(lambda: works(peer, "kept"), "deletion makes room")


def leads(peer, name, partitions):
    """Of each partition whether Produce is taken."""
    return [produce(peer, name, batch([MORE]),
                    partition=index)["error_code"] == 0
            for index in range(partitions)]


@test
def a_failing_directory_goes_offline_and_no_other():
    with tempfile.TemporaryDirectory(prefix="takhin-dirs-") as top:
        good, bad = os.path.join(top, "good"), os.path.join(top, "bad")
        node = Takhind({"log_dirs": f"{good},{bad}"})
        with node, node.connect() as peer:
            node.create("spread", 4, internal_segment_bytes=4096)
            answered = [[] for _ in range(4)]
            for index in range(4):
                for number in range(8):
                    value = b"%d/%d " % (index, number) + bytes(900)
                    part = produce(peer, "spread", batch([value]),
                                   partition=index)
                    equal(part["error_code"], 0)
                    answered[index].append(value)
            here = [os.path.isdir(os.path.join(good, f"spread-{index}"))
                    for index in range(4)]
            true(0 < sum(here) < 4, f"where the partitions lie: {here}")
            # No name in it can be opened, made or flushed any more.
            os.rename(bad, bad + "-unplugged")
            wait_for(lambda: leads(peer, "spread", 4) == here,
                     "the other directory is offline", 60)
            true(f"log directory {bad} goes offline" in node.log(),
                 "the log does not say so")
            true(f"log directory {good} goes offline" not in node.log(),
                 "the good directory went, too")
            for index in range(4):
                part = fetch(peer, "spread", 0, partition=index)
                equal(part["error_code"], 0 if here[index] else STORAGE_ERROR,
                      f"Fetch of partition {index}")
            node.create("new", 2)
            equal(leads(peer, "new", 2), [True, True], "a new topic")
            os.rename(bad + "-unplugged", bad)
            peer.close()
            node.process.terminate()
            node.process.wait()
            node.start()
            peer = node.connect()
            for index in range(4):
                found = [v for _, v in read_all(peer, "spread", index)]
                equal(found[:len(answered[index])], answered[index],
                      f"partition {index}")
                true(all(v == MORE for v in found[len(answered[index]):]),
                     "a record that was never sent")


main()
