# SPDX-License-Identifier: MIT
"""The files of the tree, by kind."""

import subprocess
from pathlib import Path


def tracked(root: Path, *patterns: str) -> list[str]:
    """Names of files that git tracks or would add; all, or those that match a pattern."""
    names = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--",
                            *patterns], check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted(name for name in names if name and (root / name).is_file())


def scripts(root: Path, extension: str, interpreter: str) -> list[str]:
    """Names of files in a language: by extension, or by the interpreter in their first line."""
    found = []
    for name in tracked(root):
        with open(root / name, "rb") as file:
            first = file.readline()
        if name.endswith(extension) or (first.startswith(b"#!") and interpreter.encode() in first.split(b"/")[-1]):
            found.append(name)
    return found
