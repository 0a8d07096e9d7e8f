#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rules every file of the tree keeps: licence, size, who may include whom, no machine's paths.

usage: test_tree.py SOURCE_ROOT
"""

import ast
import fnmatch
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path()

LINES_MAX = 600
FUNCTION_LINES_MAX = 60

DEVICE = "GPL-2.0-or-later"
DRIVER = "GPL-2.0-only"
SHARED = "(GPL-2.0-only WITH Linux-syscall-note) OR MIT"
FREE = "MIT"

# First match wins.
LICENCES = [
    ("qemu-device/include/kvcpu_hw.h", SHARED),
    ("guest-driver/uapi/*", SHARED),
    ("guest-driver/*", DRIVER),
    ("qemu-device/*", DEVICE),
    ("tests/unit/core*", DEVICE),
    ("tests/qtest/*", DEVICE),
    ("tests/bench/*", DEVICE),
    ("docs/device-spec.md", DEVICE),
    ("docs/driver.md", DRIVER),
    ("*", FREE),
]
# Files whose format has no comment.
NO_LICENCE_LINE = ["LICENSES/*", "*.jsonl", "*.json", "qemu-device/core/SOURCES"]

# Folder: the project's headers that its files may include, beside those of the folder itself.
SEAM, HW, UAPI = "kvcpu_core.h", "kvcpu_hw.h", "linux/kvcpu.h"
INCLUDES = {
    "qemu-device/core": {HW},
    "qemu-device/qemu": {HW, SEAM},
    "guest-driver": {HW, UAPI},
    "guest-lib": {HW, UAPI},
}
# The library may reach the core through the seam, for its loopback transport alone.
SEAM_USERS = ["guest-lib/src/*loopback*"]

MACHINE_PATH = re.compile(r"""(?<![\w.$}/-])/(work|home|root|farm|Users)/[\w.]""")
MACHINE_PATH_ALLOWED = ["tests/tree/test_tree.py", "LICENSES/*"]


def tracked():
    names = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others",
                            "--exclude-standard"],
                           check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted(name for name in names if name and (ROOT / name).is_file())


def matches(name, patterns):
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def licence_of(name):
    return next(licence for pattern, licence in LICENCES if fnmatch.fnmatch(name, pattern))


def functions(name, text):
    """Yields (name, lines) of functions: of Python, and of C whose brace opens in column 0."""
    if name.endswith(".py") or text.startswith("#!/usr/bin/env python3"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node.name, node.end_lineno - node.lineno + 1
    elif name.endswith(".c"):
        for body in re.finditer(r"^(?P<head>[^\n]*)\n\{\n(?P<body>.*?)^\}", text, re.M | re.S):
            yield body["head"], body["body"].count("\n") + 2


class Tree(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.names = tracked()
        cls.texts = {}
        for name in cls.names:
            try:
                cls.texts[name] = (ROOT / name).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue

    def test_something_is_checked(self):
        self.assertIn("qemu-device/include/kvcpu_hw.h", self.texts)

    def test_licence_lines(self):
        for name, text in self.texts.items():
            if matches(name, NO_LICENCE_LINE) or not text:
                continue
            with self.subTest(file=name):
                head = "\n".join(text.splitlines()[:3])
                found = re.search(r"SPDX-License-Identifier: (.*?)\s*(?:\*/|-->)?$", head, re.M)
                self.assertIsNotNone(found, "no SPDX line in the first three")
                self.assertEqual(found.group(1), licence_of(name))

    def test_licence_texts(self):
        for licence in ("GPL-2.0-only", "GPL-2.0-or-later", "MIT", "Linux-syscall-note"):
            self.assertIn(f"LICENSES/{licence}.txt", self.names)

    def test_sizes(self):
        for name, text in self.texts.items():
            if matches(name, ["LICENSES/*", "*.jsonl", "docs/device-spec.md"]):
                continue
            with self.subTest(file=name):
                self.assertLessEqual(text.count("\n"), LINES_MAX)

    def test_function_sizes(self):
        for name, text in self.texts.items():
            for function, lines in functions(name, text):
                with self.subTest(file=name, function=function):
                    self.assertLessEqual(lines, FUNCTION_LINES_MAX)

    def test_includes(self):
        headers = [name for name in self.names if name.endswith((".h", ".hpp"))]
        for folder, allowed in INCLUDES.items():
            for name, text in self.texts.items():
                if not name.startswith(folder + "/") or not name.endswith((".c", ".cpp", ".h")):
                    continue
                extra = {SEAM} if matches(name, SEAM_USERS) or folder == "qemu-device/core" else set()
                for included in re.findall(r'^\s*#\s*include\s*[<"]([^">]+)[">]', text, re.M):
                    # QEMU's objects may get no include folders of ours, so the adapter spells the way.
                    plain = re.sub(r"^(\.\./(core|include)/)", "", included)
                    homes = [header for header in headers if ("/" + header).endswith("/" + plain)]
                    if not homes or any(home.startswith(folder + "/") for home in homes):
                        continue
                    if plain.startswith("linux/") and plain != UAPI:
                        continue
                    with self.subTest(file=name, includes=included):
                        self.assertIn(plain, allowed | extra)

    def test_hardware_header_stands_alone(self):
        self.assertNotRegex(self.texts["qemu-device/include/kvcpu_hw.h"], r"#\s*include")

    def test_no_machine_paths(self):
        for name, text in self.texts.items():
            if matches(name, MACHINE_PATH_ALLOWED):
                continue
            with self.subTest(file=name):
                self.assertIsNone(MACHINE_PATH.search(text))


if __name__ == "__main__":
    ROOT = pathlib.Path(sys.argv[1])
    unittest.main(argv=sys.argv[:1])
