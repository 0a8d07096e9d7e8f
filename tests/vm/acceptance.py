#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The long runs of the driver: minutes to an hour each. `./kvcpu test` has them with small counts. TAP.

After `./kvcpu build`: tests/vm/acceptance.py [--kernel 6.12] [--share 0.1] [moves] [kill] [hostile]
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_TOP = _HERE.parents[1]
_SMALL = "--device=fast-size=256K,slow-size=16M"
# Name: options of run_program.py, program, counts (of which --share is taken), further arguments.
_RUNS: dict[str, tuple[list[str], str, list[int], list[str]]] = {
    # Accesses of four threads, and moves that a fifth thread forces.
    "moves": (["--device=fast-size=1M,slow-size=16M"], "vm_moves", [10_000_000, 1_000_000], []),
    # Processes killed with pins, holds, moves and registered buffers in progress.
    "kill": ([f"{_SMALL},dma-latency-ns=100000"], "vm_kill", [1000], []),
    # Entries of a hostile process, during a replay that verifies every block.
    "hostile": (["--device=fast-size=512K,slow-size=16M", "--trace=200"], "vm_hostile", [10_000_000],
                ["1", "kvcpu-replay", "/usr/share/kvcpu-test/trace.jsonl", "--shared", "--scale", "8",
                 "--hints", "all"]),
}


def run(name: str, kernel: str, share: float, timeout: float) -> bool:
    """Executes one of the runs; returns whether it passed."""
    options, program, counts, arguments = _RUNS[name]
    begin = time.monotonic()
    status = subprocess.run(
        [sys.executable, _HERE / "run_program.py", "--kernel", kernel, "--name", f"acceptance-{name}",
         "--timeout", str(timeout), *options, "--", _TOP / "build/tests/vm" / program,
         *(str(max(1, round(count * share))) for count in counts), *arguments],
        env=os.environ | {"PYTHONPATH": str(_TOP / "images"), "PYTHONDONTWRITEBYTECODE": "1"}, check=False).returncode
    print(f"# {name}: {'passed' if status == 0 else 'FAILED'} after {time.monotonic() - begin:.0f} s of the host",
          flush=True)
    return status == 0


def main() -> int:
    """Executes the named runs, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", default="6.1", help="guest kernel (%(default)s)")
    parser.add_argument("--share", type=float, default=1, help="of the counts (%(default)s)")
    parser.add_argument("--timeout", type=float, default=7200, metavar="S", help="of each (%(default)s)")
    parser.add_argument("runs", nargs="*", choices=[*_RUNS, []], metavar="RUN", help=", ".join(_RUNS))
    options = parser.parse_args()
    passed = [run(name, options.kernel, options.share, options.timeout) for name in options.runs or _RUNS]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
