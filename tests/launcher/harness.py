# SPDX-License-Identifier: MIT
"""Fixtures of the launcher's tests: separate caches, a small disk, the launcher as a command and as a function."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from launcher import __main__ as entry, cache, progress, tree

KVCPU = tree.TOP / "kvcpu"
# No server listens on the discard port.
UNREACHABLE = "http://127.0.0.1:9/debian"


class LauncherTest(unittest.TestCase):
    """A test with a folder, and optionally with its own cache in the folder."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="kvcpu-launcher-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def patch(self, target: object, name: str, value: object) -> None:
        """Replaces an attribute for the duration of the test."""
        patcher = mock.patch.object(target, name, value)
        patcher.start()
        self.addCleanup(patcher.stop)

    def environment(self, **variables: str) -> None:
        """Sets environment variables for the duration of the test."""
        patcher = mock.patch.dict(os.environ, variables)
        patcher.start()
        self.addCleanup(patcher.stop)

    def own_cache(self, folder: Path | None = None) -> Path:
        """Sets an empty cache for the duration of the test, in `folder` if it is given."""
        root = folder or self.folder / "cache"
        self.environment(KVCPU_CACHE=str(root))
        self.patch(progress, "_log_folder", None)
        return cache.root()

    def small_disk(self, kib: int) -> Path:
        """A file system of this size. Skips the test if no file system can be mounted."""
        mount_point = self.folder / "disk"
        mount_point.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", mount_point],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.skipTest(f"cannot mount a tmpfs: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "--lazy", mount_point], check=True)
        return mount_point


def _call(*arguments: str) -> tuple[int, str, str]:
    """Runs the launcher's main function in this process; returns exit code, stdout and stderr."""
    printed, said = io.StringIO(), io.StringIO()
    with mock.patch.object(sys, "argv", ["kvcpu", *arguments]), contextlib.redirect_stderr(said), \
            contextlib.redirect_stdout(printed):
        code = entry.main()
    return code, printed.getvalue(), said.getvalue()


def main(*arguments: str) -> tuple[int, str]:
    """Exit code and stderr of the launcher's main function."""
    code, _, said = _call(*arguments)
    return code, said


def output(*arguments: str) -> str:
    """The stdout of the launcher's main function."""
    return _call(*arguments)[1]


def kvcpu(*arguments: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Runs ./kvcpu as a command."""
    return subprocess.run([str(KVCPU), *map(str, arguments)], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=timeout)
