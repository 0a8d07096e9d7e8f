#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The driver's source under a kernel series' own tools: W=1, sparse, kernel-doc, checkpatch --strict. TAP.

usage: driver_checks.py SERIES

Each tool is also shown a copy with a flaw that it must find: a checker that finds nothing because it does not run
would otherwise pass for a clean driver.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import kernel_tools
from launcher import tree
from launcher.errors import LauncherError
from launcher.kernel import kernel
from support.checkpatch import checkpatch
from support.tap import Tap

# A flaw for each tool: a parameter that kernel-doc misses, a variable that W=1 finds set and not used, a user
# pointer that sparse finds dereferenced, a line that checkpatch finds badly spaced.
_FLAWED = """
/**
 * kvcpu_flaw() - what the tools must find
 */
int kvcpu_flaw(int __user *from);
int kvcpu_flaw(int __user *from)
{
	int unused;

	unused = 1;
	return*from;
}
"""


def copy_sources(folder: Path) -> Path:
    """A copy of the driver in which nothing is built yet, with the hardware contract where it looks for it."""
    for source in (tree.DRIVER, tree.HARDWARE_INCLUDE):
        shutil.copytree(source, folder / source.relative_to(tree.TOP))
    return folder / tree.DRIVER.relative_to(tree.TOP)


def source_files(driver: Path) -> list[Path]:
    """All source files of the driver; no generated files."""
    files = sorted(driver.glob("*.[ch]")) + sorted(driver.glob("uapi/linux/*.h"))
    return [*files, driver / "Kbuild", driver / "Makefile"]


def check(tap: Tap, series: str, folder: Path) -> None:
    """Every tool on the driver, then on the flawed copy."""
    chosen = kernel(series)
    script = kernel_tools.checkpatch_of(chosen)
    driver = copy_sources(folder / "clean")
    files = source_files(driver)
    # Built for kernels with fault injection alone, and not for these.
    sources = {file.name for file in driver.glob("*.c")} - {"kvcpu_fault.c"}

    tap.clean("checkpatch --strict finds nothing", checkpatch(script, files, "--show-types"))
    tap.clean("kernel-doc finds nothing",
              kernel_tools.kernel_doc(chosen, [file for file in files if file.suffix in (".c", ".h")]))
    findings, checked = kernel_tools.compile_and_sparse(chosen, driver)
    tap.clean("compiler (W=1), sparse and modpost find nothing", findings)
    tap.ok(sources <= checked, f"sparse has looked at all {len(sources)} files")
    tap.ok((driver / "kvcpu.ko").is_file(), "there is a module")

    driver = copy_sources(folder / "flawed")
    flawed = driver / "kvcpu_window.c"
    with open(flawed, "a", encoding="utf-8") as handle:
        handle.write(_FLAWED)
    findings, _ = kernel_tools.compile_and_sparse(chosen, driver, "kvcpu_window.o")
    tap.ok(any("unused-but-set" in line for line in findings), "W=1 finds a variable that is set and not used")
    tap.ok(any("dereference of noderef" in line for line in findings), "sparse finds a user pointer dereferenced")
    tap.ok(any("'from' not described" in line for line in kernel_tools.kernel_doc(chosen, [flawed])),
           "kernel-doc finds a parameter without a description")
    tap.ok(any("SPACING" in line for line in checkpatch(script, [flawed], "--show-types")),
           "checkpatch finds a missing space")


def main() -> int:
    """All checks for the series on the command line."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    tap = Tap()
    try:
        with tempfile.TemporaryDirectory(prefix="kvcpu-driver-checks-") as folder:
            check(tap, sys.argv[1], Path(folder))
    except LauncherError as error:
        print(f"Bail out! {error}")
        return 1
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
