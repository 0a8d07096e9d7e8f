# SPDX-License-Identifier: MIT
"""Progress of long work, on stderr: what runs, for how long, and the last thing it said."""

import contextlib
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from . import cache

_LOG_RUNS_KEPT = 20
_PLAIN_INTERVAL_S = 15.0
_TERMINAL_INTERVAL_S = 0.5
# A step that is shorter says nothing: a run that rebuilds nothing stays quiet.
_SILENT_S = 1.0
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")

_log_folder: Path | None = None


def log_folder() -> Path:
    """The folder for this launcher's logs; the oldest runs' folders are removed when it is made."""
    global _log_folder
    if _log_folder is None:
        logs = cache.root() / "logs"
        _log_folder = logs / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        with cache.reporting_disk_errors(logs):
            _log_folder.mkdir(parents=True, exist_ok=True)
            cache.use(_log_folder)
        cache.keep_newest("logs", _LOG_RUNS_KEPT)
    return _log_folder


class Phase:
    """One step of work. `note` is the last thing that it said; a thread shows it while the step runs."""

    def __init__(self, title: str):
        self.title = title
        self.note = ""
        self._started = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._stop = threading.Event()
        self._shown_note = ""
        self._thread = threading.Thread(target=self._show_until_stopped, daemon=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self._started

    def start(self) -> None:
        """Begin the step; it is shown once it has lasted a moment."""
        self._thread.start()

    def finish(self, *, failed: bool = False) -> None:
        """Say how the step ended, and in what time."""
        self._stop.set()
        self._thread.join()
        if failed or self.elapsed >= _SILENT_S:
            clear = "\r\x1b[K" if self._terminal else ""
            say(f"{clear}{self.title}: {'FAILED' if failed else 'done'} ({self.elapsed:.1f} s)")

    def _show_until_stopped(self) -> None:
        if self._stop.wait(_SILENT_S):
            return
        if not self._terminal:
            say(f"{self.title} ...")
        while not self._stop.wait(_TERMINAL_INTERVAL_S if self._terminal else _PLAIN_INTERVAL_S):
            note = _CONTROL.sub("", self.note).strip()
            line = f"{self.title} [{self.elapsed:.0f} s] {note}"
            if self._terminal:
                width = shutil.get_terminal_size().columns
                sys.stderr.write(f"\r\x1b[K{line[:width - 1]}")
                sys.stderr.flush()
            elif note != self._shown_note:
                say(f"  {line}")
            self._shown_note = note


@contextlib.contextmanager
def phase(title: str) -> Iterator[Phase]:
    """Run a block as a step whose progress is shown."""
    step = Phase(title)
    step.start()
    try:
        yield step
    except BaseException:
        step.finish(failed=True)
        raise
    step.finish()


def say(line: str) -> None:
    """One line for the user, beside the results on stdout."""
    print(line, file=sys.stderr, flush=True)
