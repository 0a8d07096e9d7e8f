#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs QEMU's checkpatch.pl on the QEMU adapter. TAP.

usage: qemu_checkpatch.py SOURCE_ROOT

It is also shown a copy with a flaw that it must find.
"""

import re
import sys
import tempfile
from pathlib import Path

from launcher import process, tree
from launcher.errors import LauncherError
from support.checkpatch import checkpatch
from support.tap import Tap

# File, message, number: false findings of checkpatch. One that is not found any more is an error.
_ACCEPTED = {
    # An entry of a list, for the lists of kvcpu_hw.h: parentheses would not compile.
    ("kvcpu-host.c", "ERROR: Macros with complex values should be enclosed in parenthesis"): 1,
    # checkpatch forbids two underscores; these test which headers QEMU has.
    ("kvcpu-compat.h", "WARNING: architecture specific defines should be avoided"): 2,
}


def findings(script: Path, files: list[Path]) -> list[str]:
    """All findings except accepted ones."""
    left = dict(_ACCEPTED)
    remaining = []
    for line in checkpatch(script, files):
        path, message = re.match(r"(.*?):\d+: (.*)", line).groups()
        key = (Path(path).name, message)
        if left.get(key):
            left[key] -= 1
        else:
            remaining.append(line)
    gone = [f"accepted, and not found: {file}: {message}" for (file, message), count in left.items() if count]
    return remaining + gone


def main() -> int:
    """Checks the adapter's files, and then a planted flaw."""
    adapter = Path(sys.argv[1]) / "qemu-device" / "qemu"
    tap = Tap()
    try:
        source = process.capture([tree.BUILD_QEMU, "--print-source"]).strip()
        script = Path(source) / "scripts" / "checkpatch.pl"
        files = sorted(adapter.glob("*.[ch]"))
        tap.ok(len(files) > 3, f"{len(files)} files are looked at")
        tap.clean("checkpatch finds nothing", findings(script, files))
        with tempfile.TemporaryDirectory(prefix="kvcpu-lint-") as folder:
            flawed = Path(folder) / "kvcpu.c"
            flawed.write_text((adapter / "kvcpu.c").read_text(encoding="utf-8") +
                              "\nint kvcpu_flaw(int x)\n{\n    if (x) return 1;\n    return 0;\n}\n", encoding="utf-8")
            tap.ok(any("braces {} are necessary" in line for line in checkpatch(script, [flawed])),
                   "checkpatch finds braces that are missing")
    except LauncherError as error:
        print(f"Bail out! {error}")
        return 1
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
