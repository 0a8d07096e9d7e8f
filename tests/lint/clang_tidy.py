#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""C++ under clang-tidy, two files at a time. TAP.

usage: clang_tidy.py SOURCE_ROOT BUILD_ROOT

The checks are those of .clang-tidy. That a file was clean is kept in the cache, by its content, that of the project's
headers that it reaches, its compiler options and the checks: a second run looks at what has changed. A file with flaws
that must be found is looked at every time.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from launcher import cache
from support.sources import tracked
from support.tap import Tap

_WORKERS = 2
_KEPT = 500
# Options of compilations of the same sources: these compilations are last.
_AGAIN = ("-fsanitize", "--coverage")
_FLAWED = """
#include <memory>
#include <string>
int length(std::string text) { return text.size() > 3 ? 1 : 0; }
int moved() {
    auto number = std::make_unique<int>(1);
    auto other = std::move(number);
    return *number + *other;
}
"""
_MUST_FIND = ("performance-unnecessary-value-param", "bugprone-use-after-move")


class Findings(Exception):
    """The output of clang-tidy for a file."""


@dataclass(frozen=True)
class Unit:
    """A source file and its compiler command."""

    name: str
    folder: Path
    command: list[str]

    def options(self) -> list[str]:
        """The compiler's options, without those that name files. A compiler cache may come before the compiler."""
        words = self.command[2 if Path(self.command[0]).name == "ccache" else 1:]
        return [word for at, word in enumerate(words)
                if word not in ("-c", "-o", "-MF", "-MQ", "-MD") and words[at - 1] not in ("-c", "-o", "-MF", "-MQ")]


def units(root: Path, build: Path) -> Iterator[Unit]:
    """The project's C++ files, each once."""
    seen = set()
    entries = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    for entry in sorted(entries, key=lambda entry: any(option in entry["command"] for option in _AGAIN)):
        name = os.path.relpath(Path(entry["directory"], entry["file"]).resolve(), root)
        if name.endswith(".cpp") and name not in seen:
            seen.add(name)
            yield Unit(name, Path(entry["directory"]), shlex.split(entry["command"]))


def reached(root: Path, name: str, headers: list[str]) -> list[str]:
    """The project's headers that a file includes directly or indirectly; by name, so the set may be too large."""
    found: set[str] = set()
    pending = [name]
    while pending:
        text = (root / pending.pop()).read_text(encoding="utf-8")
        for included in re.findall(r'^\s*#\s*include\s*[<"]([^">]+)[">]', text, re.M):
            new = {header for header in headers if header.endswith("/" + included.lstrip("./"))} - found
            found |= new
            pending += new
    return sorted(found)


def version() -> str:
    """The files that findings are reported for."""
    return subprocess.run(["clang-tidy", "--version"], capture_output=True, text=True, check=True).stdout


def tidy(file: Path, options: list[str], folder: Path, *more: str) -> list[str]:
    """clang-tidy's findings for a file; empty if it found nothing."""
    done = subprocess.run(["clang-tidy", "--quiet", *more, str(file), "--", *options], cwd=folder, text=True,
                          capture_output=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode == 0 and "warning:" not in done.stdout:
        return []
    return (done.stdout + done.stderr).splitlines() or [f"clang-tidy ended with status {done.returncode}"]


def settings(root: Path, name: str) -> list[Path]:
    """The settings for a file: those of its folder, and of the folders above."""
    folders = [root / folder for folder in Path(name).parents]
    return [folder / ".clang-tidy" for folder in folders if (folder / ".clang-tidy").exists()]


def findings(root: Path, unit: Unit, headers: list[str], context: str) -> list[str]:
    """Findings in a file; from the cache if the file was clean before."""
    read = [root / name for name in (unit.name, *reached(root, unit.name, headers))] + settings(root, unit.name)

    def look(_: Path) -> None:
        found = tidy(root / unit.name, unit.options(), unit.folder)
        if found:
            raise Findings("\n".join(found))

    try:
        cache.entry("clang-tidy", cache.key(context, unit.name, *read, *unit.options()), look)
    except Findings as found:
        return str(found).splitlines()
    return []


def check_flaws(tap: Tap, root: Path) -> None:
    """Applies the checks of the tree to a file with planted flaws."""
    with tempfile.TemporaryDirectory(prefix="kvcpu-lint-") as folder:
        flawed = Path(folder) / "flawed.cpp"
        flawed.write_text(_FLAWED, encoding="utf-8")
        said = "\n".join(tidy(flawed, ["-std=c++20"], Path(folder), f"--config-file={root / '.clang-tidy'}"))
    for check in _MUST_FIND:
        tap.ok(check in said, f"finds {check} in a file that has it")


def main() -> int:
    """Checks every file, and then the planted flaws."""
    root, build = (Path(argument).resolve() for argument in sys.argv[1:3])
    tap = Tap()
    found = list(units(root, build))
    names = {unit.name for unit in found}
    left_out = [name for name in tracked(root, "*.cpp") if name not in names]
    tap.clean("every C++ file is compiled, and looked at", [f"{name}: no target compiles it" for name in left_out])
    headers = tracked(root, "*.h")
    context = version()
    with ThreadPoolExecutor(_WORKERS) as pool:
        for unit, said in zip(found, pool.map(lambda unit: findings(root, unit, headers, context), found)):
            tap.clean(unit.name, said)
    cache.keep_newest("clang-tidy", _KEPT)
    check_flaws(tap, root)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
