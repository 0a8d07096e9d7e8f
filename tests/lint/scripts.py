#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs shellcheck on shell files and flake8 on Python files. TAP.

usage: scripts.py SOURCE_ROOT

Each is also shown a file with a flaw that it must find.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from support.sources import scripts
from support.tap import Tap

# SC1091: sourced files exist only in the guest.
_SHELLCHECK = ("shellcheck", "--format=gcc", "--exclude=SC1091")
# E101 and W191 also check strings, and C code in strings has tabs.
_FLAKE8 = ("flake8", "--isolated", "--max-line-length=120", "--extend-ignore=E101,W191")

_FLAWED_SHELL = "#!/bin/sh\ncd $1\n"
_FLAWED_PYTHON = "import os\n\n\ndef f() :\n    return undefined\n"


def findings(linter: tuple[str, ...], root: Path, names: list[str]) -> list[str]:
    """The findings of a linter, one per line."""
    done = subprocess.run([*linter, *names], cwd=root, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)
    lines = (done.stdout + done.stderr).splitlines()
    if done.returncode != 0 and not lines:
        lines = [f"{linter[0]} ended with status {done.returncode} and said nothing"]
    return lines


def main() -> int:
    """Runs every linter on its files, and then on a planted flaw."""
    root = Path(sys.argv[1])
    tap = Tap()
    shell, python = scripts(root, ".sh", "sh"), scripts(root, ".py", "python3")
    tap.ok({"kvcpu", "images/init"} <= set(shell) and "qemu-device/build-qemu" in python,
           f"{len(shell)} shell scripts and {len(python)} of Python are looked at")
    tap.clean("shellcheck finds nothing", findings(_SHELLCHECK, root, shell))
    tap.clean("flake8 finds nothing", findings(_FLAKE8, root, python))
    with tempfile.TemporaryDirectory(prefix="kvcpu-lint-") as folder:
        for name, text in (("flaw.sh", _FLAWED_SHELL), ("flaw.py", _FLAWED_PYTHON)):
            (Path(folder) / name).write_text(text, encoding="utf-8")
        for linter, name, word in ((_SHELLCHECK, "flaw.sh", "SC2086"), (_FLAKE8, "flaw.py", "F821"),
                                   (_FLAKE8, "flaw.py", "E203")):
            tap.ok(any(word in line for line in findings(linter, Path(folder), [name])),
                   f"{linter[0]} finds {word} in a file that has it")
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
