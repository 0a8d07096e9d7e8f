#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kvcpu-replay in a guest, in real time with two CPUs: every block has its written bytes, in either tier. TAP.

KVCPU_SERIES in the environment names the kernel, KVCPU_SPOIL the program that spoils blocks.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import replays  # noqa: E402
from support import tap  # noqa: E402
from launcher.errors import Exit  # noqa: E402
from launcher import build, process  # noqa: E402
from launcher.guest import Outcome  # noqa: E402

SERIES = os.environ["KVCPU_SERIES"]
SPOIL = Path(os.environ["KVCPU_SPOIL"])
# Counters of the interface between driver and device: windows or rings, number of commands, holds.
DRIVERS_COUNTERS = ("COMMANDS", "DOORBELLS", "RING_ENTRIES", "RING_COMPLETIONS", "RING_PAUSES", "HOLDS", "HOLDS_WAITED",
                    "UNHOLDS", "REVOKES", "NOTICES", "INTERRUPTS")


class Replay(replays.ReplayTest):
    """A generated trace, on a device that is too small for it."""

    def replay(self, policy: str, command: list[str], *more: Path) -> Outcome:
        """The outcome of a command in a guest without kernel reports."""
        with self.guest(SERIES, command, self.id().rpartition(".")[2].replace("test_", "replay-"), policy,
                        more=more) as guest:
            outcome = guest.wait()
        self.assertEqual(outcome.complaints, (), outcome.console)
        return outcome

    def verified(self, policy: str) -> dict[str, Any]:
        """The figures of a replay without errors."""
        outcome = self.replay(policy, [*replays.COMMAND, "--hints", "all"])
        self.assertEqual(outcome.status, 0, outcome.stderr)
        run = json.loads(outcome.stdout)
        self.assertEqual(run["policy"], policy)
        self.assertEqual(run["requests"], replays.REQUESTS)
        self.assertEqual(run["verification_failures"], 0)
        # Hints use the ring. The replay would wait for a batch that exceeds a slice.
        self.assertGreater(run["hints_given"], 0)
        self.assertEqual(run["hint_system_calls"], 0)
        # The replay was a real test: blocks were verified after they had moved, and were reclaimed and used again.
        self.assertGreater(run["blocks_verified"], replays.REQUESTS)
        for name in ("FETCHES_DEMAND", "WRITE_BACKS", "PINS_WAITED", "SCRUBS"):
            self.assertGreater(run["counters"][name], 0, name)
        return run

    def test_lru(self) -> None:
        run = self.verified("lru")
        self.assertEqual(run["counters"]["FETCHES_PREFETCH"], 0)
        self.assertGreater(run["hint_outcomes"]["ignored"], 0)

    def test_hepc(self) -> None:
        run = self.verified("hepc")
        self.assertGreater(run["counters"]["FETCHES_PREFETCH"], 0)
        self.assertGreater(run["hint_outcomes"]["accepted"], 0)

    def test_the_counts_are_those_of_the_simulator(self) -> None:
        """In real time, through driver and kernel: each figure, and each counter of the device's work."""
        tool = build.products_as_built().tool("kvcpu-replay")
        for policy, *options in (("lru",), ("hepc", "--hints", "all"), ("next-use", "--hints", "all", "--cached")):
            with self.subTest(policy=policy):
                in_guest = self.replay(policy, [*replays.COMMAND, *options])
                self.assertEqual(in_guest.status, 0, in_guest.stderr)
                simulated = process.capture([tool, self.trace, "--loopback", "--policy", policy, *replays.SIZES,
                                             *replays.COMMAND[2:], *options])
                runs = [json.loads(said) for said in (in_guest.stdout, simulated)]
                self.assertEqual([run.pop("machine") for run in runs], ["device", "simulator"])
                for run in runs:
                    for name in DRIVERS_COUNTERS:
                        del run["counters"][name]
                self.assertEqual(*runs)

    def test_spoiled_blocks_are_noticed(self) -> None:
        command = " ".join([*replays.COMMAND, "--requests", "150"])
        outcome = self.replay("lru", ["sh", "-c", f"{replays.FOLDER}/{SPOIL.name} & exec {command}"], SPOIL)
        self.assertEqual(outcome.status, Exit.BAD_RESULT, outcome.stderr)
        self.assertGreater(json.loads(outcome.stdout)["verification_failures"], 0)


if __name__ == "__main__":
    tap.main()
