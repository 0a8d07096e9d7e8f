# SPDX-License-Identifier: MIT
"""Running other programs: output to a log file, progress from its last line, failures that name the cause."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import progress
from .errors import Exit, LauncherError

_TAIL_LINES = 12
_COMPILER_ERROR = re.compile(r":\d+: (fatal )?error: ")
# The second is what the kernel's fixdep says.
_DISK_FULL_WORDS = ("No space left on device", "not all data was written to the output")


def exit_status(returncode: int) -> int:
    """The status that a shell gives for a child's return code: 128 + N if signal N ended it."""
    return returncode if returncode >= 0 else 128 - returncode


def run_logged(argv: Sequence[object], title: str, log_name: str, *, code: Exit = Exit.BUILD_FAILED,
               cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a program as a step that the user sees; return its output (stdout and stderr, as they came).

    On failure the LauncherError has the last lines of the output and the log's path, and `code`, or DISK_FULL where
    the output says that the disk is full.
    """
    log = progress.log_folder() / f"{log_name}.log"
    lines: list[str] = []
    with progress.phase(title) as step, open(log, "a", encoding="utf-8", errors="replace") as handle:
        handle.write(f"+ {' '.join(map(str, argv))}\n")
        with subprocess.Popen([str(word) for word in argv], cwd=cwd, env=merged_environment(env), text=True,
                              errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as process:
            for line in process.stdout:
                handle.write(line)
                handle.flush()
                lines.append(line)
                step.note = line
        if process.returncode != 0:
            raise failure(argv, process.returncode, lines, code, log)
    return "".join(lines)


def failure(argv: Sequence[object], status: int, lines: Sequence[str], code: Exit,
            log: Path | None = None) -> LauncherError:
    """The LauncherError for a program that ended with `status` after printing `lines`."""
    tail = "".join(f"  | {line.rstrip()}\n" for line in _telling(lines))
    if any(words in line for words in _DISK_FULL_WORDS for line in lines):
        code = Exit.DISK_FULL
    how = f"was killed by signal {-status}" if status < 0 else f"failed with status {status}"
    return LauncherError(code, f"`{' '.join(map(str, argv))}` {how}:\n{tail.rstrip()}", log)


def _telling(lines: Sequence[str]) -> Sequence[str]:
    """The first error of a compiler, with what follows; else the last lines."""
    for index, line in enumerate(lines):
        if _COMPILER_ERROR.search(line):
            return lines[index:index + _TAIL_LINES]
    return lines[-_TAIL_LINES:]


def capture(argv: Sequence[object], *, code: Exit = Exit.BUILD_FAILED, env: dict[str, str] | None = None,
            cwd: Path | None = None) -> str:
    """Run a short program and return its stdout."""
    done = subprocess.run([str(word) for word in argv], cwd=cwd, env=merged_environment(env), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        raise failure(argv, done.returncode, (done.stdout + done.stderr).splitlines(), code)
    return done.stdout


def merged_environment(changes: dict[str, str] | None) -> dict[str, str]:
    """This process's environment with `changes`, and messages in English, since some of them are read."""
    return {**os.environ, "LC_ALL": "C.UTF-8", **(changes or {})}
