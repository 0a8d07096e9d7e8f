#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The core under libFuzzer: every input of the corpus, then new ones until enough entries were taken from rings. TAP.

By hand, for as long as one likes (the README of libFuzzer has more options):
    KVCPU_FUZZ_ENTRIES=100000000 build/tests/fuzz/core-fuzz -len_control=0 -max_len=4096 FOLDER tests/fuzz/corpus
New inputs that reach something new are put into FOLDER; -merge=1 tests/fuzz/corpus FOLDER adds the best to the corpus.
"""

import base64
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from support.tap import Tap

_ENTRIES = 1_000_000
# Every run has the same inputs, so that a failure can be reproduced.
_SEED = 1


def fuzz(program: str, folder: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The output of libFuzzer; a crash leaves its input in the folder."""
    return subprocess.run([program, f"-artifact_prefix={folder}/", *arguments], env={**os.environ, **environment},
                          text=True, errors="replace", capture_output=True, check=False)


def findings(done: subprocess.CompletedProcess[str], folder: str) -> list[str]:
    """The end of the output, and the input of a failure."""
    if done.returncode == 0:
        return []
    inputs = [f"input {file.name}: {base64.b64encode(file.read_bytes()).decode()}"
              for file in Path(folder).glob("*-*") if file.is_file()]
    return done.stderr.splitlines()[-60:] + inputs


def entries(done: subprocess.CompletedProcess[str]) -> int:
    """The number of entries that the device consumed from rings."""
    said = re.search(r"(\d+) entries taken from rings", done.stderr)
    return int(said.group(1)) if said else 0


def main() -> int:
    """Runs the corpus, new inputs, and a planted error that must be found."""
    program, corpus = sys.argv[1:3]
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="kvcpu-fuzz-") as folder:
        inputs = sorted(str(file) for file in Path(corpus).iterdir())
        tap.clean(f"the {len(inputs)} inputs of the corpus", findings(fuzz(program, folder, *inputs), folder))
        new = fuzz(program, folder, f"-seed={_SEED}", "-len_control=0", "-max_len=4096", "-max_total_time=600",
                   folder, corpus, KVCPU_FUZZ_ENTRIES=str(_ENTRIES))
        tap.clean("new inputs", findings(new, folder))
        tap.ok(entries(new) >= _ENTRIES, f"{entries(new)} entries were taken from rings, of {_ENTRIES} wanted")
        planted = fuzz(program, folder, inputs[0], KVCPU_FUZZ_PLANT="1")
        tap.ok(planted.returncode != 0 and "bytes of free blocks" in planted.stderr, "finds a byte that is left behind")
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
