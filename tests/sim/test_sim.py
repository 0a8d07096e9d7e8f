#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kvcpu-sim run, compare and ablation: figures and errors.

usage: test_sim.py KVCPU_SIM SAMPLE_TRACE
"""

import json
import sys
import tempfile
import unittest
from pathlib import Path

from tool import ToolTest

USAGE = 2
KINDS = ["step", "prefetchable", "evictable", "share"]


class Sim(ToolTest):
    sample = Path()

    def runs(self, command: str, *options: object) -> list[dict]:
        """The JSON output of a command at one small size."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "runs.jsonl"
            done = self.run_tool(command, self.sample, "--requests", 200, "--json", path, *options)
            self.assertEqual(done.returncode, 0, done.stderr)
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def small(self, *options: object) -> list[dict]:
        return self.runs("compare", "--fast-blocks", 300, "--slow-blocks", "everything", "--seed", 1, *options)

    def test_distributions_agree_with_the_figures(self):
        for run in self.small("--policy", "lru,next-use"):
            stalls, waits, ttft = (run[f"{name}_quantiles_ns"] for name in ("stall", "stall_waiting", "ttft"))
            self.assertEqual([len(stalls), len(waits), len(ttft)], [101, 101, 101])
            self.assertEqual((stalls[99], ttft[99]), (run["stall_ns_p99"], run["ttft_ns_p99"]))
            self.assertEqual((stalls[0], stalls[100]), (0, waits[100]))
            self.assertGreater(waits[0], 0)
            for quantiles in (stalls, waits, ttft):
                self.assertEqual(quantiles, sorted(quantiles))

    def test_the_timeline_adds_up(self):
        for run in self.small("--policy", "lru,next-use,min+queue"):
            line = run["timeline"]
            self.assertEqual(line["interval_ns"] % 10**9, 0)
            for name in ("blocks_in", "blocks_out", "fast", "slow", "recomputed"):
                self.assertEqual(sum(line[name]), run[name], name)
            self.assertEqual(sum(line["blocks_reclaimed"]), run["counters"]["BLOCKS_RECLAIMED"])
            where = line["residency"]
            for at in range(len(line["blocks_in"])):
                self.assertEqual(sum(counts[at] for counts in where.values()), run["slow_blocks"])
                self.assertLessEqual(sum(counts[at] for kind, counts in where.items()
                                         if kind.startswith("fast") or kind == "evicting"), run["fast_blocks"])
            self.assertGreater(max(where["fast_pinned"]), 0)
            # At the end no block is in use, and no block must be written back.
            self.assertEqual((where["fast_pinned"][-1], where["evicting"][-1]), (0, 0))

    def test_a_run_says_what_it_is(self):
        run, = self.runs("run", "--policy", "next-use+ends", "--slow-blocks", 1500, "--fast-blocks", 300)
        self.assertEqual({name: run[name] for name in ("policy", "without", "bound", "oracle", "everything", "trace",
                                                       "machine")},
                         {"policy": "next-use+ends", "without": [], "bound": False, "oracle": True, "everything": False,
                          "trace": self.sample.name, "machine": "simulator"})
        run, = self.runs("run", "--policy", "min", "--fast-blocks", 300)
        self.assertEqual((run["bound"], run["everything"]), (True, True))

    def test_ablation_removes_each_kind_from_the_players_that_have_it(self):
        runs = self.small("--policy", "lru,next-use,next-use+ends,min+queue", "--ablation")
        made = sorted((run["policy"], ",".join(run["without"])) for run in runs)
        expected = [("lru", ""), ("min+queue", ""), ("next-use", ""), ("next-use+ends", ""),
                    *(("next-use", kind) for kind in KINDS), *(("next-use+ends", kind) for kind in [*KINDS, "release"])]
        self.assertEqual(made, sorted(expected))
        by_name = {(run["policy"], ",".join(run["without"])): run for run in runs}
        self.assertEqual(by_name["next-use", "evictable"]["hints"], ["step", "prefetchable", "share"])
        self.assertEqual(by_name["next-use", "share"]["counters"]["HINTS_SHARE"], 0)
        self.assertEqual(by_name["next-use", "prefetchable"]["counters"]["HINTS_PREFETCHABLE"], 0)
        self.assertGreater(by_name["next-use+ends", ""]["counters"]["HINTS_RELEASE"], 0)
        self.assertEqual(by_name["next-use+ends", "release"]["counters"]["HINTS_RELEASE"], 0)
        # Most of the gain of hints comes from prefetching.
        self.assertGreater(by_name["next-use", "prefetchable"]["stall_ns_total"],
                           2 * by_name["next-use", ""]["stall_ns_total"])

    def test_several_kinds_at_once_and_names_that_mean_the_same(self):
        runs = self.small("--policy", "lru,next-use", "--without", "none", "--without", "prefetch,share",
                          "--without", "share,prefetchable,hot", "--without", "release")
        self.assertEqual(sorted((run["policy"], *run["without"]) for run in runs),
                         [("lru",), ("next-use",), ("next-use", "prefetchable", "share")])

    def test_the_ablation_table(self):
        done = self.run_tool("compare", self.sample, "--requests", 200, "--fast-blocks", 300, "--slow-blocks",
                             "everything", "--seed", 1, "--policy", "lru,hepc", "--without", "none",
                             "--without", "prefetch")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [line.split() for line in done.stdout.splitlines()]
        self.assertIn(["ablation", "without", "fast", "stall", "s", "/", "all", "p99", "ms", "ttft", "ms", "/", "all",
                       "in"], lines)
        row, = (line for line in lines if line[:2] == ["hepc", "prefetchable"])
        whole, = (line for line in lines if line[:1] == ["hepc"] and line != row)
        self.assertAlmostEqual(float(row[4]), float(row[3]) / float(whole[4]), delta=0.15 * float(row[4]))

    def test_a_kind_that_does_not_exist_is_named_with_those_that_do(self):
        said = self.refusal(USAGE, "run", self.sample, "--without", "step,hott")
        self.assertIn("'hott'", said)
        self.assertIn("step, hot, prefetch, evictable, release, share", said)


if __name__ == "__main__":
    ToolTest.tool, Sim.sample = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
    unittest.main()
