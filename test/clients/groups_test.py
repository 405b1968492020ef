#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Groups as real clients and Kafka's own tools live in them: librdkafka
(through kcat), the Java consumer in both protocols, consumer-groups, and a
data directory that Kafka and Takhin take from each other."""
import collections
import os
import re
import signal
import subprocess
import sys
import tempfile

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from broker import KAFKA, PATIENCE, broker, need_kafka, wait_for  # noqa: E402
from tap import equal, main, need, test, true                     # noqa: E402

os.environ.setdefault("KAFKA_HEAP", "320m")
OPTIONS = {"group_initial_rebalance_delay_ms": 0,
           "offsets_topic_num_partitions": 3,
           "offsets_topic_replication_factor": 1}


def produce(node, topic, first, last):
    """Numbers as keys and values, spread over the partitions."""
    need("kcat")
    lines = "".join(f"{n}:{n}\n" for n in range(first, last))
    subprocess.run(["kcat", "-P", "-b", node.address, "-t", topic, "-K:"],
                   input=lines.encode(), check=True)


class Reader:
    """A consumer in a group, as a process; what it read so far."""

    def __init__(self, command):
        self.output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.output,
            stderr=subprocess.DEVNULL)

    def read(self):
        # the child writes at the file's position: it must not be moved
        size = os.fstat(self.output.fileno()).st_size
        whole = os.pread(self.output.fileno(), size, 0).rpartition(b"\n")[0]
        # Kafka's tools print their advice there too
        return [int(n) for n in whole.splitlines() if n.isdigit()]

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(PATIENCE)


def kcat(node, group, topic, *options):
    need("kcat")
    return Reader(["kcat", "-b", node.address, "-u", "-q", "-X",
                   "session.timeout.ms=6000", "-X",
                   "heartbeat.interval.ms=500", "-X",
                   "auto.offset.reset=earliest", *options, "-G", group, topic])


def java(node, group, topic, protocol):
    need_kafka()
    return Reader([KAFKA, "console-consumer", "--bootstrap-server",
                   node.address, "--topic", topic, "--group", group,
                   "--from-beginning", "--consumer-property",
                   "group.protocol=" + protocol])


def all_read(readers):
    return collections.Counter(n for r in readers for n in r.read())


def groups(node, *arguments):
    return node.tool("consumer-groups", "--bootstrap-server", node.address,
                     *arguments).decode()


def table(text):
    """Rows of a tool's table, as dictionaries; none where it prints no table,
    because the group is rebalancing for example."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    head = next((i for i, line in enumerate(lines) if line[0] == "GROUP"),
                len(lines))
    return [dict(zip(lines[head], line)) for line in lines[head + 1:]
            if line[0] != "GROUP"]


@test
def three_members_share_and_take_over_from_one_that_is_killed(node):
    node.create("shared", partitions=6)
    readers = [kcat(node, "shared", "shared") for _ in range(3)]
    try:
        produce(node, "shared", 0, 600)
        wait_for(lambda: len(all_read(readers)) == 600, "the first 600")
        readers[0].stop()                     # says goodbye
        readers[1].stop(signal.SIGKILL)       # does not
        produce(node, "shared", 600, 1200)
        wait_for(lambda: len(all_read(readers)) == 1200, "the other 600",
                 PATIENCE)
        equal(set(all_read(readers)), set(range(1200)))
    finally:
        for reader in readers:
            reader.process.kill()


@test
def a_member_goes_on_where_the_group_stopped(node):
    node.create("resumed")
    produce(node, "resumed", 0, 100)
    for first, last in (0, 100), (100, 200):
        reader = kcat(node, "resumed", "resumed")
        try:
            wait_for(lambda: len(reader.read()) == 100, "100 more")
            equal(reader.read(), list(range(first, last)))
        finally:
            reader.stop()
        produce(node, "resumed", last, last + 100)


def consume_by_java(node, protocol):
    topic = "java-" + protocol
    node.create(topic, partitions=2)
    produce(node, topic, 0, 100)
    reader = java(node, topic, topic, protocol)
    try:
        wait_for(lambda: len(reader.read()) == 100, "100 records")
        rows = table(groups(node, "--describe", "--group", topic))
        equal([row["TOPIC"] for row in rows], [topic, topic])
        true(all(row["CLIENT-ID"] == "console-consumer" for row in rows),
             f"a consumer on every partition: {rows}")
        state = table(groups(node, "--describe", "--group", topic, "--state"))
        true("Stable" in str(state), f"stable: {state}")
        members = table(groups(node, "--describe", "--group", topic,
                               "--members", "--verbose"))
        equal(members[0]["#PARTITIONS"], "2")
    finally:
        reader.stop()
    rows = table(groups(node, "--describe", "--group", topic))
    equal(sum(int(row["CURRENT-OFFSET"]) for row in rows), 100)


@test
def a_java_consumer_reads_in_the_classic_protocol(node):
    consume_by_java(node, "classic")


@test
def a_java_consumer_reads_in_the_consumer_protocol(node):
    consume_by_java(node, "consumer")


@test
def a_group_changes_its_protocol_while_it_reads(node):
    node.create("moving", partitions=4)
    old = kcat(node, "moving", "moving", "-X",
               "partition.assignment.strategy=range")
    new = None
    try:
        produce(node, "moving", 0, 200)
        wait_for(lambda: len(old.read()) == 200, "200 by the classic one")
        new = java(node, "moving", "moving", "consumer")

        def shared():
            found = groups(node, "--describe", "--group", "moving",
                           "--members")
            return sorted(row["#PARTITIONS"] for row in table(found)
                          ) == ["2", "2"]
        wait_for(shared, "each has two partitions")
        produce(node, "moving", 200, 400)
        wait_for(lambda: len(all_read([old, new])) == 400, "400 by both")
        true(new.read(), "the new one reads")
        new.stop()
        produce(node, "moving", 400, 600)
        wait_for(lambda: len(all_read([old, new])) == 600, "600 by both")
        row = table(groups(node, "--list", "--state", "--type"))
        true(any(r["GROUP"] == "moving" and r["TYPE"] == "Classic"
                 for r in row), f"classic again: {row}")
    finally:
        for reader in (old, new):
            if reader:
                reader.process.kill()


@test
def an_administrator_resets_and_deletes(node):
    node.create("managed")
    produce(node, "managed", 0, 50)
    reader = kcat(node, "managed", "managed")
    wait_for(lambda: len(reader.read()) == 50, "50 records")
    reader.stop()
    for how, wanted in ("--to-earliest", "0"), ("--to-offset=20", "20"), \
            ("--shift-by=-5", "15"), ("--to-latest", "50"):
        groups(node, "--group", "managed", "--topic", "managed",
               "--reset-offsets", *how.split("="), "--execute")
        rows = table(groups(node, "--describe", "--group", "managed"))
        equal(rows[0]["CURRENT-OFFSET"], wanted, how)
    groups(node, "--group", "managed", "--topic", "managed",
           "--delete-offsets")
    groups(node, "--group", "managed", "--delete")
    true("managed" not in groups(node, "--list").split(), "it is gone")


@test
def the_offsets_decoder_reads_the_log(node):
    found = ""
    for partition in range(3):
        log = os.path.join(node.data, f"__consumer_offsets-{partition}",
                           f"{0:020}.log")
        found += node.tool("dump-log", "--files", log,
                           "--offsets-decoder").decode()
    for wanted in ('"type":"1"', '"type":"2"', '"group":"shared"'):
        true(wanted in found, wanted + " is in the dump")
    true("isvalid: false" not in found, "every batch is valid")
    equal(re.findall(r"(?i)unknown|exception", found), [])


def takes_over(first, second, directory):
    """Offsets and groups that the FIRST kind of broker wrote are there on the
    SECOND."""
    need_kafka()
    with broker(first, directory, **OPTIONS) as node:
        node.create("taken")
        produce(node, "taken", 0, 40)
        reader = kcat(node, "taken", "taken")
        wait_for(lambda: len(reader.read()) == 40, "40 records")
        reader.stop()
        reader = java(node, "modern", "taken", "consumer")
        wait_for(lambda: len(reader.read()) == 40, "40 records")
        reader.stop()
        node.stop()
    with broker(second, directory, **OPTIONS) as node:
        produce(node, "taken", 40, 60)
        for group in "taken", "modern":
            rows = wait_for(lambda: table(groups(
                node, "--describe", "--group", group)), "the group")
            equal(rows[0]["CURRENT-OFFSET"], "40", group)
        reader = java(node, "modern", "taken", "consumer")
        wait_for(lambda: len(reader.read()) == 20, "20 records")
        reader.stop()
        node.stop()


@test
def kafkas_groups_are_taken_over(node):
    with tempfile.TemporaryDirectory() as directory:
        takes_over("kafka", "takhind", directory)


@test
def kafka_takes_the_groups_over(node):
    with tempfile.TemporaryDirectory() as directory:
        takes_over("takhind", "kafka", directory)


main(lambda: broker(**OPTIONS))
