#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The initramfs writer: another program unpacks the same files; equal entries give equal bytes. TAP."""

import os
import random
import subprocess

from harness import LauncherTest
from launcher import cpio, initramfs
from support import tap

_FILES = {f"/usr/share/file{size}": random.Random(size).randbytes(size) for size in (0, 1, 2, 3, 4, 5, 4096, 70001)}


def archive(names: list[str]) -> cpio.Archive:
    """The files, added in this order."""
    made = cpio.Archive()
    for name in names:
        made.file(name, _FILES[name], 0o755 if name.endswith("1") else 0o644)
    made.folder("/empty", 0o700)
    made.link("/usr/link", "share/file5")
    return made


class Archive(LauncherTest):
    """The newc format, checked by a program that unpacks it."""

    def unpack(self, data: bytes) -> None:
        """Unpacks the archive by busybox into the test's folder."""
        subprocess.run(["/bin/busybox", "cpio", "-i", "-d"], input=data, cwd=self.folder, check=True,
                       capture_output=True)

    def test_round_trip(self) -> None:
        self.unpack(archive(list(_FILES)).pack())
        for name, data in _FILES.items():
            path = self.folder / name[1:]
            self.assertEqual(path.read_bytes(), data, name)
            self.assertEqual(os.access(path, os.X_OK), name.endswith("1"), name)
        self.assertEqual(os.readlink(self.folder / "usr" / "link"), "share/file5")
        self.assertEqual((self.folder / "empty").stat().st_mode & 0o777, 0o700)

    def test_same_entries_same_bytes(self) -> None:
        names = list(_FILES)
        self.assertEqual(archive(names).pack(), archive(names[::-1]).pack())

    def test_times_of_the_host_do_not_count(self) -> None:
        file = self.folder / "file"
        file.write_text("x", encoding="ascii")
        packed = []
        for when in (0, 1e9):
            os.utime(file, (when, when))
            made = cpio.Archive()
            made.file("/file", file)
            packed.append(made.pack())
        self.assertEqual(*packed)

    def test_archives_can_follow_each_other(self) -> None:
        first, second = cpio.Archive(), cpio.Archive()
        first.file("/a", b"one")
        second.file("/b", b"two")
        self.assertEqual(len(first.pack()) % 4, 0)
        base = self.folder / "base.cpio"
        base.write_bytes(first.pack())
        script = self.folder / "script"
        script.write_text("x", encoding="ascii")
        run = initramfs.with_command(base, ["echo", "a b"], {"/opt/script": script})
        self.assertTrue(run.startswith(first.pack()))
        self.unpack(run[len(first.pack()):])
        command = self.folder / "run" / "kvcpu" / "command"
        self.assertEqual(command.read_text(encoding="ascii"), "#!/bin/sh\nexec echo 'a b'\n")
        self.assertEqual(run, initramfs.with_command(base, ["echo", "a b"], {"/opt/script": script}))

    def test_refused(self) -> None:
        made = cpio.Archive()
        made.file("/a/file", b"")
        for path in ("relative", "/", "/a/../b", "/a/file", "/a", "/a/file/below"):
            with self.subTest(path=path), self.assertRaises(ValueError):
                made.file(path, b"")
        made.folder("/a")


if __name__ == "__main__":
    tap.main()
