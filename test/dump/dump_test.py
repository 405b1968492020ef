#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""takhin-dump reads the directories that takhind and Kafka wrote (golden/, made
by make_golden.py), finds each byte that was changed in one, and writes none."""
import contextlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE)]

from broker import BUILD                                        # noqa: E402
from tap import cases, equal, main, note, test, true            # noqa: E402

PROGRAM = os.path.join(BUILD, "takhin-dump")
GOLDEN = os.path.join(HERE, "golden")
KINDS = "takhind", "kafka"
SEED = int(os.environ.get("TAKHIN_TEST_SEED", 1))


def dump(*arguments, cwd=GOLDEN):
    done = subprocess.run([PROGRAM, *arguments], cwd=cwd, capture_output=True,
                          text=True)
    true(done.returncode in (0, 1, 2), f"exit {done.returncode}: "
         + done.stderr)
    return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def copy(kind="takhind"):
    with tempfile.TemporaryDirectory() as directory:
        shutil.copytree(os.path.join(GOLDEN, kind), directory + "/data")
        yield directory + "/data"


def files(directory):
    return sorted(os.path.join(folder, name)
                  for folder, _, names in os.walk(directory)
                  for name in names)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


@cases("all of a directory of {} is printed", KINDS)
def printed(kind):
    code, out, _ = dump("--records", kind)
    equal(code, 0)
    with open(os.path.join(GOLDEN, kind + ".txt")) as file:
        wanted = file.read()
    for line, (ours, theirs) in enumerate(zip(out.splitlines(),
                                              wanted.splitlines()), 1):
        equal(ours, theirs, f"line {line}")
    equal(out, wanted)


@cases("nothing is wrong with a directory of {}", KINDS)
def sound(kind):
    code, out, _ = dump("--verify", kind)
    equal((code, out.count("problem"), "note" in out), (0, 1, False), out)


@cases("a file of {} is printed as in its directory", KINDS)
def single_files(kind):
    with open(os.path.join(GOLDEN, kind + ".txt")) as file:
        wanted = file.read()
    for path in files(os.path.join(GOLDEN, kind)):
        name = os.path.relpath(path, GOLDEN)
        code, out, _ = dump("--records", name)
        equal(code, 0, name + ": " + out)
        true(out in wanted, f"{name}: {out}")


def batch_starts(path):
    _, out, _ = dump(path)
    return [int(at) for at in re.findall(r"^batch .* position (\d+)", out,
                                         re.M)]


def must_be_found(path, data):
    """The positions of DATA whose change cannot hide."""
    name = os.path.basename(path)
    if name.endswith((".log", ".checkpoint")):
        # base offset and leader epoch are not under the CRC
        loose = {start + i for start in batch_starts(path)
                 for i in (*range(8), *range(12, 16))}
    elif name.endswith(".txnindex"):
        # first offset and last stable offset stand nowhere else
        loose = {at for at in range(len(data)) if 10 <= at % 34 < 18
                 or at % 34 >= 26}
    elif name.endswith((".index", ".timeindex", ".snapshot")):
        loose = set()
    else:
        return []
    return [at for at in range(len(data)) if at not in loose]


@cases("a changed byte in a directory of {} is found", KINDS)
def changed_bytes(kind):
    chance, count = random.Random(SEED), 0
    with copy(kind) as directory:
        for path in files(directory):
            data = read(path)
            places = must_be_found(path, data)
            for at in chance.sample(places, min(len(places), 8)):
                bad = bytearray(data)
                bad[at] ^= 1 << chance.randrange(8)
                write(path, bad)
                code, out, _ = dump("--verify", directory)
                where = f"byte {at} of {os.path.relpath(path, directory)}"
                equal(code, 1, where)
                true(re.search("^" + re.escape(path) + ": ", out, re.M)
                     or "__cluster_metadata" in path and "__cluster" in out,
                     where + ": " + out)
                count += 1
            write(path, data)
    note(f"{count} changes")
    true(count > 100, "there were changes")


@cases("a directory of {} may be cut anywhere without a crash", KINDS)
def cut_files(kind):
    chance = random.Random(SEED)
    with copy(kind) as directory:
        for path in files(directory):
            data = read(path)
            for at in chance.sample(range(len(data) + 1),
                                    min(len(data), 3)):
                write(path, data[:at])
                dump("--verify", directory)
            write(path, data)


TEXTS = [
    ("leader-epoch-checkpoint", b"0\n", b"1\n", "the version is not 0"),
    ("recovery-point-offset-checkpoint", b"rolled 0 24", b"rolled 0 25",
     "25 is behind the end of rolled-0, 24"),
    ("recovery-point-offset-checkpoint", b"rolled 0 24", b"rolled 0 x",
     "is not \"topic partition offset\""),
    ("replication-offset-checkpoint", b"rolled 0 24\n", b"",
     "lines where"),
    ("plain-0/partition.metadata", b"topic_id: ", b"topic_id: A",
     "is no id"),
    ("plain-0/partition.metadata", None, None, "in the metadata log it is"),
    ("meta.properties", b"cluster.id", b"cluster", "cluster.id"),
    ("__cluster_metadata-0/quorum-state", b"leaderEpoch", b"leader",
     "quorum-state"),
]


@test
def what_is_wrong_in_a_text_is_named():
    for name, old, new, said in TEXTS:
        with copy() as directory:
            path = (os.path.join(directory, name) if "/" in name
                    or os.path.exists(os.path.join(directory, name))
                    else os.path.join(directory, "plain-0", name))
            data = read(path)
            if old is None:             # another topic's
                data = read(os.path.join(directory, "rolled-0",
                                         os.path.basename(name)))
            else:
                true(old in data, f"{old} in {name}: {data}")
                data = data.replace(old, new, 1)
            write(path, data)
            code, out, _ = dump("--verify", directory)
            equal(code, 1, name)
            true(said in out and path in out, f"{said}: {out}")


@test
def a_torn_tail_is_a_problem_only_after_an_orderly_stop():
    with copy() as directory:
        path = sorted(p for p in files(directory)
                      if "rolled-0" in p and p.endswith(".log"))[-1]
        write(path, read(path) + b"\0\0\0\0\0\0\0\x18\0\0\1\0\0")
        code, out, _ = dump("--verify", directory)
        equal(code, 1)
        true("13 bytes, which is no whole header" in out, out)
        os.remove(directory + "/.kafka_cleanshutdown")
        code, out, _ = dump("--verify", directory)
        equal(code, 0, out)
        true("will be cut by recovery" in out, out)


@test
def nothing_is_written():
    with copy("kafka") as directory:
        os.remove(directory + "/.kafka_cleanshutdown")

        def state():
            return [(path, os.stat(path).st_mtime_ns, read(path))
                    for path in files(directory)]
        before = state()
        dump("--records", "--whole", directory)
        dump("--verify", directory)
        equal(len(state()), len(before))
        true(state() == before, "every file is as it was")


@test
def wrong_arguments_are_told():
    for arguments in ([], ["--no-such"], ["--as", "x", "kafka"], ["--as"]):
        code, out, err = dump(*arguments)
        equal((code, out), (2, ""), str(arguments))
        true("usage:" in err, err)
    code, out, _ = dump("--help")
    equal(code, 0)
    true("--verify" in out, out)
    equal(dump("--verify", "nowhere")[0], 1)
    equal(dump("--version")[0], 0)


main()
