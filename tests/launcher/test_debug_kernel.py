#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The build of the debug kernel, without a kernel: refusals, and no files after a failure. TAP."""

import unittest
from pathlib import Path

from harness import LauncherTest
from launcher import apt, debugkernel, kernel, testing
from launcher.errors import Exit, LauncherError
from support import tap

_VERSION = "6.1.1-1"


class Build(LauncherTest):
    """Each step of the build fails in turn."""

    def setUp(self) -> None:
        super().setUp()
        self.root = self.own_cache()
        self.patch(apt, "show", lambda _package: {"Version": _VERSION})
        self.patch(debugkernel, "_extract", Path.mkdir)
        self.patch(debugkernel, "_spare_shadow", lambda _source: None)

    def refused(self) -> LauncherError:
        """The error of the build; no file of it may remain."""
        with self.assertRaises(LauncherError) as caught:
            debugkernel.kernel()
        left = [path.name for path in (self.root / "debug-kernels").iterdir() if not path.name.endswith(".lock")]
        self.assertEqual(left, [])
        return caught.exception

    def test_not_in_the_archive(self) -> None:
        self.patch(apt, "show", lambda _package: {})
        with self.assertRaises(LauncherError) as caught:
            debugkernel.kernel()
        self.assertEqual(caught.exception.code, Exit.NO_KERNEL)

    def test_no_makefile(self) -> None:
        error = self.refused()
        self.assertEqual(error.code, Exit.BUILD_FAILED)
        self.assertIsNotNone(error.log)

    def test_option_that_kconfig_drops(self) -> None:
        def configure(source: Path, _title: str, *_arguments: str) -> None:
            taken = (source / "debug.config").read_text(encoding="utf-8")
            (source / ".config").write_text(taken.replace("CONFIG_KASAN=y\n", ""), encoding="utf-8")

        self.patch(debugkernel, "_make", configure)
        error = self.refused()
        self.assertEqual(error.code, Exit.BUILD_FAILED)
        self.assertIn("CONFIG_KASAN=y", error.message)
        self.assertNotIn("CONFIG_PROVE_LOCKING=y", error.message)


class Suites(unittest.TestCase):
    """The kernels that a test run needs."""

    def test_kernels(self) -> None:
        series, debug = list(kernel.SELECTORS), debugkernel.SELECTOR
        for suites, wanted in ((["unit"], []), (["vm"], series), (["driver", "unit"], series), (["vm-debug"], [debug]),
                               (["vm-debug", "vm-replay"], [*series, debug])):
            with self.subTest(suites=suites):
                self.assertEqual(testing._kernels_for(suites), wanted)


if __name__ == "__main__":
    tap.main()
