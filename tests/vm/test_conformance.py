#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random commands through the kernel driver, compared with the model and with a loopback device. TAP.

KVCPU_SERIES in the environment names the kernel, KVCPU_CONFORMANCE the program: it holds either way to the same model,
and prints what was observed; here both ways print the same.
"""

import os
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import guests  # noqa: E402
from support import tap  # noqa: E402
from launcher.machine import Time  # noqa: E402

SERIES = os.environ["KVCPU_SERIES"]
PROGRAM = Path(os.environ["KVCPU_CONFORMANCE"])
# Equal to the program's loopback device.
DEVICE = "fast-size=96K,slow-size=1M"
GUEST_PROGRAM = f"/usr/bin/{PROGRAM.name}"


class Conformance(unittest.TestCase):
    """Tests with one seed and one policy each."""

    def check(self, policy: str, seed: int, commands: int, time: Time) -> None:
        """Runs the same stream here and in a guest."""
        arguments = ["--seed", str(seed), "--commands", str(commands)]
        here = subprocess.run([PROGRAM, "--policy", policy, *arguments], capture_output=True, text=True, check=False)
        self.assertEqual(here.returncode, 0, here.stderr)
        with guests.guest(SERIES, [GUEST_PROGRAM, "--device", "/dev/kvcpu0", *arguments], f"conformance-{policy}",
                          devices=[f"{DEVICE},policy={policy}"], time=time, files={GUEST_PROGRAM: PROGRAM}) as guest:
            outcome = guest.wait()
        self.assertEqual(outcome.status, 0, outcome.stderr)
        self.assertEqual(outcome.complaints, (), outcome.console)
        self.assertIn("PIN TIMED_OUT: ", here.stdout)
        self.assertEqual(outcome.stdout.splitlines(), here.stdout.splitlines())

    def test_hepc(self) -> None:
        self.check("hepc", 11, 20000, Time.REAL)

    def test_lru(self) -> None:
        self.check("lru", 12, 20000, Time.REAL)

    def test_next_use_in_virtual_time(self) -> None:
        self.check("next-use", 13, 20000, Time.VIRTUAL)


if __name__ == "__main__":
    tap.main()
