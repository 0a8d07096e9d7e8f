# SPDX-License-Identifier: MIT
"""Files that the user asks for: a wrong path is refused early, and every error of a write is reported."""

import errno
import os
import stat
from pathlib import Path

from .errors import Exit, LauncherError


def check(option: str, path: Path) -> None:
    """Refuse a path that cannot be written, before any work is done for it.

    The functions of os.path return False for a path that is too long, where those of Path raise an error.
    """
    folder = path.absolute().parent
    if os.path.isdir(path):
        raise LauncherError(Exit.USAGE, f"{option} {path}: is a folder")
    if not os.path.isdir(folder):
        raise LauncherError(Exit.USAGE, f"{option} {path}: its folder does not exist")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise LauncherError(Exit.USAGE, f"{option} {path}: cannot be written")


def write(path: Path, text: str) -> None:
    """Write a whole file, with every error reported, that of its close included.

    A new file, or a regular one, is written beside its place and renamed when it is complete. A device, a pipe or a
    symbolic link is written through.
    """
    target = path if _is_written_through(path) else path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        target.write_text(text, encoding="utf-8")
        if target != path:
            target.replace(path)
    except OSError as error:
        if target != path:
            target.unlink(missing_ok=True)
        code = Exit.DISK_FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else Exit.OUTPUT
        raise LauncherError(code, f"{path}: cannot be written: {error.strerror}") from error


def _is_written_through(path: Path) -> bool:
    try:
        return not stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
