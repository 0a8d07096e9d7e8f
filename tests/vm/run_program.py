#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a test program in a guest and pass on its TAP. Two tests are added: that the program ran to its end, and that
the guest's kernel complained of nothing meanwhile. At a line "# unplug" the first device is taken away, at "# plug" it
comes back.
"""

import argparse
import re
import sys
from pathlib import Path

import guests
from launcher.errors import LauncherError
from launcher.guest import Channel, Guest, Outcome

_RESULT = re.compile(rb"(not )?ok\b")
_PLAN = re.compile(rb"1\.\.(\d+)")


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

    def judge(self, outcome: Outcome) -> None:
        """Our tests, and the plan."""
        expected = 1 if self.failed else 0
        self.test(self.planned == self.count and outcome.status == expected, "the program ran to its end",
                  f"status {outcome.status}, plan {self.planned}, {self.count} tests, {self.failed} failed\n"
                  f"stderr: {outcome.stderr}")
        self.test(not outcome.complaints, "the guest's kernel complained of nothing",
                  "\n".join([*outcome.complaints, f"console: {outcome.console}"]))
        print(f"1..{self.count}", flush=True)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", required=True, metavar="SERIES")
    parser.add_argument("--device", action="append", default=[], metavar="PROPERTIES",
                        help="a KV-CPU with these properties, separated by commas; repeatable (default: one)")
    parser.add_argument("--name", help="of the test, for its logs (default: the program's)")
    parser.add_argument("--iommu", action="store_true", help="an emulated IOMMU before the devices")
    parser.add_argument("--timeout", type=float, default=240, metavar="S", help="(default: %(default)s)")
    parser.add_argument("program", type=Path)
    parser.add_argument("argument", nargs="*")
    return parser.parse_args()


def main() -> int:
    """Boot, pass on, judge."""
    options = parse()
    program = options.program.name
    try:
        guest = guests.guest(options.kernel, [f"/usr/bin/{program}", *options.argument], options.name or program,
                             devices=options.device or [""], iommu=options.iommu, timeout_s=options.timeout,
                             files={f"/usr/bin/{program}": options.program})
        tap = Tap(guest)
        guest.on_output = lambda channel, data: tap.take(data) if channel is Channel.STDOUT else None
        with guest:
            tap.judge(guest.wait())
    except LauncherError as error:
        for line in str(error).splitlines():
            print(f"# {line}")
        print(f"Bail out! {error.message.splitlines()[0]}", flush=True)
        return int(error.code)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
