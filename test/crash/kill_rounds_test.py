#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""takhind under load is killed with SIGKILL again and again, and loses nothing.

Idempotent librdkafka producers with acks=all, one a codec, go on while the
broker is killed at random times, in its start and recovery too, and started
again: $TAKHIN_KILL_ROUNDS times (200). Then everything is read back, and
checked in the manner of Jepsen's queue test: no record that was answered is
lost, none came twice, none is out of its producer's order, none is changed.
The same for topics whose creation was answered. $TAKHIN_TEST_SEED repeats a
run's choices, as far as the clock lets it."""
import collections
import contextlib
import mmap
import os
import random
import signal
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE)]

from broker import (BUILD, PATIENCE, Failed, Takhind, kafka_wire,  # noqa: E402
                    wait_for)
from tap import Skip, equal, main, note, test, true              # noqa: E402

PROGRAM = os.path.join(BUILD, "test", "crash", "rdkafka_survivor")
DUMP = os.path.join(BUILD, "takhin-dump")
ROUNDS = int(os.environ.get("TAKHIN_KILL_ROUNDS", 200))
SEED = int(os.environ.get("TAKHIN_TEST_SEED") or random.randrange(1 << 31))
TOPICS, PARTITIONS = ("one", "two", "three"), 2
BROKER = {"log_index_interval_bytes": 512,
          "log_flush_offset_checkpoint_interval_ms": 100}
TOPIC = {"one": {"internal_segment_bytes": 65536},
         "two": {"internal_segment_bytes": 200000},
         "three": {"segment_ms": 500}}


class Load:
    """The producers, in a process of their own."""

    def __init__(self, node):
        self.sent = os.path.join(node.directory, "sent")
        path = os.path.join(node.directory, "progress")
        with open(path, "wb") as file:
            file.write(bytes(8))
        with open(path, "r+b") as file:
            self.counter = mmap.mmap(file.fileno(), 8)
        with open(self.sent, "wb") as out:
            self.process = subprocess.Popen(
                [PROGRAM, "produce", node.address, str(SEED),
                 ",".join(TOPICS), str(PARTITIONS), path],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)

    @property
    def answers(self):
        return struct.unpack("<Q", self.counter[:])[0]

    def check(self):
        if self.process.poll() is not None:
            raise Failed("the producers ended: "
                         + self.process.stderr.read().decode())

    def stop(self):
        """Every record has its answer when this returns."""
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=2 * PATIENCE)
        equal(self.process.returncode, 0, said.decode())

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def spawn(node):
    """Starts takhind and does not wait."""
    with open(node.log_path, "ab") as log:
        node.process = subprocess.Popen(
            node.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def create(node, name):
    """Tries to create a topic; true when that was answered with success."""
    try:
        with node.connect(timeout=5) as peer:
            answer = peer.call(
                "CreateTopics", 7, timeout_ms=5000, topics=[{
                    "name": name, "num_partitions": 1,
                    "replication_factor": 1}])
    except (OSError, kafka_wire.Closed):
        return False
    return answer["topics"][0]["error_code"] == 0


def kill_rounds(node, load, chance):
    """Returns the names of the topics that were created, and in how many
    rounds records were answered."""
    created, fruitful = [], 0
    for number in range(ROUNDS):
        spawn(node)
        before = load.answers
        if chance.random() < 0.25:          # as it starts and recovers
            time.sleep(chance.random() * 0.06)
        else:
            wanted = before + chance.choice((1, 20, 100, 500))
            wait_for(lambda: load.answers >= wanted or load.check()
                     or node.process.poll() is not None,
                     f"answers in round {number}")
            if chance.random() < 0.1 and create(node, f"made-{number}"):
                created.append(f"made-{number}")
            time.sleep(chance.random() ** 3 * 0.1)
        load.check()
        if node.process.poll() is not None:
            raise Failed(f"takhind ended with {node.process.returncode} in "
                         f"round {number}\n" + node.log_tail())
        node.kill()
        fruitful += load.answers > before
    return created, fruitful


class Verdict:
    """What was answered against what is there."""

    def __init__(self, sent, found):
        self.lost = []
        self.duplicated = []
        self.reordered = []
        self.corrupted = []
        self.refused = []
        self.unsent = []
        self.answered = self.read = 0
        places = self.take_found(found)
        self.take_sent(sent, places)

    def take_found(self, found):
        """{(topic, partition, producer, number): offset}"""
        places, last = {}, collections.defaultdict(lambda: -1)
        for line in found.splitlines():
            topic, partition, offset, *rest = line.split()
            self.read += 1
            if rest == ["corrupt"]:
                self.corrupted.append(line)
                continue
            key = (topic, partition, *rest)
            if key in places:
                self.duplicated.append(line)
                continue
            places[key] = offset
            if int(rest[1]) <= last[key[:3]]:
                self.reordered.append(line)
            last[key[:3]] = int(rest[1])
        return places

    def take_sent(self, sent, places):
        unknown = set(places)
        for line in sent.splitlines():
            topic, partition, producer, number, offset, *why = line.split()
            key = (topic, partition, producer, number)
            unknown.discard(key)
            if offset == "refused":
                self.refused.append(line)
                continue
            self.answered += 1
            if places.get(key) is None:
                self.lost.append(line)
            elif offset not in ("-1", places[key]):
                self.reordered.append(line + ", but it is at " + places[key])
        self.unsent = sorted(unknown)

    def check(self):
        for name in ("lost", "duplicated", "reordered", "corrupted",
                     "refused", "unsent"):
            lines = getattr(self, name)
            equal(len(lines), 0, f"records {name}, such as {lines[:3]}")


def read_back(node):
    done = subprocess.run([PROGRAM, "read", node.address, ",".join(TOPICS),
                           str(PARTITIONS)], capture_output=True, text=True)
    equal(done.returncode, 0, done.stderr)
    return done.stdout


def check_topics(node, created):
    with node.connect() as peer:
        there = {topic["name"] for topic in
                 peer.call("Metadata", 9, topics=None)["topics"]}
    equal(sorted(set(created) - there), [], "topics lost")


def check_files(node):
    if not os.path.exists(DUMP):
        note("takhin-dump is not built")
        return
    done = subprocess.run([DUMP, "--verify", node.data], capture_output=True,
                          text=True)
    equal(done.returncode, 0, done.stdout[-2000:] + done.stderr[-500:])


def judge(node, load):
    verdict = Verdict(open(load.sent).read(), read_back(node))
    note(f"{verdict.answered} records answered, {verdict.read} read back: "
         + ", ".join(f"{len(getattr(verdict, name))} {name}" for name in
                     ("lost", "duplicated", "reordered", "corrupted")))
    true(verdict.answered > ROUNDS, "records were answered")
    verdict.check()


@test
def the_checker_finds_each_kind_of_fault():
    def faults(sent, found):
        verdict = Verdict(sent, found)
        return {name for name in ("lost", "duplicated", "reordered",
                                  "corrupted", "refused", "unsent")
                if getattr(verdict, name)}
    sent = "t 0 1 0 0\nt 0 1 1 1\n"
    equal(faults(sent, "t 0 0 1 0\nt 0 1 1 1\n"), set())
    equal(faults(sent, "t 0 0 1 0\n"), {"lost"})
    equal(faults(sent, "t 0 0 1 0\nt 0 1 1 1\nt 0 2 1 1\n"), {"duplicated"})
    equal(faults("t 0 1 0 -1\nt 0 1 1 -1\n", "t 0 0 1 1\nt 0 1 1 0\n"),
          {"reordered"})
    equal(faults(sent, "t 0 0 1 0\nt 0 2 1 1\n"), {"reordered"})
    equal(faults(sent, "t 0 0 1 0\nt 0 1 1 1\nt 0 2 corrupt\n"),
          {"corrupted"})
    equal(faults("t 0 1 0 refused _FAIL", ""), {"refused"})
    equal(faults("", "t 0 0 1 0\n"), {"unsent"})


@test
def nothing_that_was_answered_is_lost_or_changed_by_kills():
    if not os.path.exists(PROGRAM):
        raise Skip("librdkafka is missing")
    note(f"TAKHIN_TEST_SEED={SEED} TAKHIN_KILL_ROUNDS={ROUNDS}")
    chance, begin = random.Random(SEED), time.monotonic()
    with Takhind(BROKER) as node, contextlib.ExitStack() as cleanup:
        for name in TOPICS:
            node.create(name, PARTITIONS, **TOPIC[name])
        load = Load(node)
        cleanup.callback(load.kill)
        node.kill()
        created, fruitful = kill_rounds(node, load, chance)
        note(f"{ROUNDS} kills in {time.monotonic() - begin:.0f} s, records "
             f"answered in {fruitful} rounds, {len(created)} topics created")
        node.start()
        load.stop()
        judge(node, load)
        check_topics(node, created)
        node.kill()                 # and once more with all of it at rest
        check_files(node)
        node.start()
        judge(node, load)
        node.stop()
        check_files(node)


main()
