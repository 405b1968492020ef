#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kafka's dump-log reads what the builder writes."""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TOP, "test"))
import tap  # noqa: E402
from broker import KAFKA, need_kafka  # noqa: E402
from tap import test  # noqa: E402

PROGRAM = os.path.join(os.environ.get("TAKHIN_BUILD",
                                      os.path.join(TOP, "build")),
                       "test", "record", "write_segment")
RECORDS = 300


def dump(directory):
    segment = os.path.join(directory, "%020d.log" % 0)
    subprocess.check_call([PROGRAM, segment])
    done = subprocess.run(
        [KAFKA, "dump-log", "--deep-iteration", "--print-data-log", "--files",
         segment], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False)
    tap.equal(done.returncode, 0, done.stdout[-500:])
    return done.stdout.splitlines()


@test
def kafka_reads_batches_of_every_codec():
    need_kafka()
    with tempfile.TemporaryDirectory() as directory:
        lines = dump(directory)
    batches = [line for line in lines if line.startswith("baseOffset:")]
    records = [line for line in lines if line.startswith("| offset:")]
    for batch in batches:
        tap.true("isvalid: true" in batch, batch)
    codecs = [re.search(r"compresscodec: (\w+)", line)[1] for line in batches]
    tap.equal(codecs, ["none", "gzip", "snappy", "lz4", "zstd", "zstd", "none"],
              "codecs")
    tap.equal(len(records), 6 * RECORDS + 1, "records")
    offsets = [int(re.match(r"\| offset: (\d+)", line)[1]) for line in records]
    tap.equal(offsets, list(range(6 * RECORDS + 1)), "offsets")
    tap.true("endTxnMarker: COMMIT coordinatorEpoch: 5" in records[-1],
             records[-1])
    tap.true("headerKeys: [header]" in records[0] and
             "key: key-0" in records[0], records[0])
    tap.true("payload: " + "b" * 200 in records[1], records[1])


tap.main()
