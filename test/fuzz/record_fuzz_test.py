#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A bounded run of build/fuzz/record_fuzz, from Kafka's golden batches on.

FUZZ_SECONDS says for how long (20)."""
import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TOP, "test"))
import tap  # noqa: E402
from tap import test  # noqa: E402

PROGRAM = os.path.join(os.environ.get("TAKHIN_BUILD",
                                      os.path.join(TOP, "build")),
                       "fuzz", "record_fuzz")
BATCHES = os.path.join(TOP, "test", "record", "golden", "batches.golden")
SECONDS = os.environ.get("FUZZ_SECONDS", "20")


class Golden:
    """The file that test/record/golden/MakeGolden.java describes."""
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, layout):
        value, = struct.unpack_from(">" + layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return value

    def take_bytes(self, length):
        self.at += length
        return self.data[self.at - length:self.at]

    def skip_fields(self, count):
        for _ in range(count):
            length = self.take("i")
            self.at += 4 if length > 1000 else max(length, 0)

    def batches(self):
        while self.at < len(self.data):
            name = self.take_bytes(self.take("h")).decode()
            yield name, self.take_bytes(self.take("i"))
            self.at += struct.calcsize(">qqbbbqqhii")
            for _ in range(self.take("i")):
                self.at += struct.calcsize(">qqi")
                self.skip_fields(2)
                self.skip_fields(2 * self.take("i"))


def seeds(directory):
    with open(BATCHES, "rb") as file:
        golden = Golden(file.read())
    count = 0
    for name, batch in golden.batches():
        with open(os.path.join(directory, name), "wb") as seed:
            seed.write(batch)
        count += 1
    return count


@test
def no_bytes_upset_the_reader_of_batches():
    if not os.path.exists(PROGRAM):
        raise tap.Skip("record_fuzz was not built (clang with libFuzzer)")
    with tempfile.TemporaryDirectory() as directory:
        corpus = os.path.join(directory, "corpus")
        os.mkdir(corpus)
        tap.true(seeds(corpus) > 20, "too few golden batches")
        run = subprocess.run(
            [PROGRAM, "-max_total_time=" + SECONDS, "-max_len=4096",
             "-timeout=60", "-rss_limit_mb=2048", "-print_final_stats=1",
             "-artifact_prefix=" + directory + "/", corpus],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", check=False)
        tail = run.stdout.splitlines()
        if run.returncode != 0:
            tap.note("\n".join(tail[-60:]))
            for name in os.listdir(directory):
                path = os.path.join(directory, name)
                if os.path.isfile(path):
                    with open(path, "rb") as artifact:
                        tap.note(name + ": " + artifact.read(4096).hex())
        tap.equal(run.returncode, 0, "record_fuzz's exit")
        for line in tail:
            if "number_of_executed_units" in line:
                tap.note(line)


tap.main()
