# SPDX-License-Identifier: MIT
"""Test Anything Protocol for meson's `protocol: 'tap'`: Tap for lists of checks, main() for the tests of unittest."""

import sys
import unittest
from typing import Any


class Tap:
    """Counts tests and prints their lines."""

    def __init__(self) -> None:
        self.count = 0
        self.failed = 0

    def clean(self, what: str, findings: list[str]) -> None:
        """A test that passes if there are no findings; prints them."""
        for line in findings:
            print(f"# {line}")
        self.ok(not findings, what)

    def ok(self, passed: bool, what: str) -> None:
        """One test."""
        self.count += 1
        self.failed += not passed
        print(f"{'ok' if passed else 'not ok'} {self.count} - {what}", flush=True)

    def end(self) -> int:
        """The plan; returns the exit status."""
        print(f"1..{self.count}")
        return 1 if self.failed or not self.count else 0


class _Result(unittest.TestResult):
    """Prints a line for each test when it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def _line(self, verdict: str, test: unittest.TestCase, note: str = "") -> None:
        self.number += 1
        print(f"{verdict} {self.number} - {test.id().removeprefix('__main__.')}{note}", flush=True)

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        self._line("ok", test)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self._line("ok", test, f" # SKIP {reason}")

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        self._failed(test, self.errors[-1][1])

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self._failed(test, self.failures[-1][1])

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            where = self.failures if issubclass(err[0], test.failureException) else self.errors
            self._failed(subtest, where[-1][1])

    def _failed(self, test: unittest.TestCase, trace: str) -> None:
        self._line("not ok", test)
        for line in trace.splitlines():
            print(f"# {line}", flush=True)


def main() -> None:
    """Runs the calling script's tests; names of tests may be given as arguments."""
    module = sys.modules["__main__"]
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromNames(sys.argv[1:], module) if sys.argv[1:] else loader.loadTestsFromModule(module)
    print("TAP version 13", flush=True)
    outcome = _Result()
    suite.run(outcome)
    # Failures of subtests have their own lines, so the plan is last.
    print(f"1..{outcome.number}", flush=True)
    sys.exit(not outcome.wasSuccessful())
