#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Exit statuses of programs that the launcher runs for the user. TAP."""

import signal
import subprocess
import sys

from harness import LauncherTest
from launcher import process
from support import tap


class Status(LauncherTest):
    def test_a_status_is_passed_on(self) -> None:
        for status in (0, 1, 2, 92):
            self.assertEqual(process.exit_status(status), status)

    def test_a_signal_is_128_and_its_number(self) -> None:
        for number in (signal.SIGUSR1, signal.SIGKILL, signal.SIGTERM):
            kill = f"import os; os.kill(os.getpid(), {int(number)})"
            done = subprocess.run([sys.executable, "-c", kill], check=False)
            self.assertEqual(process.exit_status(done.returncode), 128 + number)


if __name__ == "__main__":
    tap.main()
