#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's archive: the choice of a mirror, and the errors of an unreachable or corrupt mirror. TAP."""

import hashlib
import os
from pathlib import Path
from unittest import mock

from harness import UNREACHABLE, LauncherTest, main
from launcher import apt, cache, kernel, packages, process
from launcher.errors import Exit, LauncherError
from support import tap

_DEB822 = """\
# a comment: with a colon
Types: deb deb-src
URIs: https://one.example/debian/ https://two.example/debian
Suites: bookworm
 bookworm-updates
Components: main

types: deb
uris:
 http://security.example/debian-security
suites: bookworm-security

Types: deb
URIs: http://off.example/debian
Suites: sid
Enabled: no

Types: deb-src
URIs: http://source.example/debian
Suites: trixie
"""
_ONE_LINE = """\
# deb http://comment.example/debian bookworm main
deb-src http://source.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/k.gpg] http://list.example/debian/ bookworm main contrib
  deb http://second.example/debian bookworm main
deb http://backports.example/debian bookworm-backports main
"""


class Sources(LauncherTest):
    """Reading the system's configuration."""

    def etc(self, **files: str) -> dict[str, str]:
        """The mirrors by suite, for an apt configuration with these files."""
        (self.folder / "sources.list.d").mkdir()
        for name, text in files.items():
            (self.folder / name.replace("__", "/").replace("_", ".")).write_text(text, encoding="ascii")
        return apt.system_mirrors(self.folder)

    def test_one_line_format(self) -> None:
        self.assertEqual(self.etc(sources_list=_ONE_LINE),
                         {"bookworm": "http://list.example/debian",
                          "bookworm-backports": "http://backports.example/debian"})

    def test_deb822_format(self) -> None:
        found = self.etc(sources_list_d__debian_sources=_DEB822)
        self.assertEqual(found, {"bookworm": "https://one.example/debian",
                                 "bookworm-updates": "https://one.example/debian",
                                 "bookworm-security": "http://security.example/debian-security"})

    def test_no_configuration(self) -> None:
        self.assertEqual(self.etc(), {})

    def our_list(self, mirrors: dict[str, str]) -> str:
        """The launcher's sources list on a system with these mirrors."""
        self.patch(apt, "system_mirrors", lambda: mirrors)
        return apt.sources_list()

    def test_our_list_has_binaries_and_sources_of_the_systems_mirror(self) -> None:
        release = apt.codename()
        text = self.our_list({release: "http://list.example/debian"})
        for suite in (release, f"{release}-updates", f"{release}-backports"):
            for kind in ("deb", "deb-src"):
                self.assertRegex(text, rf"(?m)^{kind} \[signed-by=\S+\] http://list.example/debian {suite} main$")

    def test_a_cdrom_is_no_mirror(self) -> None:
        text = self.our_list({apt.codename(): "cdrom:[Debian]/"})
        self.assertNotIn("cdrom", text)
        self.assertIn("http://deb.debian.org/debian ", text)


class NoNetwork(LauncherTest):
    """A mirror that does not respond."""

    def setUp(self) -> None:
        super().setUp()
        self.own_cache()
        self.patch(packages, "ensure", lambda: None)
        self.patch(apt, "system_mirrors", lambda: {apt.codename(): UNREACHABLE,
                                                   f"{apt.codename()}-security": f"{UNREACHABLE}-security"})
        # A proxy would receive the request, and send an answer of its own.
        self.environment(no_proxy="127.0.0.1")

    def test_setup(self) -> None:
        code, said = main("setup")
        self.assertEqual(code, Exit.NETWORK, said)
        self.assertIn(UNREACHABLE, said)
        self.assertIn("Check the network", said)
        self.assertFalse(apt.index_stamp().exists(), "lists that were not fetched do not count")

    def test_lists_stay_usable_when_newer_ones_cannot_be_had(self) -> None:
        apt.index_stamp().parent.mkdir()
        apt.index_stamp().write_text(apt.sources_list(), encoding="utf-8")
        code, said = main("setup", "--refresh")
        self.assertEqual(code, Exit.NETWORK, said)
        apt.ensure_index()


class Downloads(LauncherTest):
    """Downloads, compared with the archive's index."""

    def setUp(self) -> None:
        super().setUp()
        self.own_cache()
        self.patch(apt, "ensure_index", lambda **_: None)
        self.data = b"a package"
        promised = apt.RemoteFile("p_1_all.deb", len(self.data), "SHA256", hashlib.sha256(self.data).hexdigest())
        self.patch(apt, "_remote_files", lambda argv: [promised])
        self.fetches = 0

    def deliver(self, data: bytes) -> None:
        """Makes later downloads return these bytes."""
        def run(argv: list[str], title: str, cwd: Path) -> None:
            self.fetches += 1
            (cwd / "p_1_all.deb").write_bytes(data)

        self.patch(apt, "_run_online", run)

    def test_fetched_once(self) -> None:
        self.deliver(self.data)
        self.assertEqual(apt.download("p").read_bytes(), self.data)
        apt.download("p")
        self.assertEqual(self.fetches, 1)

    def test_other_bytes(self) -> None:
        for data in (b"A package", b"a pack", b""):
            self.deliver(data)
            with self.subTest(data=data), self.assertRaises(LauncherError) as caught:
                apt.download("p")
            self.assertEqual(caught.exception.code, Exit.NETWORK)
            self.assertIn("p_1_all.deb", caught.exception.message)
        self.assertFalse(list((cache.root() / "apt" / "binary").rglob("*.deb")))
        self.deliver(self.data)
        self.assertEqual(apt.download("p").read_bytes(), self.data)

    def test_a_file_cut_short_is_fetched_again(self) -> None:
        folder = cache.root() / "apt" / "binary"
        folder.mkdir(parents=True)
        (folder / "p_1_all.deb").write_bytes(self.data[:-1])
        self.deliver(self.data)
        self.assertEqual(apt.download("p").read_bytes(), self.data)

    def test_full_disk(self) -> None:
        self.own_cache(self.small_disk(512) / "cache")
        self.deliver(bytes(1 << 20))
        with self.assertRaises(LauncherError) as caught:
            apt.download("p")
        self.assertEqual(caught.exception.code, Exit.DISK_FULL)

    def test_full_disk_of_another_program(self) -> None:
        with self.assertRaises(LauncherError) as caught:
            process.run_logged(["sh", "-c", "echo 'E: Write error - write (28: No space left on device)'; exit 100"],
                               "download", "test", code=Exit.NETWORK)
        self.assertEqual(caught.exception.code, Exit.DISK_FULL)


class NoKernel(LauncherTest):
    """An archive without the requested kernel."""

    def setUp(self) -> None:
        super().setUp()
        self.own_cache()
        self.patch(apt, "ensure_index", lambda **_: None)
        self.patch(packages, "ensure", lambda: None)
        apt.index_stamp().parent.mkdir()
        apt.index_stamp().touch()

    def check(self, code: int, said: str, *words: str) -> None:
        """Checks that the exit code is NO_KERNEL and that the message has these words."""
        self.assertEqual(code, Exit.NO_KERNEL, said)
        for word in ("6.1", "--refresh", *words):
            self.assertIn(word, said)

    def test_no_such_package(self) -> None:
        self.patch(apt, "show", lambda *_: {})
        self.check(*main("setup"), "linux-image-cloud-amd64")

    def test_another_series(self) -> None:
        self.patch(apt, "show", lambda *_: {"Depends": "linux-image-5.10.0-1-cloud-amd64 (= 5.10.1-1)"})
        self.check(*main("setup"), "linux-image-5.10.0-1-cloud-amd64")

    def test_a_kernel_that_was_removed_from_the_cache_is_looked_for_again(self) -> None:
        answer = cache.root() / "kernels" / "6.1.current"
        answer.parent.mkdir()
        answer.write_text(f"{self.folder}/gone 6.1.0-1\n", encoding="ascii")
        os.utime(answer)
        with mock.patch.object(kernel, "_from_archive", side_effect=LauncherError(Exit.PACKAGES, "asked")):
            self.check(*main("setup"), "asked")


if __name__ == "__main__":
    tap.main()
