#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Logs that Kafka wrote, killed or stopped, are opened, read and given back."""
import filecmp
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import broker  # noqa: E402
import tap  # noqa: E402

BUILD = os.environ.get("TAKHIN_BUILD", "build")
TOOL = os.path.join(BUILD, "test/storage/storage_tool")
RECORDS = 20000


def perf(kafka, topic, *options):
    kafka.tool("producer-perf-test", "--topic", topic, "--num-records",
               str(RECORDS), "--record-size", "150", "--throughput", "-1",
               "--command-property",
               "bootstrap.servers=" + kafka.address, *options)


def read(directory):
    """What storage_tool says of each log: name -> fields."""
    out = subprocess.check_output([TOOL, directory, "read"], text=True,
                                  stderr=subprocess.DEVNULL)
    tap.true("not ok" not in out, out)
    return {name: dict(field.split("=") for field in fields.split())
            for name, fields in re.findall(r"^# (\S+-\d+) (.*)$", out, re.M)}


def files(directory):
    return {os.path.relpath(os.path.join(folder, name), directory)
            for folder, _, names in os.walk(directory) for name in names
            if re.search(r"segments-\d/\d+\.(log|index|timeindex|snapshot)$",
                         os.path.join(folder, name))}


@tap.test
def a_killed_kafkas_logs_come_out_as_kafka_recovers_them():
    broker.need_kafka()
    with broker.broker("kafka") as kafka:
        kafka.create("segments", 2, **{"segment.bytes": "1048576"})
        perf(kafka, "segments")
        kafka.create("transactions", 1)
        perf(kafka, "transactions", "--transactional-id", "t",
             "--transaction-duration-ms", "100")
        kafka.kill()
        logs = os.path.join(kafka.directory, "logs")
        ours = kafka.directory + "-ours"
        shutil.copytree(logs, ours)
        try:
            found = read(ours)
            tap.equal(int(found["segments-0"]["end"]) +
                      int(found["segments-1"]["end"]), RECORDS)
            tap.equal(found["transactions-0"]["stable"],
                      found["transactions-0"]["end"])
            kafka.start()
            kafka.stop()
            tap.equal(files(ours), files(logs))
            for name in sorted(files(logs)):
                tap.true(filecmp.cmp(os.path.join(logs, name),
                                     os.path.join(ours, name), False),
                         name + " differs from Kafka's")
            # And a stopped one's: the same again.
            shutil.rmtree(ours)
            shutil.copytree(logs, ours)
            tap.equal(read(ours), found)
        finally:
            shutil.rmtree(ours, ignore_errors=True)


tap.main()
