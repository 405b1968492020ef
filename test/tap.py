# SPDX-License-Identifier: Apache-2.0
"""Script tests: register with @test, end the file with tap.main(...).

A test's name is its function's name, read as a sentence. It passes when it
returns, is skipped when it raises Skip, and fails with any other exception.
The answers go out as TAP, and as each test ends, never at the end only.
"""
import os
import shutil
import sys
import traceback

_tests = []


class Skip(Exception):
    """Raised by a test that cannot run here; says what is missing."""


def test(function):
    _tests.append(function)
    return function


def cases(name, values):
    """Registers one test for each of VALUES: name.format(value)."""
    def register(function):
        for value in values:
            def case(*fixture, value=value):
                function(*fixture, value)
            case.__name__ = name.format(value)
            _tests.append(case)
        return function
    return register


def equal(found, wanted, what=""):
    if found != wanted:
        raise AssertionError(f"{what or 'value'}: {short(found)} "
                             f"instead of {short(wanted)}")


def true(condition, what):
    if not condition:
        raise AssertionError(what)


def short(value):
    text = repr(value)
    return text if len(text) < 1000 else text[:1000] + "..."


def need(*programs):
    """Skips the test unless every one of PROGRAMS is installed."""
    for program in programs:
        if not shutil.which(program):
            raise Skip(program + " is missing")


def note(text):
    for line in str(text).rstrip().splitlines():
        print("# " + line)
    sys.stdout.flush()


def main(fixture=None):
    """Runs the registered tests in order, with the arguments given by the
    context manager FIXTURE. A name (or part of one) as the program's argument
    selects. Ends the program."""
    wanted = sys.argv[1:]
    chosen = [(function, function.__name__.replace("_", " "))
              for function in _tests]
    chosen = [(function, name) for function, name in chosen
              if not wanted or any(word in name for word in wanted)]
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    try:
        with fixture() if fixture else NoFixture() as given:
            for number, (function, name) in enumerate(chosen, 1):
                failed += not run_one(number, name, function, given)
    except Skip as skip:
        for number, (function, name) in enumerate(chosen, 1):
            print(f"ok {number} - {name} # SKIP {skip}")
    except Exception:
        note(traceback.format_exc())
        failed += 1
    sys.stdout.flush()
    sys.exit(1 if failed else 0)


def run_one(number, name, function, given):
    try:
        function(*([] if given is None else [given]))
    except Skip as skip:
        print(f"ok {number} - {name} # SKIP {skip}", flush=True)
        return True
    except Exception as problem:
        print(f"not ok {number} - {name}")
        frame = [f for f in traceback.extract_tb(problem.__traceback__)
                 if not f.filename.endswith("tap.py")][-1:]
        for place in frame:
            note(f"{os.path.relpath(place.filename)}:{place.lineno}: "
                 f"{place.line}")
        note(f"{type(problem).__name__}: {problem}")
        if hasattr(given, "log_tail"):
            note(given.log_tail())
        return False
    print(f"ok {number} - {name}", flush=True)
    return True


class NoFixture:
    def __enter__(self):
        return None

    def __exit__(self, *exception):
        pass
