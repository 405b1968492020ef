#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The golden frames are what Apache Kafka's classes write, byte for byte.

With the argument --write it makes golden/frames.bin anew."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import tap  # noqa: E402
from tap import test  # noqa: E402

JARS = os.path.join(os.environ.get("KAFKA_HOME") or os.path.expanduser(
    "~/.cache/takhin-peer/kafka"), "jars")
FRAMES = os.path.join(HERE, "golden", "frames.bin")


def make(path):
    tap.need("java")
    if not os.path.isdir(JARS):
        raise tap.Skip("Kafka's jars are missing (test/kafka/kafka install)")
    done = subprocess.run(
        ["java", "-cp", os.path.join(JARS, "*"),
         os.path.join(HERE, "golden", "Golden.java"), JARS, path],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    tap.true(done.returncode == 0, done.stdout)


@test
def the_golden_frames_are_those_that_kafka_writes():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "frames.bin")
        make(path)
        with open(path, "rb") as made, open(FRAMES, "rb") as kept:
            tap.true(made.read() == kept.read(), "the frames differ")


if sys.argv[1:] == ["--write"]:
    make(FRAMES)
else:
    tap.main()
