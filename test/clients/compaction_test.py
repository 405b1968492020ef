#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A compacted topic as its clients see it, and as Kafka's dump-log does."""
import contextlib
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import broker  # noqa: E402
import tap  # noqa: E402

KEYS = 40
ROUNDS = 60
VALUE = 1500
NOT_READY = (14, 15, 16)        # the coordinator loads, or is being made
COMPLAINTS = re.compile(
    r"mismatch|invalid|corrupt|not found|exception|error|isvalid: false|"
    r"out of order", re.I)


@contextlib.contextmanager
def fixture():
    tap.need("kcat")
    with broker.broker(log_cleaner_backoff_ms=50,
                       offsets_topic_num_partitions=1,
                       offsets_topic_replication_factor=1,
                       offsets_topic_segment_bytes=1 << 20) as node:
        yield node


def kcat(node, *arguments, **options):
    done = subprocess.run(["kcat", "-b", node.address, *arguments],
                          capture_output=True, timeout=broker.PATIENCE,
                          **options)
    if done.returncode:
        raise broker.Failed("kcat: " + done.stderr.decode()[-1000:])
    return done.stdout.decode()


def create(node, name, **more):
    node.create(name, cleanup_policy="compact", segment_bytes=1 << 20,
                min_cleanable_dirty_ratio=0.01, **more)


def produce(node, topic, codec, rounds=ROUNDS):
    """ROUNDS values of each key; the value's first word is the round."""
    lines = "".join(f"key-{key}:{round} {'v' * VALUE}{key}\n"
                    for round in range(rounds) for key in range(KEYS))
    kcat(node, "-P", "-t", topic, "-K:", "-z", codec, input=lines.encode())


def read(node, topic):
    """(offset, key, round) of every record, in order."""
    out = kcat(node, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f",
               "%o %k %s\n")
    found = []
    for line in out.splitlines():
        offset, key, value, rest = line.split(" ")
        assert len(rest) == VALUE + len(key) - len("key-"), "a value is cut"
        found.append((int(offset), key, int(value)))
    return found


def newest(records):
    return {key: value for _, key, value in records}


def folder(node, topic):
    return os.path.join(node.data, topic + "-0")


def active_base(node, topic):
    return max(int(os.path.basename(name)[:20])
               for name in glob.glob(folder(node, topic) + "/*.log"))


def cleaned(node, topic):
    try:
        with open(os.path.join(node.data, "cleaner-offset-checkpoint")) as f:
            for line in f.read().splitlines()[2:]:
                name, _, offset = line.split(" ")
                if name == topic:
                    return int(offset)
    except OSError:
        pass
    return -1


def dump_log(node, topic):
    files = [f for kind in ("log", "index", "timeindex", "snapshot")
             for f in sorted(glob.glob(f"{folder(node, topic)}/*.{kind}"))]
    return subprocess.run(
        [broker.KAFKA, "dump-log", "--files", ",".join(files),
         "--index-sanity-check"], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True).stdout


@tap.cases("a topic in {} is compacted while it is read",
           ["none", "gzip", "snappy", "lz4", "zstd"])
def compacts(node, codec):
    topic = "compacted-" + codec
    create(node, topic)
    before = []

    def done():
        found = read(node, topic)
        tap.equal(newest(found), {f"key-{key}": ROUNDS - 1
                                  for key in range(KEYS)})
        before[:] = found
        return cleaned(node, topic) >= active_base(node, topic) > 0

    produce(node, topic, "none")
    produce(node, topic, codec)
    broker.wait_for(done, topic + " is compacted")
    found = read(node, topic)
    offsets = [offset for offset, _, _ in found]
    tap.equal(offsets, sorted(set(offsets)))
    end = 2 * ROUNDS * KEYS
    tap.equal(offsets[-1], end - 1)
    # At most one of each key is left below the active segment.
    base = active_base(node, topic)
    old = [key for offset, key, _ in found if offset < base]
    tap.equal(len(old), len(set(old)))


@tap.test
def what_is_left_survives_a_kill(node):
    found = read(node, "compacted-lz4")
    node.kill()
    node.start()
    tap.equal(read(node, "compacted-lz4"), found)


@tap.test
def dump_log_has_no_complaint(node):
    broker.need_kafka()
    node.stop()                 # a running Kafka preallocates its indexes
    for codec in ("none", "zstd"):
        out = dump_log(node, "compacted-" + codec)
        bad = [line for line in out.splitlines() if COMPLAINTS.search(line)]
        tap.true(not bad, "dump-log says " + "\n".join(bad[:10]))
        tap.true("passed sanity check" in out, "no index was checked")
    node.start()


@tap.test
def records_without_a_key_are_refused(node):
    create(node, "keys-only")
    done = subprocess.run(["kcat", "-b", node.address, "-P", "-t",
                           "keys-only", "-X", "message.timeout.ms=20000"],
                          input=b"no key\n", capture_output=True,
                          timeout=broker.PATIENCE)
    tap.true(done.returncode != 0 or b"failed" in done.stderr,
             "a record without a key was taken")


def commit(peer, offset):
    answer = peer.call("OffsetCommit", 8, group_id="readers",
                       generation_id_or_member_epoch=-1, member_id="",
                       group_instance_id=None, topics=[{
                           "name": "keys-only", "partitions": [
                               {"partition_index": 0,
                                "committed_offset": offset,
                                "committed_leader_epoch": -1,
                                "committed_metadata": "m" * 1000}]}])
    error = answer["topics"][0]["partitions"][0]["error_code"]
    if error not in NOT_READY:
        tap.equal(error, 0, "OffsetCommit")
    return error == 0


def fetch_offset(node):
    with node.connect() as peer:
        answer = peer.call("OffsetFetch", 7, group_id="readers", topics=[
            {"name": "keys-only", "partition_indexes": [0]}],
            require_stable=False)
    return answer["topics"][0]["partitions"][0]["committed_offset"]


@tap.test
def committed_offsets_are_compacted_and_the_last_is_found_again(node):
    def coordinator(kind="FindCoordinator"):
        with node.connect() as peer:
            answer = peer.call(kind, 4, key_type=0,
                               coordinator_keys=["readers"])
        return answer["coordinators"][0]["error_code"] == 0

    broker.wait_for(coordinator, "a coordinator")
    count = 0
    with node.connect() as peer:
        while count < 2500:
            count += commit(peer, count + 1)
    topic = "__consumer_offsets"
    # Half of it is dirty, which is when Kafka's default begins.
    broker.wait_for(lambda: 0 < cleaned(node, topic), topic + " is compacted")
    size = sum(os.path.getsize(name)
               for name in glob.glob(folder(node, topic) + "/*.log"))
    tap.true(size < 2 << 20, f"{size} bytes are left")
    node.kill()
    node.start()
    broker.wait_for(coordinator, "a coordinator again")
    tap.equal(fetch_offset(node), count)


tap.main(fixture)
