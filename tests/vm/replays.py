# SPDX-License-Identifier: MIT
"""Helpers of tests that replay a trace: the trace, a device that is too small for it, the command."""

import json
import tempfile
import unittest
from collections.abc import Sequence
from pathlib import Path

import guests
import traces
from launcher import build, process
from launcher.guest import Guest
from launcher.machine import Time

REQUESTS = 200
# A path in the guest.
FOLDER = "/usr/share/kvcpu-test"
# A load with overlapping requests, and thresholds with which the score promotes blocks.
COMMAND = ["kvcpu-replay", f"{FOLDER}/trace.jsonl", "--scale", "8", "--evict-thresh", "0",
           "--prefetch-thresh", "51200", "--json", "-"]
# Fewer blocks than the trace has, so that blocks are evicted and reclaimed.
SIZES = ["--fast-blocks", "40", "--slow-blocks", "300"]


class ReplayTest(unittest.TestCase):
    """A test with a trace, and guests for it."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="kvcpu-replay-")
        self.addCleanup(folder.cleanup)
        self.trace = Path(folder.name) / "trace.jsonl"
        traces.write(self.trace, REQUESTS, seconds=60, seed=1)

    def guest(self, series: str, command: list[str], name: str, policy: str, *, time: Time = Time.REAL,
              more: Sequence[Path] = ()) -> Guest:
        """A guest for a replay; it has the trace and `more` files in FOLDER."""
        tool = build.products_as_built().tool("kvcpu-replay")
        plan = json.loads(process.capture([tool, self.trace, "--plan", *SIZES]))
        return guests.guest(series, command, name, devices=[f"{plan['device']},policy={policy}"], time=time,
                            files={f"{FOLDER}/{path.name}": path for path in (self.trace, *more)})
