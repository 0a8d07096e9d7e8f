# SPDX-License-Identifier: MIT
"""Writer of cpio archives in the "newc" format, as the kernel unpacks them from an initramfs.

The same entries give the same bytes: entries are sorted, and owners, times and inode numbers do not come from
the host.
"""

import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_MAGIC = "070701"
_TRAILER = "TRAILER!!!"
_ALIGNMENT = 4


@dataclass(frozen=True)
class _Entry:
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


class Archive:
    """An archive in the making. Paths are absolute in the guest; missing parent folders are added."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def folder(self, path: str, mode: int = 0o755) -> None:
        """Add a folder."""
        self._add(path, _Entry(stat.S_IFDIR | mode))

    def file(self, path: str, data: bytes | Path, mode: int = 0o644) -> None:
        """Add a file with the bytes given, or those of the host's file."""
        self._add(path, _Entry(stat.S_IFREG | mode, data.read_bytes() if isinstance(data, Path) else data))

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self._add(path, _Entry(stat.S_IFLNK | 0o777, target.encode()))

    def character_device(self, path: str, major: int, minor: int, mode: int = 0o600) -> None:
        """Add a character device node."""
        self._add(path, _Entry(stat.S_IFCHR | mode, b"", (major, minor)))

    def _add(self, path: str, entry: _Entry) -> None:
        name = path.strip("/")
        if not path.startswith("/") or not name or ".." in PurePosixPath(path).parts:
            raise ValueError(f"not an absolute path in the guest: {path!r}")
        present = self._entries.get(name)
        if present is not None and not (stat.S_ISDIR(present.mode) and stat.S_ISDIR(entry.mode)):
            raise ValueError(f"{path} is in the archive already")
        for parent in PurePosixPath(name).parents:
            if parent != PurePosixPath("."):
                above = self._entries.setdefault(str(parent), _Entry(stat.S_IFDIR | 0o755))
                if not stat.S_ISDIR(above.mode):
                    raise ValueError(f"{path} lies below /{parent}, which is not a folder")
        self._entries[name] = entry

    def pack(self) -> bytes:
        """The archive's bytes; a multiple of 4, so that another archive may follow."""
        packed = bytearray()
        # Sorted by their parts, so that a folder comes before what is in it.
        names = sorted(self._entries, key=lambda name: PurePosixPath(name).parts)
        for inode, name in enumerate(names, start=1):
            _append(packed, inode, name, self._entries[name])
        _append(packed, 0, _TRAILER, _Entry(0))
        return bytes(packed)


def _append(packed: bytearray, inode: int, name: str, entry: _Entry) -> None:
    encoded = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    # c_ino, c_mode, c_uid, c_gid, c_nlink, c_mtime, c_filesize, c_devmajor, c_devminor, c_rdevmajor, c_rdevminor,
    # c_namesize, c_check
    fields = (inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, *entry.device, len(encoded), 0)
    packed += _MAGIC.encode() + b"".join(b"%08X" % field for field in fields) + encoded
    _pad(packed)
    packed += entry.data
    _pad(packed)


def _pad(packed: bytearray) -> None:
    packed += bytes(-len(packed) % _ALIGNMENT)
