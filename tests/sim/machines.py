# SPDX-License-Identifier: MIT
"""Programs that a test needs and that may be missing, and programs that a test starts and ends."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_S = 60


def need(packages: dict[str, str]) -> None:
    """Skips the test if a program is missing; `programs` has the package of each."""
    # Daemons are in folders that are only in root's path.
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    missing = sorted({package for program, package in packages.items() if shutil.which(program, path=path) is None})
    if missing:
        print(f"SKIP: not installed: {' '.join(missing)} (apt-get install --no-install-recommends {' '.join(missing)})")
        sys.exit(77)


def free_port() -> int:
    """A TCP port of this machine that is not in use now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Daemons:
    """Programs that run until the end of a test, with their output in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen] = []

    def start(self, *command: object, **options: object) -> subprocess.Popen:
        """Starts a program in the foreground of its own session."""
        log = self._folder / f"{Path(str(command[0])).name}.out"
        with log.open("wb") as output:
            process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=subprocess.STDOUT, **options)
        self._processes.append(process)
        return process

    def stop(self) -> None:
        """Ends the programs, the last first."""
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def wait_for(self, what: str, is_present: Callable[[], bool]) -> None:
        """Waits for the condition, or fails with the output of the programs."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_present():
            if time.monotonic() > deadline:
                said = "\n".join(f"{log.name}: {log.read_text(errors='replace')[-2000:]}"
                                 for log in sorted(self._folder.glob("*.out")))
                raise AssertionError(f"{what} does not come\n{said}")
            time.sleep(0.1)
