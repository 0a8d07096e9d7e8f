#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The verdict on tests of every kind, from the files of a real meson: a failed test never counts as passed."""

import shutil
import subprocess
import unittest
import xml.etree.ElementTree

import harness
from launcher import verdict
from support.tap import main

# Name, shell command, further arguments of meson's test(); numbers of passed, failed and skipped cases.
TESTS = [
    ("passes", "echo figure: one 1", "", (1, 0, 0)),
    ("fails", "exit 1", "", (0, 1, 0)),
    ("skips", "exit 77", "", (0, 0, 1)),
    ("errs", "exit 99", "", (0, 1, 0)),
    ("dies", "kill -SEGV $$", "", (0, 1, 0)),
    ("hangs", "sleep 60", "timeout: 1", (0, 1, 0)),
    ("should fail", "exit 1", "should_fail: true", (1, 0, 0)),
    ("should have failed", "exit 0", "should_fail: true", (0, 1, 0)),
    ("cases", "echo 1..3; echo ok 1 a; echo not ok 2 b; echo ok 3 c \\# SKIP x; exit 1", "protocol: 'tap'", (1, 1, 1)),
    ("cases pass", "echo ok 1 a; echo ok 2 b; echo 1..2; echo figure: two 2", "protocol: 'tap'", (2, 0, 0)),
    ("cases, then it dies", "echo ok 1 a; kill -SEGV $$", "protocol: 'tap'", (1, 1, 0)),
    ("cases, too few", "echo 1..3; echo ok 1 a", "protocol: 'tap'", (1, 1, 0)),
    ("cases, and a status", "echo 1..1; echo ok 1 a; exit 3", "protocol: 'tap'", (1, 1, 0)),
    ("cases, then it hangs", "echo ok 1 a; sleep 60", "protocol: 'tap', timeout: 1", (1, 1, 0)),
    ("no case", "exit 1", "protocol: 'tap'", (0, 1, 0)),
    ("bails out", "echo Bail out\\! no; exit 1", "protocol: 'tap'", (0, 1, 0)),
]


@unittest.skipIf(shutil.which("meson") is None, "no meson")
class Verdict(harness.LauncherTest):
    def run_tests(self, tests: list[tuple]) -> None:
        """Runs a project of these tests, and completes its files."""
        lines = ["project('verdict')", "sh = find_program('sh')"]
        lines += [f"test('{name}', sh, suite: 'of', args: ['-c', '''{script}'''], {more})"
                  for name, script, more, _ in tests]
        (self.folder / "meson.build").write_text("\n".join(lines) + "\n", encoding="utf-8")
        built = self.folder / "build"
        subprocess.run(["meson", "setup", built, self.folder], check=True, capture_output=True)
        subprocess.run(["meson", "test", "-C", built], check=False, capture_output=True)
        self.junit = built / "meson-logs" / "testlog.junit.xml"
        verdict.complete(self.junit, built / "meson-logs" / "testlog.json")

    def test_every_kind(self) -> None:
        self.run_tests(TESTS)
        counts = verdict.count(self.junit)
        expected = tuple(map(sum, zip(*(counted for *_, counted in TESTS))))
        self.assertEqual((counts["passed"], counts["failed"], counts["skipped"]), expected)
        root = xml.etree.ElementTree.parse(self.junit).getroot()
        self.assertEqual(int(root.get("tests")), sum(expected))
        self.assertEqual(int(root.get("failures")) + int(root.get("errors")), expected[1])

    def test_each_kind_alone(self) -> None:
        for test in TESTS:
            if "timeout" in test[2]:
                continue
            with self.subTest(test=test[0]):
                self.run_tests([test])
                counts = verdict.count(self.junit)
                self.assertEqual((counts["passed"], counts["failed"], counts["skipped"]), test[3])
                shutil.rmtree(self.folder / "build")

    def test_figures(self) -> None:
        self.run_tests(TESTS[:1] + [test for test in TESTS if test[0] == "cases pass"])
        self.assertEqual(sorted(verdict.figures(self.junit)), ["one 1", "two 2"])


if __name__ == "__main__":
    main()
