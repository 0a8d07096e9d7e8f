#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Invalid arguments of ./kvcpu: a message that names the argument, and an exit code. TAP."""

import contextlib
import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from harness import KVCPU, LauncherTest, kvcpu, main, output
from launcher import output as launcher_output, packages, process, tree
from launcher.errors import Exit, LauncherError
from support import tap

_LONG = "9" * 300
_REQUEST = {"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [1, 2]}


class BadTrace(LauncherTest):
    """The message names the file and the line."""

    def check(self, text: str, *words: str) -> None:
        """`demo` with a trace of this text."""
        trace = self.folder / "trace.jsonl"
        trace.write_text(text, encoding="utf-8")
        done = kvcpu("demo", "--trace", trace)
        self.assertEqual(done.returncode, Exit.BAD_TRACE, done.stderr)
        self.assertEqual(done.stdout, "")
        for word in (str(trace), *words):
            self.assertIn(word, done.stderr)

    def test_empty(self) -> None:
        self.check("", "no request")

    def test_truncated(self) -> None:
        lines = [json.dumps({**_REQUEST, "timestamp": time}) for time in range(5)]
        self.check("\n".join(lines)[:-20], "trace.jsonl:5:")

    def test_malformed(self) -> None:
        good = json.dumps(_REQUEST)
        for line, word in (("{", "JSON"), ("[]", "object"), (json.dumps({**_REQUEST, "hash_ids": 3}), "hash_ids"),
                           (json.dumps({**_REQUEST, "input_length": -1}), "input_length"),
                           (json.dumps({**_REQUEST, "hash_ids": [1]}), "hash_ids"), ("\0\1\2", "JSON")):
            with self.subTest(line=line):
                self.check(f"{good}\n{good}\n{line}\n{good}\n", "trace.jsonl:3:", word)

    def test_no_such_file(self) -> None:
        for path in (self.folder / "nothing", self.folder):
            with self.subTest(path=path):
                code, said = main("demo", "--trace", str(path))
                self.assertEqual(code, Exit.BAD_TRACE)
                self.assertIn(str(path), said)


class BadOption(LauncherTest):
    """The message names the option."""

    def check(self, code: Exit, arguments: list[str], *words: str) -> None:
        """The exit code and message of main for these arguments."""
        got, said = main(*arguments)
        self.assertEqual(got, code, said)
        for word in words:
            self.assertIn(word, said)

    def test_unknown_policy(self) -> None:
        for arguments in (["demo", "--policy", "best"], ["run", "--device", "policy=best", "--", "true"]):
            with self.subTest(arguments=arguments):
                self.check(Exit.USAGE, arguments, "best", *tree.policies())

    def test_sizes_that_do_not_fit(self) -> None:
        done = kvcpu("demo", "--fast-blocks", "2")
        self.assertEqual(done.returncode, Exit.BAD_SIZES, done.stderr)
        self.assertIn("--fast-blocks", done.stderr)

    def test_usage(self) -> None:
        for arguments, word in ((["run", "--kernel", "5.4", "--", "true"], "5.4"),
                                (["run", "--device", "block-size", "--", "true"], "block-size"),
                                (["run", "--device", "a=1,b=2", "--", "true"], "a=1,b=2"),
                                (["run", "--devices", "99", "--", "true"], "99"),
                                (["run", "--time", "virtual", "--cpus", "2", "--", "true"], "--cpus 2"),
                                (["run", "--file", "no/such", "--", "true"], "no/such"),
                                (["run", "--file", f"{KVCPU}:relative", "--", "true"], "absolute"),
                                (["run", "--timeout", "0", "--", "true"], "--timeout"),
                                (["run"], "CMD"), (["nonsense"], "nonsense"), ([], "COMMAND"),
                                (["demo", "--json", "no/such/folder/x"], "--json"),
                                (["bench", "hints", "--json", "no/such/folder/x"], "--json"),
                                (["bench", "core", "--json", "no/such/folder/x"], "--json"), (["bench"], "WHAT"),
                                (["demo", "--scale", "0"], "--scale")):
            with self.subTest(arguments=arguments):
                self.check(Exit.USAGE, arguments, word)

    def test_unknown_suite(self) -> None:
        done = kvcpu("test", "nonsense")
        self.assertEqual(done.returncode, Exit.USAGE, done.stderr)
        self.assertIn("nonsense", done.stderr)
        self.assertIn("launcher", done.stderr)

    def test_wrong_values_of_every_option(self) -> None:
        whole, real, path = ("nan", "-1", _LONG, "", "1e-300", "1.5"), ("nan", "inf", "-1", _LONG, "", "1e-300"), \
            ("", "/no/such/folder/file", "/dev/full/file")
        machine = {"--cpus": whole, "--memory": whole, "--devices": (*whole, "9"), "--seed": whole,
                   "--kernel": ("", _LONG), "--time": ("", _LONG), "--device": ("", _LONG, "a=1,b=2"),
                   "--file": ("no/such", _LONG)}
        for command, end, options in (
                (["run"], ["--", "true"], {**machine, "--timeout": (*whole, "0")}),
                (["shell"], [], machine),
                (["build"], [], {"--kernel": ("", _LONG)}),
                (["bench", "core"], [], {"--seconds": real, "--json": path}),
                (["bench", "hints"], [], {"--kernel": ("", _LONG), "--json": path}),
                (["demo"], [], {"--requests": (*whole, "0"), "--policy": ("", "best", _LONG), "--json": path,
                                "--fast-blocks": (*whole, "0"), "--slow-blocks": (*whole, "0"), "--scale": (*real, "0"),
                                "--seed": whole, "--report": path, "--timeout": whole, "--kernel": ("", _LONG)})):
            for option, values in options.items():
                for value in values:
                    with self.subTest(command=command, option=option, value=value[:10]):
                        code, said = main(*command, f"{option}={value}", *end)
                        self.assertEqual(code, Exit.USAGE, said)
                        self.assertIn(option, said)
                        self.assertLess(len(said), 400)

    def test_a_kind_of_hint_that_does_not_exist(self) -> None:
        done = kvcpu("demo", "--without", "hott")
        self.assertEqual(done.returncode, Exit.USAGE, done.stderr)
        self.assertIn("--without: 'hott'", done.stderr)

    def test_unknown_words(self) -> None:
        for arguments in ([_LONG], ["demo", _LONG], ["demo", f"--{_LONG}"], ["setup", _LONG]):
            with self.subTest(arguments=arguments[-1][:10]):
                code, said = main(*arguments)
                self.assertEqual(code, Exit.USAGE)
                self.assertIn(arguments[-1][:20], said)
                self.assertLess(len(said), 400)


class Help(LauncherTest):
    """The help of every command: an option that takes a value states its default, or that it has none."""

    def texts(self, *command: str) -> Iterator[tuple[str, str]]:
        """The help of a command and of all its sub-commands, with their names."""
        text = output(*command, "--help")
        yield " ".join(command), text
        names = re.search(r"^(?:commands|what):\n  \S+\n((?:    .*\n)+)", text, re.M)
        for name in re.findall(r"^    (\S+)", names[1], re.M) if names else ():
            yield from self.texts(*command, name)

    def test_defaults(self) -> None:
        seen: Counter[str] = Counter()
        for command, text in self.texts():
            # An option begins at two spaces; its description may go on in the lines below.
            for option in re.findall(r"^  (-.*(?:\n {10,}.*)*)", text, re.M):
                words = re.sub(r"\s+", " ", option)
                if re.match(r"(-\w, )?--[a-z-]+ [A-Z{]", words):
                    seen[command] += 1
                    with self.subTest(command=command, option=words[:30]):
                        self.assertRegex(words, r"\((default: [^)]+|required|none by default)\)$")
        self.assertEqual(sorted(seen), ["bench core", "bench hints", "build", "demo", "run", "shell"])
        self.assertGreater(seen.total(), 30)


class Outputs(LauncherTest):
    """The launcher's outputs."""

    def test_an_output_that_cannot_be_written(self) -> None:
        for path, code in (("/dev/full", Exit.DISK_FULL), (self.folder / "no" / "file", Exit.OUTPUT)):
            with self.subTest(path=path), self.assertRaises(LauncherError) as caught:
                launcher_output.write(Path(path), "text")
            self.assertEqual(caught.exception.code, code)
            self.assertIn(str(path), caught.exception.message)
        self.assertTrue(Path("/dev/full").is_char_device())

    def test_a_file_is_replaced_and_a_link_or_a_pipe_is_written_through(self) -> None:
        file, link, pipe = (self.folder / name for name in ("file", "link", "pipe"))
        launcher_output.write(file, "first")
        link.symlink_to(file)
        launcher_output.write(link, "second")
        self.assertTrue(link.is_symlink())
        self.assertEqual(file.read_text(encoding="utf-8"), "second")
        os.mkfifo(pipe)
        with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
            launcher_output.write(pipe, "third")
            self.assertEqual(reader.communicate()[0], "third")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["file", "link", "pipe"])

    def test_standard_output_that_is_full(self) -> None:
        with open("/dev/full", "wb") as full:
            done = subprocess.run([KVCPU, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, Exit.DISK_FULL, done.stderr)
        self.assertIn("standard output", done.stderr)

    def test_a_reader_that_ends(self) -> None:
        # Many simulations with one line each: the first line ends the reader, and a later one the simulator.
        command = f"'{KVCPU}' sim compare --trace '{tree.SAMPLE_TRACE}' --requests 100 --fast-blocks 600 --json -"
        done = subprocess.run(["bash", "-c", f"{command} | head -1 >/dev/null; exit ${{PIPESTATUS[0]}}"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, Exit.PIPE, done.stderr)
        done = subprocess.run(["bash", "-c", f"'{KVCPU}' --help | true; exit ${{PIPESTATUS[0]}}"], capture_output=True,
                              text=True, check=False)
        self.assertIn(done.returncode, (Exit.OK, Exit.PIPE))
        self.assertEqual(done.stderr, "")


class Host(LauncherTest):
    """A host without a required tool."""

    def test_missing_packages_without_root(self) -> None:
        self.patch(packages, "missing", lambda _suites=(): ["sparse", "flex"])
        self.patch(packages, "_as_root", lambda: None)
        code, said = main("setup")
        self.assertEqual(code, Exit.PACKAGES)
        self.assertIn("apt-get install --no-install-recommends -y sparse flex", said)

    def test_cache_that_cannot_be_one(self) -> None:
        # Nothing needs to be built before, as this suite may be run alone.
        done = subprocess.run([KVCPU, "setup"], capture_output=True, text=True, check=False,
                              env={**process.merged_environment(None), "KVCPU_CACHE": f"{KVCPU}/below"})
        self.assertEqual(done.returncode, Exit.CACHE, done.stderr)
        self.assertIn("KVCPU_CACHE", done.stderr)

    def test_full_disk_outside_of_the_cache(self) -> None:
        disk = self.small_disk(64)
        with contextlib.suppress(OSError):
            (disk / "filler").write_bytes(bytes(1 << 20))

        def fill(_options: object) -> int:
            return (disk / "another").write_bytes(bytes(4096))

        self.patch(packages, "ensure", lambda: fill(None))
        code, said = main("setup")
        self.assertEqual(code, Exit.DISK_FULL, said)
        self.assertIn("no space left", said)


class Errors(LauncherTest):
    """Exit codes, and their messages."""

    def test_codes_differ_and_are_listed(self) -> None:
        self.assertEqual(len({int(code) for code in Exit}), len(list(Exit)))
        text = kvcpu("--help").stdout
        for code in Exit:
            self.assertIn(f" {int(code)}  {code.meaning}\n", text)

    def test_a_program_that_fails_is_shown_with_its_last_words(self) -> None:
        self.own_cache()
        with self.assertRaises(LauncherError) as caught:
            process.run_logged(["sh", "-c", "echo first; echo last >&2; exit 3"], "step", "test")
        self.assertEqual(caught.exception.code, Exit.BUILD_FAILED)
        self.assertIn("status 3", caught.exception.message)
        self.assertIn("last", caught.exception.message)
        self.assertIn("first", caught.exception.log.read_text(encoding="utf-8"))

    def test_a_program_that_is_killed(self) -> None:
        self.own_cache()
        with self.assertRaises(LauncherError) as caught:
            process.run_logged(["sh", "-c", "kill -9 $$"], "step", "test")
        self.assertIn("signal 9", caught.exception.message)


if __name__ == "__main__":
    tap.main()
