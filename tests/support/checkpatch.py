# SPDX-License-Identifier: MIT
"""checkpatch.pl, the kernel's or QEMU's."""

import subprocess
from pathlib import Path

from launcher.errors import Exit, LauncherError


def checkpatch(script: Path, files: list[Path], *options: str) -> list[str]:
    """The findings in whole files, one per line; empty if the files are clean. A failure to run is an error."""
    findings = []
    for file in files:
        done = subprocess.run(["perl", str(script), "--no-tree", "--strict", "--terse", "--no-summary", *options,
                               "--file", str(file)],
                              capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        # It exits with 1 for findings, and with another status when it fails.
        if done.returncode not in (0, 1) or (done.returncode == 1) != bool(lines):
            raise LauncherError(Exit.BUILD_FAILED, f"checkpatch of {file} ended with status {done.returncode}: "
                                + " ".join(lines))
        findings += lines
    return findings
