# SPDX-License-Identifier: MIT
"""Test Anything Protocol, as meson reads it."""


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
