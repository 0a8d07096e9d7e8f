#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The QEMU adapter under QEMU's own checkpatch.pl. TAP.

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

# File, message, how often: what checkpatch takes for something else. One that is not found any more is a finding.
_ACCEPTED = {
    # An entry of a list, for the lists of kvcpu_hw.h: parentheses would not compile.
    ("kvcpu-host.c", "ERROR: Macros with complex values should be enclosed in parenthesis"): 1,
    # It looks for two underscores; these ask which headers a QEMU has.
    ("kvcpu-compat.h", "WARNING: architecture specific defines should be avoided"): 2,
}


def findings(script: Path, files: list[Path]) -> list[str]:
    """All findings but those accepted."""
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
    """The adapter's files, then a flaw."""
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
