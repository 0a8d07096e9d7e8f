#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the core's unit tests on an instrumented core, and prints the fraction of its lines that were executed.

usage: core_coverage.py SOURCE_ROOT BUILD_ROOT OBJECTS TESTS PERCENT

OBJECTS is the folder with the core's objects, compiled in BUILD_ROOT. Exit status 1 where less than PERCENT of the
lines were executed, a test failed, or a source file is missing from the count.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

_CORE = "qemu-device/core"


def measure(root: Path, build: Path, objects: Path, tests: Path) -> dict:
    """gcovr's summary of one run of the tests."""
    for counted in objects.glob("*.gcda"):
        counted.unlink()
    ran = subprocess.run([tests], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        sys.exit(f"{ran.stdout}{ran.stderr}\nthe tests themselves fail: there is no figure")
    command = ["gcovr", "--root", root, "--filter", f"{root}/{_CORE}/", "--object-directory", build,
               "--json-summary=-", objects]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"gcovr failed with status {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def missing(root: Path, summary: dict) -> set[str]:
    """Source files with code and without counts."""
    sources = (root / _CORE / "SOURCES").read_text(encoding="utf-8").split()
    return {f"{_CORE}/{name}" for name in sources} - {file["filename"] for file in summary["files"]}


def main() -> int:
    """Measures, prints the result, and returns the exit status."""
    if len(sys.argv) != 6:
        print(__doc__, file=sys.stderr)
        return 2
    if shutil.which("gcovr") is None:
        print("gcovr is missing: apt-get install gcovr", file=sys.stderr)
        return 2
    root, build, objects, tests = map(Path, sys.argv[1:5])
    needed = float(sys.argv[5])
    summary = measure(root, build, objects, tests)
    for file in sorted(summary["files"], key=lambda file: file["line_percent"]):
        lines = f"{file['line_covered']:4d} of {file['line_total']:4d}"
        print(f"{file['line_percent']:6.1f} %  {lines}  {file['filename']}")
    uncounted = missing(root, summary)
    if uncounted:
        print(f"nothing was counted of {', '.join(sorted(uncounted))}")
        return 1
    # Computed from the counts, as gcovr rounds its percentage.
    percent = 100 * summary["line_covered"] / summary["line_total"]
    print(f"figure: line coverage of the core: {percent:.1f} % ({summary['line_covered']} of {summary['line_total']} "
          f"lines; at least {needed:g} % are wanted)")
    return 0 if percent >= needed else 1


if __name__ == "__main__":
    sys.exit(main())
