# SPDX-License-Identifier: Apache-2.0
"""The program's arguments, its exit status, and that the documentation of its
properties is up to date."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from broker import BUILD, ROOT                                  # noqa: E402
from tap import equal, main, test, true                         # noqa: E402


def takhind(*arguments):
    return subprocess.run([os.path.join(BUILD, "takhind"), *arguments],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60)


def lines(text):
    return text.splitlines()


@test
def help_names_every_argument():
    done = takhind("--help")
    equal((done.returncode, done.stderr), (0, ""))
    for word in ["--config", "--set", "--check-config", "--help-config",
                 "--version"]:
        true(word in done.stdout, word)


@test
def version_is_that_of_the_header():
    header = open(os.path.join(ROOT, "include/takhin/version.h")).read()
    version = header.split('TAKHIN_VERSION "')[1].split('"')[0]
    done = takhind("--version")
    equal((done.returncode, done.stdout), (0, f"takhind {version}\n"))


@test
def wrong_arguments_are_one_line_and_exit_2():
    for arguments in [["--nonsense"], ["-x"], ["--config"], ["file"],
                      ["--set"]]:
        done = takhind(*arguments)
        equal((done.returncode, done.stdout), (2, ""), str(arguments))
        equal(len(lines(done.stderr)), 1, done.stderr)
        true(done.stderr.startswith("takhind: "), done.stderr)


@test
def a_bad_value_is_one_line_with_file_line_key_and_what_is_allowed():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "server.properties")
        with open(path, "w") as file:
            file.write("# a comment\nnum.io.threads=lots\n")
        done = takhind("--config", path)
    equal(done.returncode, 2)
    equal(done.stderr, path + ':2: num.io.threads: found "lots", allowed is a '
          "whole number of 1 or more\n")


@test
def a_bad_override_and_a_missing_file_exit_2():
    done = takhind("--check-config", "--set", "num.partitions=0")
    equal(done.returncode, 2)
    equal(done.stderr, '--set: num.partitions: found "0", allowed is a whole '
          "number of 1 or more\n")
    done = takhind("--check-config", "--config", "/nowhere/x.properties")
    equal(done.returncode, 2)
    true("/nowhere/x.properties: cannot be read" in done.stderr, done.stderr)


@test
def an_unknown_key_is_a_warning():
    done = takhind("--check-config", "--set", "no.such.key=1")
    equal((done.returncode, done.stderr),
          (0, "--set: warning: no.such.key: unknown key, ignored\n"))


@test
def the_configuration_that_comes_along_is_right():
    done = takhind("--check-config", "--config",
                   os.path.join(ROOT, "conf/server.properties"))
    equal((done.returncode, done.stderr, done.stdout), (0, "", ""))


@test
def the_documentation_is_what_help_config_prints():
    done = takhind("--help-config")
    equal(done.returncode, 0)
    with open(os.path.join(ROOT, "doc/configuration.md")) as file:
        true(file.read() == done.stdout,
             "doc/configuration.md is old: run `scons doc`")


main()
