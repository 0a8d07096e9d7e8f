#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Virtual time: a repeated run is equal to the first one, under any load of the host. TAP.

KVCPU_SERIES in the environment names the kernel.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import replays  # noqa: E402
from support import tap  # noqa: E402
from launcher.guest import Outcome  # noqa: E402
from launcher.machine import Time  # noqa: E402

SERIES = os.environ["KVCPU_SERIES"]
REPEATS = 3
# All counters of the device, and the guest's record of time, interrupts and scheduling, beside the figures.
WITNESSES = ["kvctl --json counters", "kvctl --json info", "cat /proc/uptime /proc/stat /proc/interrupts", "dmesg"]


@contextlib.contextmanager
def busy_host() -> Iterator[None]:
    """More busy processes than processors."""
    spin = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(spin) for _ in range((os.cpu_count() or 1) + 1)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


class Repeat(replays.ReplayTest):
    """Repeats one replay several times."""

    def run_once(self, name: str) -> Outcome:
        """A replay in virtual time; its stdout ends with the output of the witnesses."""
        script = " && ".join([" ".join([*replays.COMMAND, "--hints", "all"]), *WITNESSES])
        # The same command line and files each time, as other files would change the guest.
        with self.guest(SERIES, ["sh", "-c", script], f"repeat-{name}", "hepc", time=Time.VIRTUAL) as guest:
            outcome = guest.wait()
        self.assertEqual(outcome.status, 0, outcome.stderr)
        return outcome

    def test_repeats_are_equal(self) -> None:
        first = self.run_once("1")
        run, _ = json.JSONDecoder().raw_decode(first.stdout)
        self.assertEqual(run["verification_failures"], 0)
        self.assertGreater(run["counters"]["FETCHES_PREFETCH"], 0)
        self.assertRegex(first.event_log_sha256[0], r"^[0-9a-f]{64}$")
        for number in range(2, REPEATS + 1):
            with self.subTest(repeat=number):
                self.compare(first, self.run_once(str(number)))
        with self.subTest("on a busy host"), busy_host():
            self.compare(first, self.run_once("busy"))

    def compare(self, first: Outcome, again: Outcome) -> None:
        """Runs are equal to the nanosecond."""
        self.assertEqual(first.stdout.splitlines(), again.stdout.splitlines())
        self.assertEqual(first.stderr, again.stderr)
        self.assertEqual(first.event_log_sha256, again.event_log_sha256)
        self.assertEqual(first.console.read_bytes(), again.console.read_bytes())


if __name__ == "__main__":
    tap.main()
