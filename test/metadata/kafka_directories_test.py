#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The metadata of a data directory goes from Takhin to Kafka and back: what
one wrote the other reads, in both kinds of voter set. `metadata_tool` stands
for takhind: it starts, changes and stops a metadata log without the broker."""
import base64
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import broker                                                   # noqa: E402
import tap                                                      # noqa: E402
from tap import equal, test, true                               # noqa: E402

TOOL = os.path.join(broker.BUILD, "test", "metadata", "metadata_tool")
METADATA = "__cluster_metadata-0"


def tool(command, node, *arguments):
    done = subprocess.run([TOOL, command, node.data, *arguments],
                          capture_output=True, text=True)
    if done.returncode:
        raise broker.Failed(f"metadata_tool {command}: {done.stderr}")
    return done.stdout.splitlines()


def topics_by_tool(node):
    """{name: (id, partitions)} as the tool replays it."""
    found = {}
    for line in tool("show", node):
        match = re.match(r"topic (\S+) id=(\S+) partitions=(\d+)", line)
        if match:
            found[match[1]] = match[2], int(match[3])
    return found


def topics_by_kafka(node):
    with node.connect() as peer:
        answer = peer.call("Metadata", 12, topics=None)
    return {topic["name"]: (text_of(topic["topic_id"]),
                            len(topic["partitions"]))
            for topic in answer["topics"]}


def text_of(uuid):
    return base64.urlsafe_b64encode(uuid).decode().rstrip("=")


def checkpoints(node):
    return sorted(name for name in os.listdir(f"{node.data}/{METADATA}")
                  if name.endswith(".checkpoint"))


def same_topics(node, *names):
    by_kafka, by_tool = topics_by_kafka(node), topics_by_tool(node)
    equal(by_kafka, by_tool, "topics")
    equal(sorted(by_tool), sorted(names), "their names")


class Directory:
    """A Kafka that is not running on a directory that is not there yet."""

    def __enter__(self):
        broker.need_kafka()
        self.path = tempfile.mkdtemp(prefix="takhin-test-")
        self.node = broker.Kafka({}, self.path)
        return self.node

    def __exit__(self, *exception):
        if os.path.exists(self.path + "/pid") and self.node.running():
            self.node.kill()
        shutil.rmtree(self.path, ignore_errors=True)


@test
def kafka_lists_the_topics_of_takhins_directory_and_takhin_those_of_kafkas():
    with Directory() as node:
        tool("run", node, "create=first,3,retention.ms=123456",
             "create=gone,1", "delete=gone", "snapshot", "create=second,2",
             "ids", "grow=second,4")
        node.options["metadata.log.max.record.bytes.between.snapshots"] = 1000
        node.start()
        same_topics(node, "first", "second")
        node.create("third", 2, retention_ms=654321)
        broker.wait_for(lambda: len(checkpoints(node)) > 1,
                        "a snapshot of Kafka's")
        same_topics(node, "first", "second", "third")
        node.kill()

        shown = tool("show", node)
        for line in ("config 2 first retention.ms=123456",
                     "config 2 third retention.ms=654321"):
            true(line in shown, line)
        tool("run", node, "create=fourth,1", "crash")
        tool("run", node, "set=third,retention.ms", "snapshot")
        node.start()
        same_topics(node, "first", "second", "third", "fourth")
        node.stop()
        shown = tool("show", node)
        true("config 2 third retention.ms=654321" not in shown,
             "the configuration is gone")
        led = [line for line in tool("run", node) + tool("show", node)
               if line.startswith("partition") and "leader=1" not in line]
        equal(led, [], "partitions without their leader")


def write_standalone(node):
    """Formats the directory as one voter of kraft.version 1."""
    config = os.path.join(node.directory, "format.properties")
    address = f"127.0.0.1:{node.port + 1}"
    node.options.update({"controller.quorum.voters": "",
                         "controller.quorum.bootstrap.servers": address})
    with open(config, "w") as file:
        file.write("process.roles=broker,controller\nnode.id=1\n"
                   f"listeners=PLAINTEXT://127.0.0.1:{node.port},"
                   f"CONTROLLER://{address}\n"
                   "controller.listener.names=CONTROLLER\n"
                   f"controller.quorum.bootstrap.servers={address}\n"
                   f"log.dirs={node.data}\n")
    node.tool("java", "kafka.tools.StorageTool", "format", "--standalone",
              "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", config)


@test
def a_directory_formatted_standalone_goes_both_ways():
    with Directory() as node:
        write_standalone(node)
        tool("run", node, "create=first,1", "snapshot", "create=second,1")
        records = tool("records", node)
        true(any("control type=6" in line for line in records),
             "the voters are repeated")
        node.start()
        same_topics(node, "first", "second")
        node.create("third", 1)
        node.kill()
        tool("run", node, "create=fourth,1")
        equal(sorted(topics_by_tool(node)),
              ["first", "fourth", "second", "third"])


def produce(node, prefix):
    node.tool("console-producer", "--bootstrap-server", node.address,
              "--topic", "t", input=b"".join(b"%s%d\n" % (prefix, i)
                                             for i in range(100)))


def consume(node, count):
    return node.tool("console-consumer", "--bootstrap-server", node.address,
                     "--topic", "t", "--partition", "0", "--offset",
                     "earliest", "--max-messages", str(count),
                     "--timeout-ms", "60000").split()


@test
def records_go_from_kafka_to_takhind_and_back_under_rising_leader_epochs():
    with Directory() as kafka:
        takhind = broker.Takhind({"node.id": 1}, kafka.directory)
        wanted = []
        kafka.start()
        kafka.create("t")
        for turn, (node, end) in enumerate([(kafka, "kill"),
                                            (takhind, "kill"),
                                            (takhind, "stop"),
                                            (kafka, "stop"),
                                            (takhind, "stop")]):
            if turn:
                node.start()
                equal(consume(node, len(wanted)), wanted, f"turn {turn}")
            prefix = b"turn%d-" % turn
            produce(node, prefix)
            wanted += [prefix + b"%d" % i for i in range(100)]
            getattr(node, end)()
        with open(f"{kafka.data}/t-0/leader-epoch-checkpoint") as file:
            lines = [line.split() for line in file.read().split("\n")[2:]
                     if line]
        equal(lines, sorted(lines, key=lambda line: int(line[0])), "epochs")
        equal([line[1] for line in lines if int(line[1]) % 100], [],
              "epochs that begin where no broker did")


@test
def kafkas_dump_reads_every_record_and_snapshot_of_takhins():
    with Directory() as node:
        tool("run", node, "create=t,3,retention.ms=1", "ids", "snapshot",
             "create=u,1", "set=u,segment.ms=9")
        tool("run", node, "delete=t")
        for name in sorted(os.listdir(f"{node.data}/{METADATA}")):
            if not name.endswith((".log", ".checkpoint")):
                continue
            dumped = node.tool("dump-log", "--cluster-metadata-decoder",
                               "--files", f"{node.data}/{METADATA}/{name}")
            text = dumped.decode()
            true("isvalid: true" in text, f"{name} has batches")
            true("isvalid: false" not in text, f"{name}: every CRC is right")
            true("| offset" in text and "Could not" not in text, text)


tap.main()
