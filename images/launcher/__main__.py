# SPDX-License-Identifier: MIT
"""Entry point of ./kvcpu."""

import errno
import os
import signal
import sys
from types import FrameType

from . import cli
from .errors import Exit, LauncherError


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Parse, run, and turn a failure into its message and exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        options = cli.parse(sys.argv[1:])
        return int(options.run(options))
    except LauncherError as error:
        print(f"kvcpu: {error}", file=sys.stderr)
        return int(error.code)
    except BrokenPipeError:
        # What is still buffered cannot be written either; Python would complain of it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.PIPE)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"kvcpu: no space left on the disk, writing {error.filename or 'a file'}", file=sys.stderr)
        return int(Exit.DISK_FULL)
    except KeyboardInterrupt:
        print("kvcpu: interrupted", file=sys.stderr)
        return int(Exit.INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
