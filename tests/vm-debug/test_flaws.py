#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reports of the debug kernel reach the verdict: a module makes a mistake of each kind, and each is reported. TAP."""

import re
import sys
from pathlib import Path

import guests
from launcher import debugkernel, driver
from launcher.errors import LauncherError

_MODULE = "flaws.ko"
_FOLDER = Path(__file__).resolve().parent / "flaws"
# The mistakes of the module, and their reports.
_FLAWS = (
    ("an RCU pointer read outside a reader", r"WARNING: suspicious RCU usage"),
    ("two locks taken in both orders", r"WARNING: possible circular locking dependency"),
    ("sleep under a spinlock", r"BUG: sleeping function called from invalid context"),
    ("a read past the end of an object", r"KASAN: slab-out-of-bounds"),
    ("a read of a freed object", r"KASAN: (slab-)?use-after-free"),
    ("a shift by more than the type has bits", r"UBSAN: shift-out-of-bounds"),
    ("a DMA mapping undone that was not made", r"DMA-API: .*kvcpu-flaws"),
    ("an entry put into a list twice", r"WARNING: .*list_debug"),
    ("a running timer freed", r"WARNING: .*debugobjects"),
    ("memory forgotten", r"unreferenced object"),
)


def main() -> int:
    """Boots a guest, loads the module, and checks each report."""
    failed = 0
    try:
        module = driver.external_module(debugkernel.kernel(), _FOLDER, _MODULE)
        guest = guests.guest(debugkernel.SELECTOR, ["insmod", f"/usr/share/kvcpu-test/{_MODULE}"], "flaws", devices=[],
                             files={f"/usr/share/kvcpu-test/{_MODULE}": module})
        with guest:
            outcome = guest.wait()
    except LauncherError as error:
        print(error, file=sys.stderr)
        print(f"Bail out! {error.message.splitlines()[0]}")
        return int(error.code)
    print(f"1..{len(_FLAWS)}\n# console: {outcome.console}")
    for number, (flaw, report) in enumerate(_FLAWS, 1):
        seen = any(re.search(report, complaint) for complaint in outcome.complaints)
        failed += not seen
        print(f"{'' if seen else 'not '}ok {number} - {flaw} is a complaint")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
