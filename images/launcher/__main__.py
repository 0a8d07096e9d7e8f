# SPDX-License-Identifier: MIT
"""Entry point of ./kvcpu."""

import contextlib
import errno
import io
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from . import cli
from .errors import Exit, LauncherError, usage_message


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run() -> int:
    try:
        options = cli.parse(sys.argv[1:])
        return int(options.run(options))
    except SystemExit as end:  # of --help, or of a wrong option
        return int(end.code or 0)


def _flush() -> int:
    sys.stdout.flush()
    return Exit.OK


def _drop_output() -> None:
    """Discard what is still buffered: Python would report at its end that it cannot be written."""
    with contextlib.suppress(io.UnsupportedOperation):  # of an object that is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _guarded(work: Callable[[], int]) -> int:
    """Do the work, and turn a failure into its message and exit code."""
    try:
        return work()
    except LauncherError as error:
        text = str(error)
        print(f"kvcpu: {usage_message(text) if error.code is Exit.USAGE else text}", file=sys.stderr)
        return int(error.code)
    except BrokenPipeError:
        _drop_output()
        return int(Exit.PIPE)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        if error.filename is None:
            _drop_output()
        place = error.filename or "standard output or a log"
        print(f"kvcpu: no space left on the disk, writing {place}", file=sys.stderr)
        return int(Exit.DISK_FULL)
    except KeyboardInterrupt:
        print("kvcpu: interrupted", file=sys.stderr)
        return int(Exit.INTERRUPTED)


def main() -> int:
    """Run the command line. What is buffered for standard output is written here, where an error still counts."""
    signal.signal(signal.SIGTERM, _terminated)
    status = _guarded(_run)
    flushed = _guarded(_flush)
    return status or flushed


if __name__ == "__main__":
    sys.exit(main())
