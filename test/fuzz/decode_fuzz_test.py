#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A bounded run of build/fuzz/decode_fuzz, from Kafka's golden frames on.

FUZZ_SECONDS says for how long (20)."""
import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(TOP, "test"), os.path.join(TOP, "src/protocol")]
import schema  # noqa: E402
import tap     # noqa: E402
from tap import test  # noqa: E402

PROGRAM = os.path.join(os.environ.get("TAKHIN_BUILD",
                                      os.path.join(TOP, "build")),
                       "fuzz", "decode_fuzz")
FRAMES = os.path.join(TOP, "test", "protocol", "golden", "frames.bin")
SECONDS = os.environ.get("FUZZ_SECONDS", "20")


def seeds(directory):
    """A file for each golden frame: message, version, bytes."""
    messages = schema.load()
    place = {message.name: number for number, message in enumerate(messages)}
    lowest = {message.name: message.versions.low for message in messages}
    with open(FRAMES, "rb") as file:
        data = file.read()
    at, count = 0, 0
    while at < len(data):
        name = data[at + 1:at + 1 + data[at]].decode()
        at += 1 + len(name)
        version, length = struct.unpack_from(">hi", data, at)
        at += 6
        with open(os.path.join(directory, str(count)), "wb") as seed:
            seed.write(struct.pack(">HB", place[name],
                                   version - lowest[name]))
            seed.write(data[at:at + length])
        at += length
        count += 1
    return count


@test
def no_bytes_upset_a_decoder():
    if not os.path.exists(PROGRAM):
        raise tap.Skip("decode_fuzz was not built (clang with libFuzzer)")
    with tempfile.TemporaryDirectory() as directory:
        corpus = os.path.join(directory, "corpus")
        os.mkdir(corpus)
        tap.true(seeds(corpus) > 2000, "too few golden frames")
        run = subprocess.run(
            [PROGRAM, "-max_total_time=" + SECONDS, "-max_len=2048",
             "-timeout=60", "-rss_limit_mb=2048", "-print_final_stats=1",
             "-artifact_prefix=" + directory + "/", corpus],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace")
        tail = run.stdout.splitlines()
        if run.returncode != 0:
            tap.note("\n".join(tail[-60:]))
            for name in os.listdir(directory):
                path = os.path.join(directory, name)
                if os.path.isfile(path):
                    with open(path, "rb") as artifact:
                        tap.note(name + ": " + artifact.read(4096).hex())
        tap.equal(run.returncode, 0, "decode_fuzz's exit")
        for line in tail:
            if "number_of_executed_units" in line:
                tap.note(line)


tap.main()
