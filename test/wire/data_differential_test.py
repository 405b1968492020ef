#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same data to takhind and to Apache Kafka 4.3.1: what a Fetch then gives is
the same, batch by batch and byte by byte, from each broker on its own directory
and on the other's, after stops and kills, with more appended each time.

$TAKHIN_TEST_SEED picks other data. Left out of the comparison: leader epochs,
which count each broker's starts, and the clock in transaction markers. Of a
compacted topic the newest record of each key is compared: when a cleaner runs
is its own affair."""
import contextlib
import random
import shutil
import tempfile

from calls import *

import broker as fixture
import kafka_wire

SEED = int(os.environ.get("TAKHIN_TEST_SEED", 1))
STAMP = int(time.time()) * 1000 - 1000000
SMALL = {"internal_segment_bytes": 2000, "index_interval_bytes": 300}
TOPICS = {"plain": {}, "rolled": SMALL, "appended":
          {"message_timestamp_type": "LogAppendTime", **SMALL},
          "deleted": SMALL, "moved": SMALL,
          "compacted": {"cleanup_policy": "compact", **SMALL,
                        "min_cleanable_dirty_ratio": "0.01"}}
PARTITIONS = 2
OPTIONS = {"node_id": 1, "log_cleaner_backoff_ms": 200,
           "offsets_topic_num_partitions": 1,
           "offsets_topic_replication_factor": 1,
           "transaction_state_log_num_partitions": 1,
           "transaction_state_log_replication_factor": 1,
           "transaction_state_log_min_isr": 1}
GOLDEN = os.path.join(fixture.TEST, "record", "golden", "batches.golden")
TRANSACTIONAL, CONTROL = 0x10, 0x20


def golden():
    """{name: batch}, as Kafka's own classes made them; see MakeGolden.java."""
    with open(GOLDEN, "rb") as file:
        data = file.read()
    found, at = {}, 0

    def take(layout):
        nonlocal at
        value, = struct.unpack_from(">" + layout, data, at)
        at += struct.calcsize(layout)
        return value

    def skip_fields(count):
        nonlocal at
        for _ in range(count):
            length = take("i")
            at += 4 if length > 1000 else max(length, 0)
    while at < len(data):
        length = take("h")
        name = data[at:at + length].decode()
        at += length
        length = take("i")
        found[name] = data[at:at + length]
        at += length + struct.calcsize(">qqbbbqqhii")
        for _ in range(take("i")):
            at += struct.calcsize(">qqi")
            skip_fields(2)
            skip_fields(2 * take("i"))
    return found


MADE = {name: bytes(8) + data[8:] for name, data in golden().items()}
CODECS = [f"magic2-{codec}" for codec in ("none", "gzip", "snappy", "lz4",
                                          "zstd")]


class Workload:
    """The same calls in the same order, whoever is called."""

    def __init__(self):
        self.round = 0
        self.sequences = {}

    def run(self, node):
        chance = random.Random(f"{SEED} {self.round}")
        with node.connect() as peer:
            for _ in range(60):
                self.produce(peer, chance)
            for commit in (True, False, True):
                self.transact(peer, chance, commit)
            self.delete(peer, chance)
        self.round += 1

    def produce(self, peer, chance):
        topic = chance.choice([name for name in TOPICS if name != "moved"])
        partition = chance.randrange(PARTITIONS)
        if topic == "compacted":
            data = batch([self.record(chance, i, key=True)
                          for i in range(chance.randrange(1, 6))], STAMP)
        elif chance.random() < 0.4:
            data = MADE[chance.choice(CODECS)]
        elif chance.random() < 0.3:
            data = self.idempotent(chance, topic, partition)
        else:
            data = batch([self.record(chance, i)
                          for i in range(chance.randrange(1, 9))],
                         STAMP + chance.randrange(100000),
                         codec=chance.choice((NONE, GZIP)))
        answer = produce(peer, topic, data, partition=partition)
        equal(answer["error_code"], 0, f"Produce {answer}")
        if chance.random() < 0.1 and data[43:51] != b"\xff" * 8:
            again = produce(peer, topic, data, partition=partition)
            equal(again["base_offset"], answer["base_offset"], "a duplicate")

    def record(self, chance, offset, key=False):
        """A keyed record, some with headers, some of them tombstones."""
        value = bytes(chance.randrange(256)
                      for _ in range(chance.choice((0, 3, 50, 300))))
        if key:
            value = value if chance.random() < 0.8 else None
        return Record(record(
            value, b"key %d" % chance.randrange(8)
            if key or chance.random() < 0.5 else None,
            [("h", b"\x00v"), ("empty", b"")]
            if chance.random() < 0.3 else (), offset))

    def idempotent(self, chance, topic, partition):
        who = 7000 + chance.randrange(3)
        place = (who, topic, partition)
        first, count = self.sequences.get(place, 0), chance.randrange(1, 5)
        self.sequences[place] = first + count
        return batch([self.record(chance, i) for i in range(count)],
                     STAMP, producer_id=who, producer_epoch=0, sequence=first)

    def transact(self, peer, chance, commit):
        wait_for(lambda: peer.call(
            "FindCoordinator", 4, key_type=1, coordinator_keys=["tx"])
            ["coordinators"][0]["error_code"] == 0, "a coordinator")
        def init():
            answer = peer.call("InitProducerId", 4, transactional_id="tx",
                               transaction_timeout_ms=60000)
            return answer["error_code"] == 0 and answer
        answer = wait_for(init, "a producer id")
        who = {"producer_id": answer["producer_id"],
               "producer_epoch": answer["producer_epoch"]}
        parts = peer.call(
            "AddPartitionsToTxn", 3, v3_and_below_transactional_id="tx",
            v3_and_below_producer_id=who["producer_id"],
            v3_and_below_producer_epoch=who["producer_epoch"],
            v3_and_below_topics=[{"name": "moved", "partitions": [0, 1]}])
        equal([p["partition_error_code"] for p in
               parts["results_by_topic_v3_and_below"][0]
               ["results_by_partition"]], [0, 0], "AddPartitionsToTxn")
        for partition in range(PARTITIONS):
            data = batch([self.record(chance, i) for i in range(3)], STAMP,
                         sequence=0, attributes=TRANSACTIONAL, **who)
            equal(produce(peer, "moved", data, 11, transactional_id="tx",
                          partition=partition)["error_code"], 0, "Produce")
        equal(peer.call("EndTxn", 4, transactional_id="tx", committed=commit,
                        **who)["error_code"], 0, "EndTxn")
        wait_for(lambda: self.stable(peer), "the markers")

    def stable(self, peer):
        parts = [fetch(peer, "moved", 0, partition=partition)
                 for partition in range(PARTITIONS)]
        return all(part["last_stable_offset"] == part["high_watermark"]
                   for part in parts)

    def delete(self, peer, chance):
        """DeleteRecords: half of what is there."""
        for partition in range(PARTITIONS):
            end = list_offset(peer, "deleted", LATEST,
                              partition=partition)["offset"]
            start = list_offset(peer, "deleted", EARLIEST,
                                partition=partition)["offset"]
            answer = peer.call("DeleteRecords", 2, timeout_ms=30000, topics=[{
                "name": "deleted", "partitions": [{
                    "partition_index": partition,
                    "offset": (start + end) // 2}]}])
            part = answer["topics"][0]["partitions"][0]
            equal((part["error_code"], part["low_watermark"]),
                  (0, (start + end) // 2), "DeleteRecords")


def raw(peer, topic, partition, start):
    """All bytes of a partition from START on, batch by batch."""
    found, offset = [], start
    while True:
        part = fetch(peer, topic, offset, partition=partition)
        equal(part["error_code"], 0, f"fetch {topic}-{partition} {offset}")
        data, at = part["records"] or b"", 0
        while len(data) - at >= 17:
            length = struct.unpack_from(">i", data, at + 8)[0] + 12
            if len(data) - at < length:
                break
            found.append(bytes(data[at:at + length]))
            at += length
        if at == 0:
            equal(offset, part["high_watermark"], "where the log ends")
            return found
        base, = struct.unpack_from(">q", found[-1])
        delta = (struct.unpack_from(">i", found[-1], 23)[0]
                 if found[-1][16] == 2 else 0)
        offset = base + delta + 1


def comparable(data, topic):
    """A batch less what differs by nature."""
    head = batches(data)[0]
    if head["attributes"] & CONTROL:
        kind = head["records"][7:9]         # of the key: abort or commit
        return head["base_offset"], "marker", kind
    if topic == "appended":                 # the clock is in it
        return head["base_offset"], head["last_offset"], head["records"]
    if topic == "moved":                    # ids are each broker's own
        return (head["base_offset"], head["attributes"], head["sequence"],
                head["records"])
    return head["base_offset"], data[21:]


def newest(data):
    """{key: (offset, value)} of a compacted partition; none of a tombstone,
    which may be gone."""
    found = {}
    for one in data:
        head = batches(one)[0]
        reader = kafka_wire.Reader(head["records"])
        for _ in range(head["count"]):
            reader.varint(), reader.take(1), reader.varint()
            offset = head["base_offset"] + reader.varint()
            key = reader.take(max(reader.varint(), 0))
            size = reader.varint()
            found[key] = offset, None if size < 0 else reader.take(size)
            for _ in range(reader.varint()):
                reader.take(reader.varint())
                reader.take(max(reader.varint(), 0))
    return {key: value for key, value in found.items()
            if value[1] is not None}


class State:
    """All that a broker serves, and how much that is."""

    def __init__(self, node):
        self.data, self.bytes = {}, 0
        with node.connect() as peer:
            for topic in TOPICS:
                for partition in range(PARTITIONS):
                    self.take(peer, topic, partition)

    def take(self, peer, topic, partition):
        start = list_offset(peer, topic, EARLIEST,
                            partition=partition)["offset"]
        end = list_offset(peer, topic, LATEST, partition=partition)["offset"]
        found = raw(peer, topic, partition, start)
        self.bytes += sum(map(len, found))
        if topic == "compacted":
            seen = newest(found)
        else:
            # the first batch may begin ahead of the log start offset
            seen = [comparable(one, topic) for one in found]
        self.data[topic, partition] = start, end, seen


def compare(found, wanted, what, killed=False):
    """KILLED: the last broker was. What DeleteRecords did stands in a
    checkpoint that either writes from time to time."""
    for place, (start, end, seen) in wanted.data.items():
        name = f"{what}: {place[0]}-{place[1]}"
        first, last, ours = found.data[place]
        if killed and place[0] == "deleted" and first < start:
            first = start
            ours = [one for one in ours if one[0] >= seen[0][0]]
        equal((first, last), (start, end), name + ": start and end")
        equal(len(ours), len(seen), name + ": batches")
        if isinstance(seen, dict):
            equal(ours, seen, name)
            continue
        for one, other in zip(ours, seen):
            equal(one, other, name)


class Scene:
    """Two directories, which begin as takhind's and as Kafka's."""

    def __init__(self, stack):
        self.paths = [stack.enter_context(
            tempfile.TemporaryDirectory(prefix="takhin-test-"))
            for _ in range(2)]
        self.stack = stack
        self.work = [Workload(), Workload()]
        self.states = [None, None]
        self.killed = [False, False]    # it ended so
        self.compared = 0
        self.node = None

    def log_tail(self):
        return self.node.log_tail() if self.node else ""

    @contextlib.contextmanager
    def serve(self, kind, which, end="stop"):
        """A broker of KIND on directory WHICH."""
        self.node = fixture.broker(kind, self.paths[which], **OPTIONS)
        if kind == "kafka":
            self.node.options.pop("node.id")
        self.node.start()
        try:
            yield self.node
            getattr(self.node, end)()
        finally:
            if self.node.running():
                self.node.kill()
            wait_for(lambda: not self.node.running(), "the broker's end")

    def turn(self, kind, which, end="stop"):
        """It serves what was there before, and goes on."""
        with self.serve(kind, which, end) as node:
            what = f"{kind} on directory {which}"
            if self.states[which] is None:
                for name, configs in TOPICS.items():
                    node.create(name, PARTITIONS, retention_ms=-1, **configs)
            else:
                now = State(node)
                compare(now, self.states[which], what, self.killed[which])
                self.compared += now.bytes
            self.work[which].run(node)
            self.states[which] = State(node)
            self.killed[which] = end == "kill"
            self.compared += self.states[which].bytes

    def agree(self, what):
        compare(self.states[0], self.states[1], what)
        note(f"{self.compared} bytes compared")


@contextlib.contextmanager
def scene():
    fixture.need_kafka()
    with contextlib.ExitStack() as stack:
        yield Scene(stack)


@test
def the_same_data_comes_back_from_takhind_and_from_kafka(scene):
    scene.turn("takhind", 0)
    scene.turn("kafka", 1)
    scene.agree("each on its own")


@test
def each_serves_the_others_directory_and_goes_on(scene):
    scene.turn("kafka", 0, "kill")
    scene.turn("takhind", 1, "kill")
    scene.agree("each on the other's")


@test
def each_serves_its_own_directory_again(scene):
    scene.turn("takhind", 0)
    scene.turn("kafka", 1)
    scene.agree("each on its own again")


@test
def takhind_takes_over_from_a_killed_kafka(scene):
    scene.turn("kafka", 0, "kill")
    scene.turn("takhind", 0)
    scene.turn("takhind", 1)


@test
def nothing_is_wrong_in_either_directory(scene):
    program = os.path.join(fixture.BUILD, "takhin-dump")
    for path in scene.paths:
        done = fixture.subprocess.run(
            [program, "--verify", path + "/logs"], capture_output=True,
            text=True)
        equal(done.returncode, 0, done.stdout[-3000:])


def old_messages():
    """A segment as a broker of before 0.11 wrote it: magic 0 and 1."""
    segment, offset = b"", 0
    for name in (*(f"magic0-none{n}" for n in ("", "-1", "-2", "-3", "-4")),
                 *(f"magic1-none{n}" for n in ("", "-1", "-2", "-3", "-4")),
                 "magic1-gzip", "magic1-snappy", "magic1-lz4"):
        data = MADE[name]
        if "none" not in name:
            offset += 4                 # a wrapper has its last one's offset
        segment += struct.pack(">q", offset) + data[8:]
        offset += 1
    return segment, offset


@test
def messages_of_magic_0_and_1_are_served_as_they_lie(scene):
    with scene.serve("takhind", 0) as node:
        node.create("old", 1, retention_ms=-1)
    folder = os.path.join(scene.paths[0], "logs", "old-0")
    for name in os.listdir(folder):
        if name.startswith("0"):
            os.remove(os.path.join(folder, name))
    segment, end = old_messages()
    with open(os.path.join(folder, "%020d.log" % 0), "wb") as file:
        file.write(segment)
    os.remove(os.path.join(scene.paths[0], "logs", ".kafka_cleanshutdown"))
    new = MADE["magic2-zstd"]
    for kind in ("takhind", "kafka", "takhind"):
        with scene.serve(kind, 0) as node, node.connect() as peer:
            found = raw(peer, "old", 0, 0)
            legacy = [one for one in found if one[16] < 2]
            equal(b"".join(legacy), segment, f"what {kind} serves")
            for one, offset in zip(found[len(legacy):], range(end, 999, 6)):
                equal((struct.unpack_from(">q", one)[0], one[21:]),
                      (offset, new[21:]), f"{kind}: what was appended")
            equal(produce(peer, "old", new)["error_code"], 0, "Produce")
            middle = raw(peer, "old", 0, 7)
            equal(middle[0], legacy[7], f"{kind}: from an offset between")


use_schemas(jar_schemas() if jar_path() else None)
main(scene)
