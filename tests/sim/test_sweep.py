#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kvcpu-sim sweep: points are independent, are run once, and survive an interruption.

usage: test_sweep.py KVCPU_SIM SAMPLE_TRACE
"""

import json
import shlex
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tool import ToolTest

FAILED, USAGE, BAD_TRACE = 1, 2, 89


class Sweep(ToolTest):
    sample = Path()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = self.folder / "results.jsonl"

    def options(self, *more: object) -> list[object]:
        return ["sweep", "--trace", self.sample, "--requests", 100, "--fast-blocks", 300, "--slow-blocks",
                "everything,700", "--policy", "lru,next-use", "--seed", "1,2", *more]

    def sweep(self, *more: object, out: Path | None = None) -> str:
        """Its stderr."""
        done = self.run_tool(*self.options("--out", out or self.out, *more))
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        return done.stderr

    def lines(self, path: Path | None = None) -> list[dict]:
        return [json.loads(line) for line in (path or self.out).read_text(encoding="utf-8").splitlines()]

    def listed(self, *more: object) -> list[str]:
        return self.output(*self.options("--out", self.out, "--list", *more)).splitlines()

    def test_every_combination_once(self):
        self.sweep()
        runs = self.lines()
        self.assertEqual(len(runs), 8)
        self.assertEqual(len({run["point"] for run in runs}), 8)
        self.assertEqual({(run["policy"], run["everything"], run["seed"]) for run in runs},
                         {(policy, all_of_it, seed) for policy in ("lru", "next-use") for all_of_it in (False, True)
                          for seed in (1, 2)})
        before = self.out.read_bytes()
        self.assertIn("8 of 8 points have results already", self.sweep())
        self.assertEqual(self.out.read_bytes(), before)

    def test_a_sweep_goes_on_where_it_was_cut_off(self):
        self.sweep()
        whole = {run["point"]: run for run in self.lines()}
        text = self.out.read_text(encoding="utf-8").splitlines(keepends=True)
        # Five results, and an incomplete sixth line.
        self.out.write_text("".join(text[:5]) + text[5][:len(text[5]) // 2], encoding="utf-8")
        self.assertEqual(len(self.listed()), 3)
        self.assertEqual(self.out.read_text(encoding="utf-8"), "".join(text[:5]))
        self.out.write_text("".join(text[:5]) + text[5][:-1], encoding="utf-8")
        self.assertIn("5 of 8 points have results already", self.sweep())
        self.assertEqual({run["point"]: run for run in self.lines()}, whole)
        self.assertEqual(len(self.lines()), 8)

    def test_listed_commands_do_the_same_one_by_one(self):
        commands = self.listed()
        self.assertEqual(len(commands), 8)
        for command in commands:
            subprocess.run(shlex.split(command), check=True, timeout=120, stdin=subprocess.DEVNULL)
        self.assertEqual(self.listed(), [])
        one_by_one = {run["point"]: run for run in self.lines()}
        together = self.folder / "together.jsonl"
        self.sweep(out=together)
        self.assertEqual({run["point"]: run for run in self.lines(together)}, one_by_one)

    def test_processes_share_a_file_or_a_folder(self):
        results = self.folder / "results"
        for out, found in ((self.out, lambda: self.lines()),
                           (f"{results}/", lambda: [json.loads(path.read_text(encoding="utf-8"))
                                                    for path in results.iterdir()])):
            processes = [subprocess.Popen([self.tool, *map(str, self.options("--out", out, "--quiet", "--jobs", 1,
                                                                             "--policy", policy))])
                         for policy in ("hepc", "arc", "min")]
            self.assertEqual([process.wait(120) for process in processes], [0, 0, 0])
            self.assertEqual(len({run["point"] for run in found()}), 20)

    def test_a_point_is_the_trace_that_is_in_the_file(self):
        self.sweep()
        copy = self.folder / "renamed.jsonl"
        copy.write_bytes(self.sample.read_bytes())
        self.assertEqual(self.listed("--trace", copy), [])
        copy.write_bytes(self.sample.read_bytes() + b"\n")
        self.assertEqual(len(self.listed("--trace", copy)), 8)

    def test_another_builds_results_are_not_mixed_in(self):
        self.sweep()
        run = self.lines()[0]
        run["program"] = "0123456789abcdef"
        self.out.write_text(json.dumps(run) + "\n", encoding="utf-8")
        self.assertIn("results.jsonl:1:",
                      self.refusal(FAILED, *self.options("--out", self.out)))

    def test_what_is_no_result_is_named(self):
        self.out.write_text("{}\n", encoding="utf-8")
        self.assertIn("results.jsonl:1:", self.refusal(FAILED, *self.options("--out", self.out)))

    def test_results_that_cannot_be_kept(self):
        self.assertIn("/dev/full", self.refusal(FAILED, *self.options("--out", "/dev/full")))
        self.assertIn("no/such", self.refusal(USAGE, *self.options("--out", self.folder / "no" / "such")))

    def test_a_trace_that_is_not_there(self):
        self.assertIn("/no/trace", self.refusal(BAD_TRACE, "sweep", "--trace", "/no/trace", "--out", self.out))


if __name__ == "__main__":
    ToolTest.tool, Sweep.sample = Path(sys.argv.pop(1)).resolve(), Path(sys.argv.pop(1)).resolve()
    unittest.main()
