#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A bounded run of build/fuzz/recovery_fuzz, from one change of each kind to
each file on. FUZZ_SECONDS says for how long (20), FUZZ_SEED which changes (1;
0 are new ones each time)."""
import os
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
                       "fuzz", "recovery_fuzz")
SECONDS = os.environ.get("FUZZ_SECONDS", "20")
FILES, CHANGES = 64, 8


def seeds(directory):
    for state in range(2):
        for file in range(FILES):
            with open(f"{directory}/{state}-{file}", "wb") as seed:
                seed.write(bytes([state, file, file % CHANGES, 0, file * 4,
                                  255, 17]))


@test
def no_change_of_files_upsets_recovery():
    if not os.path.exists(PROGRAM):
        raise tap.Skip("recovery_fuzz was not built (clang with libFuzzer)")
    with tempfile.TemporaryDirectory() as directory:
        corpus = os.path.join(directory, "corpus")
        os.mkdir(corpus)
        seeds(corpus)
        run = subprocess.run(
            [PROGRAM, "-max_total_time=" + SECONDS, "-max_len=61",
             "-seed=" + os.environ.get("FUZZ_SEED", "1"),
             "-timeout=60", "-rss_limit_mb=2048", "-print_final_stats=1",
             "-artifact_prefix=" + directory + "/", corpus],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", check=False)
        lines = run.stdout.splitlines()
        if run.returncode != 0:
            tap.note("\n".join(lines[-60:]))
            tap.note("RECOVERY_FUZZ_LOG=1 makes it tell of one input more")
        tap.equal(run.returncode, 0, "recovery_fuzz's exit")
        for line in lines:
            if "number_of_executed_units" in line:
                tap.note(line)


tap.main()
