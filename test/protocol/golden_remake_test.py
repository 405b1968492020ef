#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The golden frames and the error codes are those of Apache Kafka's classes.

With the argument --write it makes golden/frames.bin anew."""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
import tap  # noqa: E402
from tap import test  # noqa: E402

JARS = os.path.join(os.environ.get("KAFKA_HOME") or os.path.expanduser(
    "~/.cache/takhin-peer/kafka"), "jars")
FRAMES = os.path.join(HERE, "golden", "frames.bin")


def java(program, *arguments):
    """Runs a program of golden/ on Kafka's jars; returns what it prints."""
    tap.need("java")
    if not os.path.isdir(JARS):
        raise tap.Skip("Kafka's jars are missing (test/kafka/kafka install)")
    done = subprocess.run(
        ["java", "-cp", os.path.join(JARS, "*"),
         os.path.join(HERE, "golden", program), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    tap.true(done.returncode == 0, done.stderr)
    return done.stdout


@test
def the_golden_frames_are_those_that_kafka_writes():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "frames.bin")
        java("Golden.java", JARS, path)
        with open(path, "rb") as made, open(FRAMES, "rb") as kept:
            tap.true(made.read() == kept.read(), "the frames differ")


@test
def the_error_codes_are_those_of_kafka():
    with open(os.path.join(TOP, "src/protocol/error_code.h")) as header:
        rows = re.findall(r"X\((-?\d+), (\w+), ([01]),", header.read())
    tap.equal([" ".join(row) for row in rows],
              java("ErrorCodes.java").splitlines())


if sys.argv[1:] == ["--write"]:
    java("Golden.java", JARS, FRAMES)
else:
    tap.main()
