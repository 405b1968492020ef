#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kafka's own dump-log reads what the storage layer writes."""
import glob
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import broker  # noqa: E402
import tap  # noqa: E402

BUILD = os.environ.get("TAKHIN_BUILD", "build")
TOOL = os.path.join(BUILD, "test/storage/storage_tool")
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
KAFKA = os.path.join(TOP, "kafka/kafka")
COMPLAINTS = re.compile(
    r"mismatch|invalid|corrupt|not found|exception|error|isvalid: false|"
    r"non-consecutive|out of order", re.I)


def dump(directory, scenario):
    subprocess.check_output([TOOL, directory, scenario])
    files = [f for kind in ("log", "index", "timeindex", "txnindex",
                            "snapshot")
             for f in sorted(glob.glob(f"{directory}/written-0/*.{kind}"))]
    return subprocess.run(
        [KAFKA, "dump-log", "--files", ",".join(files),
         "--index-sanity-check", "--deep-iteration"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout


@tap.cases("dump log has no complaint about {}",
           ["plain", "roll", "crash", "transactions"])
def reads(scenario):
    broker.need_kafka()
    with tempfile.TemporaryDirectory() as directory:
        out = dump(directory, scenario)
    # With --deep-iteration the tool says this of any segment but the first.
    out = re.sub(r"Non-consecutive offsets in .*\n( +-1 is followed by .*\n)"
                 r"(?! )", "", out)
    bad = [line for line in out.splitlines() if COMPLAINTS.search(line)]
    tap.true(not bad, "dump-log says " + "\n".join(bad[:10]))
    records = len(re.findall(r"^\| offset: ", out, re.M))
    tap.equal(records, 179 if scenario == "transactions" else 1505)
    tap.true("passed sanity check" in out, "no index was checked")


tap.main()
