#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A consumer reads 1 GiB in fetches of 1 MiB while strace watches the broker:
sendfile carries every record byte, and no other call carries any."""
import collections
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile

TEST = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TEST, os.path.join(TEST, "wire")]

from broker import PATIENCE                                     # noqa: E402
from calls import *                                             # noqa: E402,F403
from tap import need                                            # noqa: E402

MIB = 1 << 20
TOTAL = 1024
CARRIERS = ("sendfile,write,writev,pwrite64,sendto,sendmsg,sendmmsg,read,"
            "readv,pread64,preadv,splice,recvfrom,recvmsg")


@contextlib.contextmanager
def strace(pid, path):
    """Watches process PID; its calls are in file PATH afterwards."""
    need("strace")
    watcher = subprocess.Popen(
        ["strace", "-f", "-qq", "-e", "trace=" + CARRIERS, "-e", "write=none",
         "-s", "0", "-o", path, "-p", str(pid)],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: watcher.poll() is not None or all_traced(pid),
                 "strace watches every thread")
        if watcher.poll() is not None:
            raise Skip("strace: " + watcher.stderr.read().strip())
        yield
    finally:
        if watcher.poll() is None:
            watcher.send_signal(signal.SIGINT)
            watcher.wait(PATIENCE)


def all_traced(pid):
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/status") as status:
                if re.search(r"TracerPid:\s+0$", status.read(), re.M):
                    return False
        except FileNotFoundError:
            pass
    return True


def carried(path):
    """{system call: bytes that it says it carried}"""
    total = collections.Counter()
    with open(path, errors="replace") as file:
        for line in file:
            done = re.match(r"\d+\s+(?:<\.\.\. )?(\w+)[ (].*= (\d+)$",
                            line.rstrip())
            if done:
                total[done[1]] += int(done[2])
    return total


def fill(node):
    """1 GiB in batches just below 1 MiB, one a fetch. Returns their size."""
    node.create("big", max_message_bytes=2 * MIB)
    value = os.urandom(MIB - 100)
    data = batch([value])
    true(MIB - 100 < len(data) <= MIB, "a batch that fits a fetch")
    with node.connect() as peer:
        for _ in range(TOTAL):
            peer.send("Produce", 9, produce_body("big", data, acks=1))
            if len(peer.sent) > 4:
                peer.receive()
        while peer.sent:
            part = peer.receive()["responses"][0]["partition_responses"][0]
            equal(part["error_code"], 0)
    return len(data)


def consume(node):
    """Reads the topic; returns bytes of records and of everything else."""
    records = frames = 0
    with node.connect() as peer:
        for offset in range(TOTAL):
            peer.send("Fetch", 12, fetch_body(
                "big", offset, partition_max_bytes=MIB, max_bytes=MIB))
            peer.sent.clear()
            frame = peer.receive_frame()
            body = decode(schemas()["FetchResponse"], 12, frame[5:])
            part = body["responses"][0]["partitions"][0]
            equal((part["error_code"],
                   struct.unpack(">q", part["records"][:8])[0]),
                  (0, offset))
            records += len(part["records"])
            frames += len(frame) + 4
    return records, frames - records


@test
def sendfile_carries_every_record_byte(node):
    need("strace")
    size = fill(node)
    with tempfile.NamedTemporaryFile() as trace:
        with strace(node.pid, trace.name):
            records, rest = consume(node)
        calls = carried(trace.name)
    note("bytes by system call: " + ", ".join(
        f"{name} {count}" for name, count in calls.most_common()))
    # Kafka cuts at the limit, so that a piece of the next batch may follow.
    true(records >= TOTAL * size, "every record came")
    equal(calls.pop("sendfile", 0), records, "bytes that sendfile carried")
    reads = sum(calls[name] for name in
                ("read", "readv", "pread64", "preadv"))
    true(reads < records // 100, f"{reads} bytes were read")
    sent = sum(calls[name] for name in
               ("write", "writev", "sendto", "sendmsg"))
    true(sent < records // 100, f"{sent} bytes were sent by other calls, "
         f"{rest} are no records")


main(broker)
