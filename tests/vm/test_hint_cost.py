#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`./kvcpu bench hints` prints the same table twice, and a ring is as much cheaper as required. TAP.

KVCPU_SERIES in the environment names the kernel, KVCPU_BENCH the program that gives the hints.
"""

import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import tap  # noqa: E402
from launcher import bench, build, tree  # noqa: E402

SERIES = os.environ["KVCPU_SERIES"]
PROGRAM = Path(os.environ["KVCPU_BENCH"])
# The minimum ratio of the ioctl's cost to the ring's, by batch.
TARGETS = {1: 3, 64: 40}


class HintCost(unittest.TestCase):
    """Two guests in virtual time, one after the other."""

    def rows(self, number: int) -> list[dict]:
        """The measurements of one guest."""
        built = build.products_as_built()
        with bench.hints_guest(built, build.image(SERIES, built), PROGRAM,
                               tree.BUILD / "vm-logs" / f"hint-cost-{number}-{SERIES}") as guest:
            outcome = guest.wait()
        self.assertEqual(outcome.complaints, (), outcome.console)
        return bench.rows_of(outcome)

    def test_the_table(self) -> None:
        rows = self.rows(1)
        print("\n".join(f"# {line}" for line in bench.hints_table(rows).splitlines()))
        cost = {(row["path"], row["batch"]): row["instructions_per_hint"] for row in rows}
        self.assertEqual(sorted(batch for path, batch in cost if path == "ring"), [1, 8, 64, 512])
        self.assertIn("ring-range", {path for path, _ in cost})
        for row in rows:
            self.assertGreater(row["instructions_per_hint"], 0)
        for batch, times in TARGETS.items():
            with self.subTest(batch=batch):
                self.assertGreaterEqual(cost["ioctl", 1], times * cost["ring", batch])
        with self.subTest("again"):
            self.assertEqual(self.rows(2), rows)


if __name__ == "__main__":
    tap.main()
