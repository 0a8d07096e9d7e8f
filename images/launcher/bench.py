# SPDX-License-Identifier: MIT
"""`bench`: the cost of a hint for the program that gives it, in a guest, and for the device, on this machine."""

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

from . import build, initramfs, output, packages, process, progress, tree
from .errors import Exit, LauncherError
from .guest import Guest, Outcome
from .machine import NS_PER_INSTRUCTION, Machine, Time

HINTS_PROGRAM = tree.BUILD / "tests" / "bench" / "kvcpu-bench-hints"
_CORE_PROGRAM = tree.BUILD / "tests" / "bench" / "kvcpu-bench-core"
_TIMEOUT_S = 300
# Hints are what is measured, not moves: the device has room for all blocks that are spoken of.
_PROPERTIES = {"policy": "hepc"}


def hints_guest(built: build.Products, image: build.Image, program: Path, folder: Path) -> Guest:
    """A guest in virtual time that measures what a hint costs, and reports in JSON."""
    archive = initramfs.with_command(image.initramfs, [f"{initramfs.HOME}/{program.name}", str(NS_PER_INSTRUCTION)],
                                     {f"{initramfs.HOME}/{program.name}": program})
    return Guest(qemu=built.qemu, kernel=image.kernel.vmlinuz, initramfs=archive,
                 machine=Machine(time=Time.VIRTUAL, devices=(_PROPERTIES,)), folder=folder, timeout_s=_TIMEOUT_S,
                 title="guest that gives hints")


def rows_of(outcome: Outcome) -> list[dict[str, Any]]:
    """What the guest's program reported."""
    if outcome.status != 0:
        raise LauncherError(Exit.BAD_RESULT, f"the benchmark ended with status {outcome.status}: "
                            f"{outcome.stderr.strip()}", outcome.console)
    return json.loads(outcome.stdout)["rows"]


def hints_table(rows: list[dict[str, Any]]) -> str:
    """A line a row, with what it is to the ioctl."""
    ioctl = next(row["instructions_per_hint"] for row in rows if row["path"] == "ioctl")
    lines = [f"{'path':<12}{'batch':>6}{'instructions/hint':>20}{'ns/hint':>12}{'ioctl is':>12}"]
    lines += [f"{row['path']:<12}{row['batch']:>6}{row['instructions_per_hint']:>20,.2f}{row['ns_per_hint']:>12,.2f}"
              f"{ioctl / row['instructions_per_hint']:>10.1f} x" for row in rows]
    return "\n".join([*lines, "ring-range: `batch` blocks in one entry, and a hint is what is said of one of them"])


def hints(options: argparse.Namespace) -> int:
    """`./kvcpu bench hints`: guest instructions and nanoseconds a hint, by ioctl and by ring."""
    _check(options)
    packages.ensure()
    built = build.products()
    build.native(str(HINTS_PROGRAM.relative_to(tree.BUILD)))
    with hints_guest(built, build.image(options.kernel, built), HINTS_PROGRAM,
                     progress.log_folder() / "guest") as guest:
        rows = rows_of(guest.wait())
    print(hints_table(rows))
    _write(options, rows)
    return Exit.OK


def core(options: argparse.Namespace) -> int:
    """`./kvcpu bench core`: hints a second that the device's core takes, beside the machine's own limit."""
    _check(options)
    packages.ensure()
    build.native(str(_CORE_PROGRAM.relative_to(tree.BUILD)))
    argv = [_CORE_PROGRAM, "--json", "--seconds", str(options.seconds)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise process.failure(argv, done.returncode, done.stderr.splitlines(), Exit.BAD_RESULT)
    rows = json.loads(done.stdout)["rows"]
    print(f"{'policy':<10}{'blocks':>10}{'million hints/s':>18}{'million loads/s':>18}{'limit is':>12}")
    for row in rows:
        print(f"{row['policy']:<10}{row['blocks']:>10,}{row['hints_per_second'] / 1e6:>18.2f}"
              f"{row['limit_per_second'] / 1e6:>18.2f}{row['limit_per_second'] / row['hints_per_second']:>10.2f} x")
    print("loads: dependent, at random, over as many directory entries; the most that one hint a load could reach")
    _write(options, rows)
    return Exit.OK


def _check(options: argparse.Namespace) -> None:
    if options.json is not None:
        output.check("--json", options.json)


def _write(options: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    if options.json is not None:
        output.write(options.json, json.dumps({"rows": rows}, indent=2) + "\n")
        progress.say(f"figures: {options.json}")
