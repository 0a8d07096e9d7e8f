#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks every file of the tree against the rules.

usage: test_tree.py SOURCE_ROOT
"""

import pathlib
import sys
import unittest
from collections.abc import Callable

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import rules  # noqa: E402 (the lines above come first: the source tree stays clean)
from support.sources import tracked  # noqa: E402

ROOT = pathlib.Path()


class Tree(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.names = tracked(ROOT)
        cls.texts = {}
        for name in cls.names:
            try:
                cls.texts[name] = (ROOT / name).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue

    def hold(self, rule: Callable[..., list[str]], *others: object) -> None:
        for name, text in self.texts.items():
            with self.subTest(file=name):
                self.assertEqual(rule(name, text, *others), [])

    def test_something_is_checked(self) -> None:
        self.assertIn("qemu-device/include/kvcpu_hw.h", self.texts)

    def test_licence_lines(self) -> None:
        self.hold(rules.licence_line)

    def test_licence_texts(self) -> None:
        for licence in ("GPL-2.0-only", "GPL-2.0-or-later", "MIT", "Linux-syscall-note"):
            self.assertIn(f"LICENSES/{licence}.txt", self.names)

    def test_lengths(self) -> None:
        self.hold(rules.length)

    def test_function_lengths(self) -> None:
        self.hold(rules.function_lengths)

    def test_includes(self) -> None:
        self.hold(rules.includes, [name for name in self.names if name.endswith((".h", ".hpp"))])

    def test_hardware_headers_stand_alone(self) -> None:
        for name in sorted(rules.HW):
            with self.subTest(file=name):
                self.assertEqual(rules.stands_alone(self.texts[f"qemu-device/include/{name}"]), [])

    def test_no_machine_paths(self) -> None:
        self.hold(rules.machine_paths)


if __name__ == "__main__":
    ROOT = pathlib.Path(sys.argv[1])
    unittest.main(argv=sys.argv[:1])
