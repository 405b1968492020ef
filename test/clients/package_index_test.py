#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real text through real clients: each package of Debian's index is a record,
produced by kcat with every codec, by a librdkafka program and by Kafka's
producer-perf-test; what kcat, the librdkafka program and Kafka's
console-consumer read back must be those bytes: before and after a restart,
and after a kill. Then Kafka's dump-log checks every file.

$TAKHIN_TEST_RECORDS bounds the number of records (all of them, some 63,000).
"""
import collections
import contextlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from broker import BUILD, KAFKA, broker, need_kafka             # noqa: E402
from tap import Skip, cases, equal, main, need, note, test, true  # noqa: E402

END = b"\x1e"
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def index():
    """The records, none of them empty."""
    text = b""
    if shutil.which("apt-cache"):
        text = subprocess.run(["apt-cache", "dumpavail"],
                              capture_output=True).stdout
    records = [r.replace(END, b"") for r in text.split(b"\n\n") if r.strip()]
    if len(records) < 1000:
        records = list(invented(63000))
    return records[:int(os.environ.get("TAKHIN_TEST_RECORDS", 10**9))]


def invented(count):
    """Text of the same shape, for systems without Debian's index."""
    chance = random.Random(1)
    words = [bytes(chance.choices(range(97, 123), k=chance.randint(2, 12)))
             for _ in range(5000)]
    for number in range(count):
        yield b"Package: %s-%d\nDescription: %s" % (
            chance.choice(words), number, b" ".join(
                chance.choices(words, k=int(chance.paretovariate(1) * 20)
                               % 2500)))


class Scene:
    """The broker, the index, and what each topic must hold."""

    def __init__(self, node, directory):
        self.node = node
        self.records = index()
        self.lines = END.join(self.records) + END
        self.wanted = {}
        self.program = os.path.join(BUILD, "test/clients/rdkafka_roundtrip")
        self.payload = os.path.join(directory, "payload")
        with open(self.payload, "wb") as file:
            file.write(self.lines)

    def log_tail(self):
        return self.node.log_tail()

    def roundtrip(self):
        """The librdkafka program that the build made."""
        if not os.path.exists(self.program):
            raise Skip("librdkafka is missing")
        return self.program


@contextlib.contextmanager
def scene():
    with tempfile.TemporaryDirectory() as directory, \
            broker(log_segment_bytes=16 << 20) as node:
        made = Scene(node, directory)
        note(f"{len(made.records)} records, {len(made.lines) >> 20} MiB")
        yield made


def run(command, **options):
    done = subprocess.run([str(word) for word in command],
                          capture_output=True, **options)
    equal(done.returncode, 0, f"exit of {command[0]}: "
          + done.stderr.decode(errors="replace")[-1000:])
    return done.stdout


def same(found, wanted):
    """Equal bytes, with a short account of where they differ."""
    if found != wanted:
        at = next((i for i, (a, b) in enumerate(zip(found, wanted))
                   if a != b), min(len(found), len(wanted)))
        raise AssertionError(
            f"{len(found)} bytes instead of {len(wanted)}; they differ at "
            f"{at}: {found[at:at + 60]!r} instead of {wanted[at:at + 60]!r}")


@cases("kcat produces with codec {}", CODECS)
def kcat_produces(scene, codec):
    need("kcat")
    topic = "kcat-" + codec
    scene.node.create(topic)
    run(["kcat", "-P", "-b", scene.node.address, "-t", topic, "-p", 0,
         "-z", codec, "-D", r"\x1e", "-X", "acks=all",
         "-X", "queue.buffering.max.messages=1000000"], input=scene.lines)
    scene.wanted[topic] = scene.lines


@test
def a_librdkafka_program_produces_idempotently(scene):
    scene.node.create("rdkafka")
    run([scene.roundtrip(), "produce", scene.node.address, "rdkafka", "lz4"],
        input=scene.lines)
    scene.wanted["rdkafka"] = scene.lines


@test
def producer_perf_test_produces(scene):
    """It sends records that it draws from the file: they are read back by
    kcat first, and must be as many as sent and all from the file."""
    need_kafka()
    need("kcat")
    scene.node.create("perf")
    said = run([KAFKA, "producer-perf-test", "--topic", "perf",
                "--num-records", len(scene.records), "--throughput", -1,
                "--payload-file", scene.payload,
                "--payload-delimiter", END.decode(),
                "--bootstrap-server", scene.node.address]).decode()
    true(re.search(rf"^{len(scene.records)} records sent", said, re.M),
         "all records sent: " + said[-300:])
    found = kcat(scene, "perf")
    known = set(scene.records)
    drawn = found.split(END)[:-1]
    equal(len(drawn), len(scene.records), "records read back")
    strange = collections.Counter(r for r in drawn if r not in known)
    equal(len(strange), 0, "records that were never sent")
    scene.wanted["perf"] = found


def kcat(scene, topic):
    need("kcat")
    return run(["kcat", "-C", "-b", scene.node.address, "-t", topic, "-p", 0,
                "-o", "beginning", "-e", "-q", "-D", r"\x1e",
                "-X", "check.crcs=true"])


def librdkafka(scene, topic):
    return run([scene.roundtrip(), "consume", scene.node.address, topic])


def console(scene, topic):
    need_kafka()
    count = scene.wanted[topic].count(END)
    return run([KAFKA, "console-consumer", "--bootstrap-server",
                scene.node.address, "--topic", topic, "--partition", 0,
                "--offset", "earliest", "--max-messages", count,
                "--timeout-ms", 60000,
                "--formatter-property", "line.separator=" + END.decode()])


def all_topics(scene, reader, topics=None):
    if not scene.wanted:
        raise Skip("nothing was produced")
    for topic in topics or scene.wanted:
        try:
            same(reader(scene, topic), scene.wanted[topic])
        except AssertionError as problem:
            raise AssertionError(f"{topic}: {problem}") from None


@test
def kcat_reads_every_byte(scene):
    all_topics(scene, kcat)


@test
def librdkafka_reads_every_byte(scene):
    all_topics(scene, librdkafka)


@test
def console_consumer_reads_every_byte(scene):
    all_topics(scene, console)


@test
def kcat_and_console_consumer_read_every_byte_after_a_restart(scene):
    scene.node.restart()
    all_topics(scene, kcat)
    all_topics(scene, console, ["kcat-zstd"])


@test
def librdkafka_reads_every_byte_after_a_kill(scene):
    scene.node.kill()
    scene.node.start()
    all_topics(scene, librdkafka)


@test
def more_is_appended_after_the_kill(scene):
    need("kcat")
    run(["kcat", "-P", "-b", scene.node.address, "-t", "kcat-none", "-p", 0,
         "-D", r"\x1e"], input=b"after" + END)
    scene.wanted["kcat-none"] += b"after" + END
    all_topics(scene, kcat, ["kcat-none"])


def files(scene, *endings):
    found = []
    for folder, _, names in os.walk(scene.node.data):
        if os.path.basename(folder).rpartition("-")[0] in scene.wanted:
            found += [os.path.join(folder, name) for name in names
                      if name.endswith(endings)]
    true(found, "files to check")
    return ",".join(sorted(found))


@test
def dump_log_finds_nothing_to_complain_about(scene):
    scene.node.stop()
    said = scene.node.tool("dump-log", "--index-sanity-check", "--files",
                           files(scene, ".index", ".timeindex")).decode()
    passed = len(re.findall(r"passed sanity check|is empty\.", said))
    equal(passed, len(re.findall(r"^Dumping ", said, re.M)),
          "files that passed: " + said[-500:])
    said = scene.node.tool("dump-log", "--deep-iteration", "--files",
                           files(scene, ".log")).decode(errors="replace")
    complaint = re.search(r"(?im)^.*(isvalid: false|invalid bytes|not equal|"
                          r"mismatch|non-consecutive|exception).*$", said)
    true(not complaint, complaint and complaint[0])
    equal(said.count("| offset:"),
          sum(text.count(END) for text in scene.wanted.values()),
          "records that were iterated over")


main(scene)
