#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The cache never returns an incomplete entry, also after a builder failed, was killed, or filled the disk. TAP."""

import errno
import multiprocessing
import os
import signal
import time
from pathlib import Path

from harness import LauncherTest
from launcher import cache
from launcher.errors import Exit, LauncherError
from support import tap

_FORK = multiprocessing.get_context("fork")


def write_content(folder: Path) -> None:
    """A builder that succeeds."""
    (folder / "content").write_text("complete", encoding="ascii")


def hang_half_way(folder: Path) -> None:
    """A builder that stops in the middle of its work until the test kills it."""
    (folder / "half").write_text("incomplete", encoding="ascii")
    time.sleep(600)


class Entries(LauncherTest):
    """Folders named by the key of their content."""

    def setUp(self) -> None:
        super().setUp()
        self.root = self.own_cache()

    def builder(self, key: str) -> multiprocessing.Process:
        """A process that has built an entry partly."""
        process = _FORK.Process(target=cache.entry, args=("kind", key, hang_half_way))
        process.start()
        self.addCleanup(process.kill)
        while not (self.root / "kind" / f".partial-{key}" / "half").is_file():
            time.sleep(0.01)
        return process

    def names(self) -> list[str]:
        """The content of a kind's folder, without locks."""
        return sorted(path.name for path in (self.root / "kind").iterdir() if not path.name.endswith(".lock"))

    def test_made_once(self) -> None:
        first = cache.entry("kind", "key", write_content)
        self.assertEqual((first / "content").read_text(encoding="ascii"), "complete")
        self.assertEqual(cache.entry("kind", "key", self.fail), first)

    def test_failure_leaves_nothing(self) -> None:
        def fails(folder: Path) -> None:
            write_content(folder)
            raise LauncherError(Exit.BUILD_FAILED, "no")

        with self.assertRaises(LauncherError):
            cache.entry("kind", "key", fails)
        self.assertEqual(self.names(), [])
        self.assertTrue((cache.entry("kind", "key", write_content) / "content").is_file())

    def test_killed_builder(self) -> None:
        process = self.builder("key")
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        self.assertEqual(self.names(), [".partial-key"])
        made = cache.entry("kind", "key", write_content)
        self.assertEqual([path.name for path in made.iterdir()], ["content"])
        self.assertEqual(self.names(), ["key"])

    def test_abandoned_work_is_removed_and_running_work_is_not(self) -> None:
        dead, alive = self.builder("dead"), self.builder("alive")
        os.kill(dead.pid, signal.SIGKILL)
        dead.join()
        cache.entry("kind", "other", write_content)
        self.assertEqual(self.names(), [".partial-alive", "other"])
        self.assertTrue(alive.is_alive())

    def test_second_builder_waits_and_finds_the_first_ones_work(self) -> None:
        calls = self.folder / "calls"

        def slow(folder: Path) -> None:
            with open(calls, "a", encoding="ascii") as file:
                file.write("called\n")
            time.sleep(0.3)
            write_content(folder)

        processes = [_FORK.Process(target=cache.entry, args=("kind", "key", slow)) for _ in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            self.assertEqual(process.exitcode, 0)
        self.assertEqual(calls.read_text(encoding="ascii"), "called\n")

    def test_the_newest_are_kept(self) -> None:
        for age, key in enumerate(("new", "middle", "old", "oldest")):
            path = cache.entry("kind", key, write_content)
            os.utime(path, (1e9 - age, 1e9 - age))
        cache.keep_newest("kind", 2)
        self.assertEqual(self.names(), ["middle", "new"])

    def test_what_is_in_use_is_kept(self) -> None:
        for age, key in enumerate(("new", "old", "used")):
            path = cache.entry("kind", key, write_content)
            if key == "used":
                cache.use(path)
            os.utime(path, (1e9 - age, 1e9 - age))
        cache.keep_newest("kind", 1)
        self.assertEqual(self.names(), ["new", "used"])

    def test_use_ends_with_its_process(self) -> None:
        path = cache.entry("kind", "used", write_content)
        process = _FORK.Process(target=cache.use, args=(path,))
        process.start()
        process.join()
        cache.keep_newest("kind", 0)
        self.assertEqual(self.names(), [])


class Keys(LauncherTest):
    """The inputs of a key."""

    def test_parts_are_kept_apart(self) -> None:
        self.assertNotEqual(cache.key("ab", "c"), cache.key("a", "bc"))
        self.assertNotEqual(cache.key("ab"), cache.key(b"ab"))
        self.assertEqual(cache.key("ab", "c"), cache.key("ab", "c"))

    def test_files_count_with_name_mode_and_content(self) -> None:
        file = self.folder / "file"
        file.write_text("a", encoding="ascii")
        keys = {cache.key(self.folder)}
        file.write_text("b", encoding="ascii")
        keys.add(cache.key(self.folder))
        file.chmod(0o755)
        keys.add(cache.key(self.folder))
        file.rename(self.folder / "renamed")
        keys.add(cache.key(self.folder))
        self.assertEqual(len(keys), 4)
        before = cache.key(self.folder)
        os.utime(self.folder / "renamed", (0, 0))
        self.assertEqual(cache.key(self.folder), before, "times do not count")

    def test_missing_file(self) -> None:
        with self.assertRaises(FileNotFoundError):
            cache.key(self.folder / "nothing")


class Disk(LauncherTest):
    """A disk that is full or read-only."""

    def test_full(self) -> None:
        root = self.own_cache(self.small_disk(1024) / "cache")

        def too_much(folder: Path) -> None:
            (folder / "content").write_bytes(bytes(2 << 20))

        with self.assertRaises(LauncherError) as caught:
            cache.entry("kind", "key", too_much)
        self.assertEqual(caught.exception.code, Exit.DISK_FULL)
        self.assertIn(str(root / "kind"), caught.exception.message)
        self.assertFalse(list((root / "kind").glob("*key")))
        self.assertTrue((cache.entry("kind", "key", write_content) / "content").is_file())

    def test_full_as_the_system_says_it(self) -> None:
        # A part of the test above, for hosts on which nothing can be mounted.
        self.own_cache()
        for number in (errno.ENOSPC, errno.EDQUOT):
            def full(folder: Path, number: int = number) -> None:
                raise OSError(number, os.strerror(number), str(folder))

            with self.subTest(number), self.assertRaises(LauncherError) as caught:
                cache.entry("kind", "key", full)
            self.assertEqual(caught.exception.code, Exit.DISK_FULL)

    def test_a_file_in_the_place_of_the_cache(self) -> None:
        (self.folder / "file").write_text("", encoding="ascii")
        for path in (self.folder / "file", self.folder / "file" / "below"):
            with self.subTest(path=path.name), self.assertRaises(LauncherError) as caught:
                self.own_cache(path)
            self.assertEqual(caught.exception.code, Exit.CACHE)
            self.assertIn("KVCPU_CACHE", caught.exception.message)

    def test_empty_names_are_none(self) -> None:
        self.environment(KVCPU_CACHE="", XDG_CACHE_HOME="", HOME=str(self.folder))
        self.assertEqual(cache.root(), (self.folder / ".cache" / "kvcpu").resolve())


if __name__ == "__main__":
    tap.main()
