#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the rules: samples that each must find, and must not find."""

import sys
import unittest

sys.dont_write_bytecode = True

import rules  # noqa: E402 (the line above comes first: the source tree stays clean)

HEADERS = ["qemu-device/core/kvcpu_core.h", "qemu-device/core/tiers.h", "qemu-device/include/kvcpu_hw.h",
           "qemu-device/qemu/trace.h", "guest-driver/kvcpu.h", "guest-driver/uapi/linux/kvcpu.h",
           "guest-lib/include/kvcpu/device.h", "guest-lib/tools/serving/trace.h"]
# In two parts, so that this file does not break the rule.
ROOT_HOME, WORK, HOME = "/ro" "ot/", "/wo" "rk/", "/ho" "me/"


class Rules(unittest.TestCase):
    def finds(self, findings: list[str], *words: str) -> None:
        """Checks for exactly one finding, with this text."""
        self.assertEqual(len(findings), 1, findings)
        for word in words:
            self.assertIn(word, findings[0])

    def test_licences(self) -> None:
        for name, licence in (("guest-driver/kvcpu_pci.c", "GPL-2.0-only"), ("guest-driver/Kbuild", "GPL-2.0-only"),
                              ("guest-driver/uapi/linux/kvcpu.h", rules.SHARED),
                              ("qemu-device/core/core.cpp", "GPL-2.0-or-later"),
                              ("qemu-device/include/kvcpu_hw.h", rules.SHARED),
                              ("tests/qtest/test_dma.py", "GPL-2.0-or-later"), ("tests/unit/core/main.cpp", "MIT"),
                              ("guest-lib/src/batch.cpp", "MIT"), ("README.md", "MIT")):
            with self.subTest(file=name):
                for line in (f"/* SPDX-License-Identifier: {licence} */\n", f"# SPDX-License-Identifier: {licence}\n",
                             f"#!/bin/sh\n# SPDX-License-Identifier: {licence}\n",
                             f"<!-- SPDX-License-Identifier: {licence} -->\n"):
                    self.assertEqual(rules.licence_line(name, line), [])
                self.finds(rules.licence_line(name, "# SPDX-License-Identifier: Apache-2.0\n"), licence, "Apache-2.0")
                self.finds(rules.licence_line(name, "int x;\n"), "no SPDX line")
                self.finds(rules.licence_line(name, f"\n\n\n// SPDX-License-Identifier: {licence}\n"), "no SPDX line")

    def test_licence_of_a_neighbour_is_not_good_enough(self) -> None:
        self.finds(rules.licence_line("guest-driver/kvcpu_pci.c", "// SPDX-License-Identifier: GPL-2.0-or-later\n"))
        self.finds(rules.licence_line("guest-driver/uapi/linux/kvcpu.h", "/* SPDX-License-Identifier: MIT */\n"))

    def test_files_without_comments(self) -> None:
        self.assertEqual(rules.licence_line("tests/data/sample-trace.jsonl", "{}\n"), [])

    def test_lengths(self) -> None:
        self.assertEqual(rules.length("guest-lib/src/a.cpp", "x\n" * 600), [])
        self.finds(rules.length("guest-lib/src/a.cpp", "x\n" * 601), "601")
        self.assertEqual(rules.length("tests/data/a.jsonl", "x\n" * 6000), [])

    def test_function_lengths_of_python(self) -> None:
        def text(lines: int) -> str:
            return "def short():\n    pass\n\n\nclass X:\n    def long(self):\n" + "        pass\n" * (lines - 1)
        self.assertEqual(rules.function_lengths("images/launcher/a.py", text(60)), [])
        self.finds(rules.function_lengths("images/launcher/a.py", text(61)), "long", "61")
        self.finds(rules.function_lengths("qemu-device/build-qemu", "#!/usr/bin/env python3\n" + text(61)), "long")

    def test_function_lengths_of_c(self) -> None:
        def text(lines: int) -> str:
            return "int short(void)\n{\n\treturn 1;\n}\n\nint longer(void)\n{\n" + "\tx();\n" * (lines - 2) + "}\n"
        self.assertEqual(rules.function_lengths("guest-driver/a.c", text(60)), [])
        self.finds(rules.function_lengths("guest-driver/a.c", text(61)), "longer", "61")

    def test_includes(self) -> None:
        for name, line in (("qemu-device/core/core.cpp", "tiers.h"), ("qemu-device/core/core.cpp", "kvcpu_core.h"),
                           ("qemu-device/core/core.cpp", "kvcpu_hw.h"), ("qemu-device/core/core.cpp", "vector"),
                           ("qemu-device/qemu/kvcpu.c", "../core/kvcpu_core.h"),
                           ("qemu-device/qemu/kvcpu.c", "qemu/osdep.h"),
                           ("guest-driver/kvcpu_pci.c", "linux/pci.h"),
                           ("guest-driver/kvcpu_pci.c", "linux/kvcpu.h"),
                           ("guest-lib/src/loopback_transport.cpp", "kvcpu_core.h"),
                           ("tests/unit/core/main.cpp", "kvcpu_core.h")):
            with self.subTest(file=name, includes=line):
                self.assertEqual(rules.includes(name, f'#include "{line}"\n', HEADERS), [])
        for name, line in (("qemu-device/core/core.cpp", "linux/kvcpu.h"),
                           ("qemu-device/core/core.cpp", "kvcpu/device.h"),
                           ("qemu-device/qemu/kvcpu.c", "../core/tiers.h"),
                           ("qemu-device/qemu/kvcpu.c", "linux/kvcpu.h"),
                           ("guest-driver/kvcpu_pci.c", "kvcpu_core.h"),
                           ("guest-lib/src/device.cpp", "kvcpu_core.h"),
                           ("guest-lib/src/loopback_transport.cpp", "tiers.h"),
                           ("guest-lib/tools/kvctl.cpp", "kvcpu_core.h")):
            with self.subTest(file=name, includes=line):
                self.finds(rules.includes(name, f"#  include <{line}>\n", HEADERS), line)

    def test_machine_paths(self) -> None:
        for text in (f'"{WORK}shared/trace"', f"see {HOME}someone/x", f'FILE = "{ROOT_HOME}trace.jsonl"',
                     f"-I{WORK}main", "(/Us" "ers/me/x)", "/fa" "rm/x"):
            with self.subTest(text=text):
                self.finds(rules.machine_paths("images/launcher/demo.py", text), "/")
        for text in ('HOME = "/ro' 'ot"', f"https://example.org{HOME}x", f"$top{WORK}x", f"../shared{WORK}x",
                     f'f"{{HOME}}{WORK}x"', "/usr/share/x", "/tmp/x", "framework/home"):
            with self.subTest(text=text):
                self.assertEqual(rules.machine_paths("images/launcher/demo.py", text), [])

    def test_the_guests_home_is_the_guests_to_name(self) -> None:
        for name in ("images/init", "tests/vm/vm_uapi.c"):
            with self.subTest(file=name):
                self.assertEqual(rules.machine_paths(name, f"cat {ROOT_HOME}trace.jsonl"), [])
                self.finds(rules.machine_paths(name, f"cat {WORK}trace.jsonl"), WORK)
        for name in ("images/launcher/run.py", "tests/vm/vm_tests.py", "docs/driver.md", "kvcpu"):
            with self.subTest(file=name):
                self.finds(rules.machine_paths(name, f"cat {ROOT_HOME}trace.jsonl"), ROOT_HOME)

    def test_every_path_is_found(self) -> None:
        self.assertEqual(len(rules.machine_paths("a.py", f"{WORK}a {WORK}b\n{HOME}c")), 3)

    def test_stands_alone(self) -> None:
        self.assertEqual(rules.stands_alone("#define X 1\n/* #include is for others */\n"), [])
        self.finds(rules.stands_alone("#define X 1\n #include <stdint.h>\n"), "stdint.h")


if __name__ == "__main__":
    unittest.main()
