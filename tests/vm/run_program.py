#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a test program in a guest and pass on its TAP. Two tests are added: that the program ran to its end, and that
the guest's kernel complained of nothing meanwhile. At a line "# unplug" the first device is taken away, at "# plug" it
comes back.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

import guests
import traces
from launcher import build, driver
from launcher.errors import LauncherError
from launcher.guest import Channel, Guest, Outcome, complaints_in

_RESULT = re.compile(rb"(not )?ok\b")
_PLAN = re.compile(rb"1\.\.(\d+)")
# A WARNING of the kernel, from its first line to its last.
_WARNING = re.compile(r"^[^\n]*-\[ cut here \]-.*?-\[ end trace [^\n]*$", re.DOTALL | re.MULTILINE)


class Tap:
    """The program's lines as they come; its plan is held back, as ours is longer."""

    def __init__(self, guest: Guest) -> None:
        self._requests = {b"# unplug": guest.unplug, b"# plug": guest.plug}
        self.count = 0
        self.failed = 0
        self.planned: int | None = None
        self._pending = b""

    def take(self, data: bytes) -> None:
        """Some more of the program's output."""
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        plan, result = _PLAN.fullmatch(line.strip()), _RESULT.match(line)
        if plan:
            self.planned = int(plan[1])
            return
        if result:
            self.count += 1
            self.failed += result[1] is not None
        if line in self._requests:
            self._requests[line](0)
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.flush()

    def test(self, passed: bool, what: str, why: str = "") -> None:
        """A test of ours."""
        for line in why.splitlines() if not passed else []:
            self._line(f"# {line}".encode())
        self._line(f"{'' if passed else 'not '}ok {self.count + 1} - {what}".encode())

    def judge(self, outcome: Outcome, excused: list[str]) -> None:
        """Our tests, and the plan."""
        expected = 1 if self.failed else 0
        self.test(self.planned == self.count and outcome.status == expected, "the program ran to its end",
                  f"status {outcome.status}, plan {self.planned}, {self.count} tests, {self.failed} failed\n"
                  f"stderr: {outcome.stderr}")
        complaints = complaints_but(outcome, excused)
        self.test(not complaints, "the guest's kernel complained of nothing",
                  "\n".join([*complaints, f"console: {outcome.console}"]))
        print(f"1..{self.count}", flush=True)


def complaints_but(outcome: Outcome, excused: list[str]) -> tuple[str, ...]:
    """The kernel's complaints, without the WARNINGs whose trace goes through an excused function."""

    def kept(warning: re.Match[str]) -> str:
        return "" if any(f" {function}+" in warning[0] for function in excused) else warning[0]

    if not excused:
        return outcome.complaints
    return complaints_in(_WARNING.sub(kept, outcome.console.read_text(encoding="utf-8", errors="replace")))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", required=True, metavar="SERIES")
    parser.add_argument("--device", action="append", default=[], metavar="PROPERTIES",
                        help="a KV-CPU with these properties, separated by commas; repeatable (default: one)")
    parser.add_argument("--excuse", action="append", default=[], metavar="FUNCTION",
                        help="a WARNING that came by way of this kernel function is not the driver's; repeatable")
    parser.add_argument("--name", help="of the test, for its logs (default: the program's)")
    parser.add_argument("--iommu", action="store_true", help="an emulated IOMMU before the devices")
    parser.add_argument("--one-port", action="store_true", help="the devices are functions of one slot")
    parser.add_argument("--module", type=Path, metavar="FOLDER",
                        help="the sources of a module to build for the guest: /usr/share/kvcpu-test/NAME.ko")
    parser.add_argument("--append", default="", metavar="ARGUMENTS", help="added to the kernel's command line")
    parser.add_argument("--timeout", type=float, default=240, metavar="S",
                        help="seconds of the host's clock after which the guest counts as hung (%(default)s)")
    parser.add_argument("--file", action="append", default=[], type=Path, metavar="FILE",
                        help="another program to put into the guest; repeatable")
    parser.add_argument("--trace", type=int, default=0, metavar="REQUESTS",
                        help="a trace of so many requests in the guest, /usr/share/kvcpu-test/trace.jsonl")
    parser.add_argument("program", type=Path)
    parser.add_argument("argument", nargs="*")
    return parser.parse_args()


def prepare(options: argparse.Namespace) -> Guest:
    """The guest that the command line asks for."""
    program = options.program.name
    files = {f"/usr/bin/{path.name}": path for path in [options.program, *options.file]}
    with tempfile.TemporaryDirectory(prefix="kvcpu-vm-") as folder:
        if options.module:
            name = f"{options.module.name}.ko"
            kernel = build.image(options.kernel, build.products_as_built()).kernel
            files[f"/usr/share/kvcpu-test/{name}"] = driver.external_module(kernel, options.module.resolve(), name)
        if options.trace:
            files["/usr/share/kvcpu-test/trace.jsonl"] = Path(folder) / "trace.jsonl"
            traces.write(files["/usr/share/kvcpu-test/trace.jsonl"], options.trace, seconds=60, seed=1)
        return guests.guest(options.kernel, [f"/usr/bin/{program}", *options.argument], options.name or program,
                            devices=options.device or [""], iommu=options.iommu,
                            kernel_arguments=options.append, one_port=options.one_port, files=files,
                            timeout_s=options.timeout)


def main() -> int:
    """Boot, pass on, judge."""
    options = parse()
    try:
        guest = prepare(options)
        tap = Tap(guest)
        guest.on_output = lambda channel, data: tap.take(data) if channel is Channel.STDOUT else None
        with guest:
            tap.judge(guest.wait(), options.excuse)
    except LauncherError as error:
        # What a TAP harness shows of a program that bails out is its stderr.
        print(error, file=sys.stderr)
        print(f"Bail out! {error.message.splitlines()[0]}", flush=True)
        return int(error.code)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
