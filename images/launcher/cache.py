# SPDX-License-Identifier: MIT
"""The cache: folders named after the content that made them.

An entry is built in a folder of a temporary name and renamed when it is complete, so that an entry that exists can be
used. A lock per entry keeps two builders apart; the second waits, and then finds the first one's work.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from .errors import Exit, LauncherError

_PARTIAL = ".partial"
# A folder that its maker still uses has this file in it, locked.
_IN_USE = ".in-use"
_UNUSABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG,
             errno.EIO)


def root() -> Path:
    """The cache's top folder, made if it is not there."""
    if os.environ.get("KVCPU_CACHE"):
        path = Path(os.environ["KVCPU_CACHE"])
    elif os.environ.get("XDG_CACHE_HOME"):
        path = Path(os.environ["XDG_CACHE_HOME"]) / "kvcpu"
    else:
        path = Path.home() / ".cache" / "kvcpu"
    with reporting_disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path.resolve()


@contextlib.contextmanager
def reporting_disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, or a folder that cannot be written, into a LauncherError that names it."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LauncherError(
                Exit.DISK_FULL, f"no space left on the disk that holds {path}; free some, or set KVCPU_CACHE "
                "to a folder on another one. Nothing incomplete was kept.") from error
        if error.errno in _UNUSABLE:
            raise LauncherError(
                Exit.CACHE, f"cannot write {error.filename or path}: {error.strerror}; set KVCPU_CACHE to a folder "
                "that can be written") from error
        raise


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the file lock `path` (made if needed) for the length of the block; waits for another holder."""
    with reporting_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", encoding="ascii") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def key(*parts: object) -> str:
    """A key made of strings, bytes, and files or folders given as Path (names, modes and contents count)."""
    digest = hashlib.sha256()

    def add(tag: str, data: bytes) -> None:
        # The length in front keeps ("ab", "c") apart from ("a", "bc").
        digest.update(f"{tag}{len(data)}:".encode())
        digest.update(data)

    for part in parts:
        if isinstance(part, Path):
            for file in _files(part):
                add("n", file.relative_to(part).as_posix().encode())
                add("x", b"1" if os.access(file, os.X_OK) else b"0")
                add("f", file.read_bytes())
        elif isinstance(part, bytes):
            add("b", part)
        else:
            add("s", str(part).encode())
    return digest.hexdigest()[:24]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such file or folder to make a key of", str(path))
    found = [file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    return sorted(found, key=lambda file: file.relative_to(path).as_posix())


def entry(kind: str, entry_key: str, make: Callable[[Path], None]) -> Path:
    """The folder KIND/KEY; where it is missing, `make` fills a new one first.

    What `make` leaves behind when it fails is removed, and so is what a killed builder left.
    """
    folder = root() / kind
    final = folder / entry_key
    if final.is_dir():
        os.utime(final)
        return final
    with lock(folder / f".{entry_key}.lock"):
        if final.is_dir():
            return final
        _remove_abandoned(folder)
        partial = folder / f"{_PARTIAL}-{entry_key}"
        remove(partial)
        with reporting_disk_errors(folder):
            partial.mkdir()
            try:
                make(partial)
                partial.rename(final)
            finally:
                remove(partial)
    return final


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed builders of other entries left. A builder that still runs holds its entry's lock."""
    for partial in folder.glob(f"{_PARTIAL}-*"):
        with _lock_if_free(folder / f".{partial.name.removeprefix(_PARTIAL + '-')}.lock") as free:
            if free:
                remove(partial)


@contextlib.contextmanager
def _lock_if_free(path: Path) -> Iterator[bool]:
    """Hold the file lock for the length of the block; yield False if another process holds it."""
    with open(path, "a", encoding="ascii") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def use(folder: Path) -> None:
    """Keep an entry from being removed by `keep_newest`, for as long as this process lives."""
    # Never closed: the lock ends with the process.
    descriptor = os.open(folder / _IN_USE, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_SH)


def keep_newest(kind: str, count: int) -> None:
    """Remove all but the `count` entries of a kind that were used last, and those in use."""
    folder = root() / kind
    entries = []
    for path in folder.iterdir():
        # It may go while we look: another launcher tidies too.
        with contextlib.suppress(FileNotFoundError):
            if path.is_dir() and not path.name.startswith("."):
                entries.append((path.stat().st_mtime, path))
    for _, path in sorted(entries, reverse=True)[count:]:
        if not (path / _IN_USE).exists():
            with lock(folder / f".{path.name}.lock"):
                remove(path)
            continue
        with contextlib.suppress(FileNotFoundError), _lock_if_free(path / _IN_USE) as free:
            if free:
                remove(path)


def remove(path: Path) -> None:
    """Remove a folder and what is in it; nothing happens where it is not there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)


def size_bytes() -> int:
    """Bytes that the cache takes on the disk."""
    total = 0
    for folder, _, names in os.walk(root()):
        for name in names:
            # A file may go while we walk: another launcher renames its finished work.
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
    return total
