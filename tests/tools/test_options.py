#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Wrong options, and outputs that cannot be written, of every tool.

usage: test_options.py KVCTL REPLAY SIM TRACE
"""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

USAGE, FAILED, BAD_SIZES = 2, 1, 91
KVCTL = REPLAY = SIM = TRACE = Path()


def run(*argv: object) -> subprocess.CompletedProcess:
    return subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False, timeout=300)


class Options(unittest.TestCase):
    def refused(self, status: int, option: str, *argv: object) -> str:
        """The program ends with the status and a short message that names the option."""
        done = run(*argv)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(option, done.stderr)
        self.assertLess(len(done.stderr), 400)
        return done.stderr

    def test_simulator(self) -> None:
        for option, values in (("--scale", ("nan", "inf", "1e-300", "0", "-1", "x", "9" * 300)),
                               ("--fast-blocks", ("0", "-3", "1.5", "9" * 300)), ("--seed", ("-1", "x")),
                               ("--slow-blocks", ("0", "-3", "most")), ("--jobs", ("0", "-1")),
                               ("--requests", ("-1", "9" * 300))):
            for value in values:
                with self.subTest(option=option, value=value[:10]):
                    text = self.refused(USAGE, option, SIM, "compare", "--trace", TRACE, f"{option}={value}")
                    self.assertIn(" from ", text)
        self.refused(USAGE, "--best", SIM, "run", "--trace", TRACE, "--best")

    def test_replay(self) -> None:
        for option, values in (("--scale", ("nan", "inf", "1e-300", "0", "-1")), ("--seed", ("-1", "9" * 300)),
                               ("--fast-blocks", ("-3", "x")), ("--slow-blocks", ("-3",)), ("--requests", ("-1",))):
            for value in values:
                with self.subTest(option=option, value=value[:10]):
                    self.refused(USAGE, option, REPLAY, TRACE, "--plan", f"{option}={value}")
        self.refused(USAGE, "TRACE", REPLAY)
        self.refused(USAGE, "--best", REPLAY, TRACE, "--best")

    def test_tiers_smaller_than_a_request(self) -> None:
        for option in ("--fast-blocks", "--slow-blocks"):
            with self.subTest(option=option):
                self.refused(BAD_SIZES, option, SIM, "run", "--trace", TRACE, f"{option}=1")
                self.refused(BAD_SIZES, option, REPLAY, TRACE, "--loopback", f"{option}=1")

    def test_kvctl(self) -> None:
        self.assertIn("4096", self.refused(USAGE, "COUNT", KVCTL, "--loopback", "alloc", "4097"))
        self.refused(USAGE, "COUNT", KVCTL, "--loopback", "alloc", "0")
        self.refused(USAGE, "9999", KVCTL, "--loopback", "alloc", "9" * 300)

    def test_subcommands_are_listed(self) -> None:
        for word in ("run", "compare", "sweep", "report"):
            self.assertIn(f"\n  {word} ", run(SIM).stderr)
        self.assertEqual(run(SIM).returncode, USAGE)


class Outputs(unittest.TestCase):
    def full(self, *argv: object) -> None:
        done = run(*argv)
        self.assertEqual(done.returncode, FAILED, done.stderr)
        self.assertIn("/dev/full", done.stderr)
        self.assertTrue(Path("/dev/full").is_char_device())

    def test_files(self) -> None:
        point = ("--trace", TRACE, "--requests", "20", "--policy", "lru", "--fast-blocks", "600")
        self.full(SIM, "report", *point, "--out", "/dev/full")
        self.full(SIM, "run", *point, "--json", "/dev/full")
        self.full(SIM, "sweep", *point, "--seed", "1", "--out", "/dev/full")
        self.full(REPLAY, TRACE, "--loopback", "--requests", "20", "--json", "/dev/full")

    def test_standard_output(self) -> None:
        for argv in ((KVCTL, "--loopback", "info"), (REPLAY, TRACE, "--plan"),
                     (SIM, "run", "--trace", TRACE, "--requests", "20", "--fast-blocks", "600")):
            with self.subTest(program=argv[0]), open("/dev/full", "wb") as full:
                done = subprocess.run(list(map(str, argv)), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
                self.assertEqual(done.returncode, FAILED, done.stderr)
                self.assertNotEqual(done.stderr, "")

    def test_a_written_page_is_whole(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.html"
            done = run(SIM, "report", "--trace", TRACE, "--requests", "20", "--policy", "lru", "--fast-blocks", "600",
                       "--slow-blocks", "everything", "--seed", "1", "--out", page)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("</html>", page.read_text(encoding="utf-8"))
            self.assertEqual([path.name for path in Path(folder).iterdir()], ["page.html"])


if __name__ == "__main__":
    KVCTL, REPLAY, SIM, TRACE = map(Path, sys.argv[1:5])
    unittest.main(argv=sys.argv[:1])
