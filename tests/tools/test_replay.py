#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kvcpu-replay's command line: figures, and messages and exit status of errors.

usage: test_replay.py KVCPU_REPLAY SAMPLE_TRACE
"""

import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

from tool import ToolTest  # noqa: E402 (the line above comes first)

FAILED, USAGE, BAD_TRACE, BAD_SIZES = 1, 2, 89, 91


class Replay(ToolTest):
    sample = Path()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def trace(self, *lines: str) -> Path:
        path = self.folder / "trace.jsonl"
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    def figures(self, *options: object) -> dict:
        return json.loads(self.output(self.sample, "--loopback", "--requests", 150, "--json", "-", *options))

    def test_figures_by_name_for_people_and_programs(self):
        path = self.folder / "out.json"
        said = self.output(self.sample, "--loopback", "--requests", 150, "--json", path)
        run = json.loads(path.read_text(encoding="utf-8"))
        self.assertEqual(run, self.figures())
        self.assertEqual(run["requests"], 150)
        self.assertEqual(run["verification_failures"], 0)
        self.assertEqual(run["block_uses"], run["fast"] + run["slow"] + run["recomputed"])
        self.assertGreater(run["blocks_verified"], 100)
        shown = dict(line.split(None, 1) for line in said.splitlines())
        self.assertEqual(int(shown["blocks_in"]), run["blocks_in"])
        self.assertEqual(shown["stall_ns_total"], f"{run['stall_ns_total'] / 1e6:.3f} ms")

    def test_policy_and_hints_are_used(self):
        lru = self.figures("--policy", "lru")
        hepc = self.figures("--policy", "hepc", "--hints", "all", "--evict-thresh", 0)
        self.assertEqual((lru["policy"], lru["hints"]), ("lru", []))
        self.assertEqual((hepc["policy"], hepc["hints"]), ("hepc", ["step", "prefetchable", "evictable", "share"]))
        self.assertGreater(sum(hepc["hint_outcomes"].values()), sum(lru["hint_outcomes"].values()))
        self.assertGreater(hepc["fast"], lru["fast"])
        # Both replay the same requests.
        for name in ("requests", "block_uses", "recomputed"):
            self.assertEqual(lru[name], hepc[name])

    def test_a_run_is_repeatable_and_follows_its_seed(self):
        self.assertEqual(self.figures("--seed", 4), self.figures("--seed", 4))
        self.assertNotEqual(self.figures("--seed", 4)["ttft_ns_mean"], self.figures("--seed", 5)["ttft_ns_mean"])

    def test_progress(self):
        done = self.run_tool(self.sample, "--loopback", "--requests", 250, "--progress")
        self.assertEqual(done.stderr, "progress 100 250\nprogress 200 250\n")

    def test_plan(self):
        plan = json.loads(self.output(self.sample, "--plan"))
        self.assertEqual(plan["requests"], 1186)
        self.assertGreater(plan["distinct_blocks"], 2 * plan["fast_blocks"])
        self.assertGreater(plan["slow_blocks"], plan["distinct_blocks"])

    def test_a_bad_trace_is_named_with_its_line(self):
        good = '{"timestamp": 0, "input_length": 512, "output_length": 1, "hash_ids": [1]}'
        self.assertIn("trace.jsonl:2: is not JSON", self.refusal(BAD_TRACE, self.trace(good, good[:30]), "--loopback"))
        self.assertIn("trace.jsonl: holds no request", self.refusal(BAD_TRACE, self.trace(), "--plan"))
        self.assertIn("/no/such: No such file", self.refusal(BAD_TRACE, "/no/such", "--loopback"))
        self.assertIn(str(self.folder), self.refusal(BAD_TRACE, self.folder, "--loopback"))

    def test_a_policy_that_does_not_exist(self):
        self.assertIn("--policy: 'best'", self.refusal(USAGE, self.sample, "--loopback", "--policy", "best"))

    def test_sizes_that_do_not_fit(self):
        self.assertIn("blocks at once", self.refusal(BAD_SIZES, self.sample, "--loopback", "--fast-blocks", 10))
        huge = self.trace('{"timestamp": 0, "input_length": 512, "output_length": 4000000000, "hash_ids": [1]}')
        self.assertIn("blocks at once", self.refusal(BAD_SIZES, huge, "--loopback", "--fast-blocks", 10))

    def test_a_device_that_is_not_there(self):
        self.assertIn("/dev/kvcpu-none: No such file", self.refusal(FAILED, self.sample, "--device", "/dev/kvcpu-none"))

    def test_a_full_disk(self):
        said = self.refusal(FAILED, self.sample, "--loopback", "--requests", 5, "--json", "/dev/full")
        self.assertIn("/dev/full: cannot be written", said)

    def test_wrong_options_are_named(self):
        for options, says in ((["--hints", "step,hott"], "'hott'"), (["--scale", 0], "--scale"),
                              (["--requests", "many"], "--requests"),
                              (["--fast-blocks", -1], "--fast-blocks"), (["--no-such"], "--no-such")):
            with self.subTest(options=options):
                done = self.run_tool(self.sample, "--loopback", *options)
                self.assertEqual(done.returncode, USAGE)
                self.assertIn(says, done.stderr)


if __name__ == "__main__":
    ToolTest.tool, Replay.sample = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
    unittest.main()
