#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Nth allocation of takhind fails, as it starts, recovers, takes records
and serves them: it answers with an error or ends with a message, and what was
answered well is there afterwards. $CRASH_STRIDE 1 tries every N; the suite
tries $CRASH_SAMPLES of them (12) in each part, chosen by $CRASH_SEED."""
import mmap
import os
import random
import shutil
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "wire")]

from calls import *                                             # noqa: E402
from broker import BUILD, PATIENCE, Failed, Takhind                       # noqa: E402

PRELOAD = os.path.join(BUILD, "test", "crash", "preload_alloc_linux.so")
SEED = int(os.environ.get("CRASH_SEED", 1))
SAMPLES = int(os.environ.get("CRASH_SAMPLES", 12))
STRIDE = int(os.environ.get("CRASH_STRIDE", 0))
PARTITIONS = 2
STORAGE = {"internal_segment_bytes": 4096}
OPTIONS = {"num_io_threads": 2, "num_network_threads": 1}


class Node(Takhind):
    """takhind whose allocations can be made to fail."""

    def __init__(self):
        super().__init__(OPTIONS)
        self.orders_path = os.path.join(self.directory, "orders")
        with open(self.orders_path, "wb") as file:
            file.write(bytes(32))
        with open(self.orders_path, "r+b") as file:
            self.orders = mmap.mmap(file.fileno(), 32)
        self.acked = {}         # (topic, partition): values in order
        self.ends = {}          # how it ended: exit code -> times

    def arm(self, left, stays=0):
        self.orders[:8] = bytes(8)
        self.orders[24:] = struct.pack("<q", stays)
        self.orders[:8] = struct.pack("<q", left)

    @property
    def calls(self):
        return struct.unpack("<q", self.orders[8:16])[0]

    def spawn(self):
        env = {**os.environ, "LD_PRELOAD": PRELOAD,
               "FAIL_ALLOC": self.orders_path}
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=env)

    def ready(self):
        """Waits until it answers (True) or has ended (False)."""
        def seen():
            if self.process.poll() is not None:
                return "ended"
            return self.answers_at_all() and "up"
        return wait_for(seen, "takhind answers or ends") == "up"

    def answers_at_all(self):
        try:
            with self.connect(timeout=2) as peer:
                return peer.call("ApiVersions", 2)["error_code"] == 0
        except (OSError, Closed):
            return False

    def start(self):
        self.arm(0)
        self.spawn()
        if not self.ready():
            raise Failed("takhind ended\n" + self.log_tail())

    def ended(self):
        """It ended by itself: with an error's code and a message."""
        code = self.process.wait()
        # The C library loads libgcc_s as the first thread ends, or aborts.
        own = code == -6 and "libgcc_s.so.1 must be" in self.log()
        true(code in (1, 3) or own, f"ended with {code}\n{self.log_tail()}")
        true(self.log().strip() != "", "it ended without a word")
        self.ends[code] = self.ends.get(code, 0) + 1

    def end(self):
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        true(code in (0, 1, 3), f"stopped with {code}\n{self.log_tail()}")

    def check(self):
        """All that was answered is there, in order, and nothing else but
        what was sent and not answered."""
        with self.connect() as peer:
            for (name, index), wanted in self.acked.items():
                found = [v for _, v in read_all(peer, name, index)]
                rest = iter(found)
                true(all(value in rest for value in wanted),
                     f"{name}-{index}: a record is lost: {len(wanted)} "
                     f"answered, {len(found)} there")
                equal(len(found), len(set(found)), "records that came once")


def send(node, peer, name, index, value):
    part = produce(peer, name, batch([value]), partition=index)
    if part["error_code"] == 0:
        node.acked.setdefault((name, index), []).append(value)


def prepared():
    if not os.path.exists(PRELOAD):
        raise Skip("the preloaded library was not built")
    tried = subprocess.run([os.path.join(BUILD, "takhind"), "--version"],
                           env={**os.environ, "LD_PRELOAD": PRELOAD},
                           capture_output=True)
    if tried.returncode:
        raise Skip("no library can be loaded before this build")
    return Node()


def fresh(node):
    node.start()
    wait_for(node.answers, "all partitions")
    node.create("base", PARTITIONS, **STORAGE)
    with node.connect() as peer:
        for number in range(20):
            send(node, peer, "base", number % PARTITIONS,
                 b"before %d " % number + bytes(300))


def chosen(total, name):
    """Which allocations of TOTAL fail."""
    if STRIDE:
        return range(1, total + 1, STRIDE)
    chance = random.Random(f"{SEED} {name}")
    return sorted(chance.sample(range(1, total + 1), min(SAMPLES, total)))


def try_starts(node, name):
    """Every start on a copy of what lies in the data directory."""
    saved = node.data + "-saved"
    shutil.copytree(node.data, saved)
    before = node.calls
    node.start()
    total = node.calls - before
    node.end()
    for n in chosen(total, name):
        for stays in (0, 1):
            shutil.rmtree(node.data)
            shutil.copytree(saved, node.data)
            node.arm(n, stays)
            node.spawn()
            if node.ready() if not stays else False:
                node.end()
            elif stays and node.process.poll() is None:
                try:
                    node.process.wait(5)
                    node.ended()
                except subprocess.TimeoutExpired:
                    node.kill()
            else:
                node.ended()
            node.start()
            wait_for(node.answers, "all partitions")
            node.check()
            node.end()
    note(f"seed {SEED}: {name}: {2 * len(chosen(total, name))} of {total} "
         f"allocations failed, it ended by itself: {node.ends}")


@test
def a_start_without_memory_is_an_error():
    with prepared_node() as node:
        fresh(node)
        node.end()
        try_starts(node, "start")


@test
def a_recovery_without_memory_is_an_error():
    with prepared_node() as node:
        fresh(node)
        node.kill()
        try_starts(node, "recovery")


def prepared_node():
    return Entered(prepared())


class Entered:
    """The node, not started; ended and removed in the end."""

    def __init__(self, node):
        self.node = node

    def __enter__(self):
        return self.node

    def __exit__(self, *exception):
        if self.node.running():
            self.node.kill()
        self.node.remove()


def try_requests(node, name, requests):
    """REQUESTS(number) with each of the allocations in it failing."""
    fresh(node)
    before = node.calls
    requests(0)
    total = node.calls - before
    for number, n in enumerate(chosen(total, name), 1):
        node.arm(n)
        try:
            requests(number)
        except (OSError, Closed):
            pass                # the connection ended: the client would retry
        node.arm(0)
        if not wait_for(lambda: node.answers_at_all() and "up"
                        or node.process.poll() is not None,
                        "takhind answers or ends") == "up":
            node.ended()
            node.start()
            wait_for(node.answers, "all partitions")
        node.check()
    node.kill()
    node.start()
    wait_for(node.answers, "all partitions")
    node.check()
    node.end()
    note(f"seed {SEED}: {name}: {len(chosen(total, name))} of {total} "
         f"allocations failed, it ended by itself: {node.ends}")


@test
def produce_without_memory_acknowledges_nothing_that_is_lost():
    with prepared_node() as node:
        def requests(number):
            with node.connect() as peer:
                for index in range(PARTITIONS):
                    for k in range(3):
                        send(node, peer, "base", index,
                             b"%d/%d/%d " % (number, index, k) + bytes(1000))
        try_requests(node, "produce", requests)


@test
def fetch_without_memory_serves_nothing_wrong():
    with prepared_node() as node:
        def requests(number):
            with node.connect() as peer:
                for index in range(PARTITIONS):
                    part = fetch(peer, "base", 0, partition=index)
                    wanted = node.acked["base", index]
                    if part["error_code"] == 0 and part["records"]:
                        found = [v for _, v in values(part["records"],
                                                      whole=False)]
                        equal(found, wanted[:len(found)], "what is fetched")
        try_requests(node, "fetch", requests)


main()
