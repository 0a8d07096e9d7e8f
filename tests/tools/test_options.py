#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Wrong options, help, and outputs that cannot be written, for every tool.

usage: test_options.py KVCTL REPLAY SIM TRACE
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Iterator
from pathlib import Path

sys.dont_write_bytecode = True

USAGE, FAILED, BAD_SIZES = 2, 1, 91
MESSAGE_MAX = 400
LONG = "9" * 300
WHOLE = ("nan", "-1", LONG, "", "1e-300", "1.5", "x", "1 2")
REAL = ("nan", "inf", "-1", LONG, "", "1e-300", "x")
WORDS = ("", "best", LONG)
PATHS = ("", "/no/such/folder/file", "/dev/full/file", f"/{LONG}/file")
DEFAULT = r"\((default: [^)]+|required|none by default)\)$"
UNIT = (r"\b(number|factor|seed|seeds|blocks?|score|weight|seconds|ms|byte|bytes|address|step|slots|records|samples|"
        r"simulations|requests)\b")
PIPE = 128 + 13
KVCTL = REPLAY = SIM = TRACE = Path()
POINT: tuple[object, ...] = ()


def run(*argv: object, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False, timeout=300,
                          input=text)


class Options(unittest.TestCase):
    """A wrong value of any option: exit status 2, and a short message that names the option."""

    def refused(self, status: int, option: str, *argv: object) -> str:
        """The program ends with the status and a short message that names the option."""
        done = run(*argv)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertIn(option, done.stderr)
        self.assertLess(len(done.stderr), MESSAGE_MAX)
        return done.stderr

    def all_refused(self, command: list[object], options: dict[str, tuple[str, ...]]) -> None:
        """Checks that each value of each option is refused, written as one word and as two."""
        for option, values in options.items():
            for value in values:
                with self.subTest(command=command[1:], option=option, value=value[:10]):
                    self.refused(USAGE, option, *command, option, value)
                if value != "":
                    self.refused(USAGE, option, *command, f"{option}={value}")

    def test_simulator(self) -> None:
        common = {"--requests": WHOLE, "--policy": WORDS, "--fast-blocks": (*WHOLE, "0"),
                  "--slow-blocks": (*WHOLE, "0", "most"), "--scale": REAL, "--seed": WHOLE, "--without": WORDS}
        many = {**common, "--jobs": (*WHOLE, "0", "1025"), "--seed": (*WHOLE, "1,x"), "--policy": (*WORDS, "lru,best")}
        for command, options in (("run", {**common, "--json": PATHS}), ("compare", {**many, "--json": PATHS}),
                                 ("sweep", {**many, "--out": PATHS}),
                                 ("report", {**many, "--out": PATHS, "--results": PATHS})):
            needed = [] if "--out" in options else ["--trace", TRACE]
            self.all_refused([SIM, command, *needed], options)
        self.refused(USAGE, "--best", SIM, "run", "--trace", TRACE, "--best")
        self.refused(USAGE, "--in", SIM, "report", "--out", "page.html")

    def test_replay(self) -> None:
        weights = ("--w-r", "--w-f", "--w-s", "--w-d", "--evict-thresh", "--prefetch-thresh")
        self.all_refused([REPLAY, TRACE, "--plan"],
                         {"--requests": WHOLE, "--scale": REAL, "--seed": WHOLE, "--policy": WORDS, "--hints": WORDS,
                          "--without": WORDS, "--device": ("",), "--fast-blocks": WHOLE, "--slow-blocks": WHOLE,
                          "--json": PATHS, **{name: (*WHOLE, str(1 << 32)) for name in weights}})
        self.refused(USAGE, "TRACE", REPLAY)
        self.refused(USAGE, "--best", REPLAY, TRACE, "--best")

    def test_kvctl(self) -> None:
        for command, options in ((["info"], {"--device": ("",)}), (["why", 1], {"--last": (*WHOLE, "0")}),
                                 (["top"], {"--interval": (*REAL, "0"), "--count": WHOLE}),
                                 (["pin", 1], {"--deadline": (*WHOLE, "3600001")}),
                                 (["fill", 1], {"--byte": (*WHOLE, "256")}), (["hint", "hot", 1], {"--step": WHOLE})):
            self.all_refused([KVCTL, *([] if "--device" in options else ["--loopback"]), *command], options)

    def test_arguments_of_kvctl(self) -> None:
        ranges = [[name, "FIRST", "COUNT"] for name in ("directory", "free", "fill", "pin", "unpin", "seal", "release")]
        for name, *arguments in (*ranges, ["block", "NUMBER"], ["why", "NUMBER"], ["step", "STEP"], ["alloc", "COUNT"],
                                 *([name, "ADDRESS", "LENGTH"] for name in ("hot", "evict", "share")),
                                 ["prefetch", "ADDRESS", "LENGTH", "STEP"],
                                 ["weights", "W_R", "W_F", "W_S", "W_D", "EVICT_THRESH", "PREFETCH_THRESH"]):
            for index, argument in enumerate(arguments):
                for value in (value for value in WHOLE if not value.startswith("-")):
                    words = ["1"] * len(arguments)
                    words[index] = value
                    with self.subTest(command=name, argument=argument, value=value[:10]):
                        self.refused(USAGE, argument, KVCTL, "--loopback", name, *words)
        for value in WORDS:
            self.refused(USAGE, "KIND", KVCTL, "--loopback", "hint", value, "0")
        self.refused(USAGE, "NAME", KVCTL, "--loopback", "policy", LONG)
        self.assertIn("4096", self.refused(USAGE, "COUNT", KVCTL, "--loopback", "alloc", "4097"))
        self.refused(USAGE, "COUNT", KVCTL, "--loopback", "alloc", "0")

    def test_unknown_words(self) -> None:
        for argv in ((KVCTL,), (KVCTL, "info"), (REPLAY, TRACE), (SIM, "run", "--trace", TRACE), (SIM,)):
            for word in (LONG, f"--{LONG}", f"--best={LONG}"):
                with self.subTest(program=argv[0], word=word[:10]):
                    done = run(*argv, word)
                    self.assertEqual(done.returncode, USAGE, done.stderr)
                    # A second trace is refused.
                    self.assertIn("--trace" if (argv[1:2], word) == (("run",), LONG) else word[:20], done.stderr)
                    self.assertNotIn("9" * 50, done.stderr)

    def test_a_line_of_a_script(self) -> None:
        done = run(KVCTL, "--loopback", "script", text=f"block {LONG}\n")
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("NUMBER", done.stderr)
        self.assertLess(len(done.stderr), MESSAGE_MAX)

    def test_a_number_is_decimal_or_hexadecimal(self) -> None:
        for text, seed in (("010", 10), ("0x10", 16), ("7", 7)):
            plan = json.loads(run(REPLAY, TRACE, "--plan", "--seed", text).stdout)
            self.assertEqual(plan["seed"], seed)

    def test_tiers_smaller_than_a_request(self) -> None:
        for option in ("--fast-blocks", "--slow-blocks"):
            with self.subTest(option=option):
                self.refused(BAD_SIZES, option, SIM, "run", "--trace", TRACE, f"{option}=1")
                self.refused(BAD_SIZES, option, REPLAY, TRACE, "--loopback", f"{option}=1")

    def test_subcommands_are_listed(self) -> None:
        for word in ("run", "compare", "sweep", "report"):
            self.assertIn(f"\n  {word} ", run(SIM).stderr)
        self.assertEqual(run(SIM).returncode, USAGE)


class Help(unittest.TestCase):
    """The help of every command: an option that takes a value states its default, or that it has none."""

    def texts(self, *command: object) -> Iterator[tuple[str, str]]:
        """The help of a command and of all its sub-commands, with their names."""
        done = run(*command, "--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        yield " ".join(map(str, command[1:])), done.stdout
        names = re.search(r"^Subcommands:\n((?:  .*\n)+)", done.stdout, re.M)
        for name in re.findall(r"^  (\S+)", names[1], re.M) if names else ():
            yield from self.texts(*command, name)

    def test_defaults_and_units(self) -> None:
        seen = 0
        for program in (KVCTL, REPLAY, SIM):
            for command, text in self.texts(program):
                # An option begins at two spaces; its description may be in the line below.
                for option in re.findall(r"^  ((?:-|[A-Z_]+ ).*(?:\n {10,}.*)*)", text, re.M):
                    with self.subTest(program=program.name, command=command, option=option[:30]):
                        if re.search(r" (TEXT|UINT|INT|FLOAT)\b", option):
                            self.assertRegex(option, DEFAULT)
                            seen += 1
                        if re.search(r" (UINT|INT|FLOAT)\b", option):
                            self.assertRegex(option, UNIT)
        self.assertGreater(seen, 100)


class Outputs(unittest.TestCase):
    def full(self, *argv: object) -> None:
        done = run(*argv)
        self.assertEqual(done.returncode, FAILED, done.stderr)
        self.assertIn("/dev/full", done.stderr)
        self.assertTrue(Path("/dev/full").is_char_device())

    def test_files(self) -> None:
        self.full(SIM, "report", *POINT, "--out", "/dev/full")
        self.full(SIM, "report", *POINT, "--out", "/dev/null", "--results", "/dev/full")
        self.full(SIM, "run", *POINT, "--json", "/dev/full")
        self.full(SIM, "sweep", *POINT, "--seed", "1", "--out", "/dev/full")
        self.full(REPLAY, TRACE, "--loopback", "--requests", "20", "--json", "/dev/full")

    def test_standard_output(self) -> None:
        for argv in ((KVCTL, "--loopback", "info"), (REPLAY, TRACE, "--plan"),
                     (SIM, "run", *POINT)):
            with self.subTest(program=argv[0]), open("/dev/full", "wb") as full:
                done = subprocess.run(list(map(str, argv)), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
                self.assertEqual(done.returncode, FAILED, done.stderr)
                self.assertNotEqual(done.stderr, "")

    def test_a_written_page_is_whole(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.html"
            done = run(SIM, "report", *POINT, "--slow-blocks", "everything", "--seed", "1", "--out", page)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("</html>", page.read_text(encoding="utf-8"))
            self.assertEqual([path.name for path in Path(folder).iterdir()], ["page.html"])

    def test_links_and_pipes_are_written_through(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            link, target, pipe = folder / "link", folder / "target", folder / "pipe"
            target.write_text("older and longer than what is written" * 1000, encoding="utf-8")
            link.symlink_to(target)
            os.mkfifo(pipe)
            replay = (REPLAY, TRACE, "--loopback", "--requests", "20", "--json")
            self.assertEqual(run(*replay, link).returncode, 0)
            self.assertTrue(link.is_symlink())
            expected = target.read_text(encoding="utf-8")
            self.assertEqual(json.loads(expected)["requests"], 20)
            with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
                self.assertEqual(run(*replay, pipe).returncode, 0)
                self.assertEqual(reader.communicate()[0], expected)
            self.assertEqual(sorted(path.name for path in folder.iterdir()), ["link", "pipe", "target"])

    def test_a_wrong_path_is_refused_before_any_work(self) -> None:
        # Without the trace none of these commands could run.
        for argv in ((SIM, "run", "/no/trace", "--json"), (SIM, "report", "/no/trace", "--out"),
                     (REPLAY, "/no/trace", "--json")):
            done = run(*argv, "/no/such/folder/file")
            self.assertEqual(done.returncode, USAGE, done.stderr)
            self.assertIn("/no/such/folder/file: its folder does not exist", done.stderr)

    def test_the_first_line_that_is_not_written_ends_the_simulations(self) -> None:
        done = run(SIM, "compare", "--trace", TRACE, "--requests", "20", "--fast-blocks", "600", "--json", "/dev/full",
                   "--jobs", "1")
        self.assertEqual(done.returncode, FAILED, done.stderr)
        self.assertNotIn("points", done.stderr)

    def test_a_reader_that_ends(self) -> None:
        command = f"'{SIM}' compare --trace '{TRACE}' --requests 20 --fast-blocks 600 --json - --jobs 1"
        done = subprocess.run(["bash", "-c", f"{command} | head -1 >/dev/null; exit ${{PIPESTATUS[0]}}"],
                              capture_output=True, text=True, check=False, timeout=300)
        self.assertEqual(done.returncode, PIPE, done.stderr)


if __name__ == "__main__":
    KVCTL, REPLAY, SIM, TRACE = map(Path, sys.argv[1:5])
    POINT = ("--trace", TRACE, "--requests", "20", "--policy", "lru", "--fast-blocks", "600")
    unittest.main(argv=sys.argv[:1])
