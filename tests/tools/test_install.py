#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An installation of the library: its files, and the examples of docs/library.md, which build on it and run.

usage: test_install.py BUILD_FOLDER LIBRARY_MD
"""

import re
import shlex
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BUILD = Path()
PAGE = Path()
HEADERS = ("await", "batch", "device", "entry", "kvcpu", "kvcpu_queue", "queue", "queue_link", "ring", "transport")
HEADERS_IN_C = ("kvcpu", "kvcpu_queue")
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O2"]


def run(*command: object, **options: object) -> str:
    done = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def examples(language: str) -> list[str]:
    """The page's programs in a language, "c" or "cpp"."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", cls.folder)
        descriptions = list(cls.folder.rglob("kvcpu.pc"))
        assert len(descriptions) == 1, descriptions
        cls.pkgconfig = descriptions[0].parent
        cls.prefix = cls.folder / re.search(r"^prefix=/(.*)$", descriptions[0].read_text(encoding="utf-8"), re.M)[1]

    def flags(self, *what: str) -> list[str]:
        said = run("pkg-config", f"--define-variable=prefix={self.prefix}", *what, "kvcpu",
                   env={"PATH": "/usr/bin:/bin", "PKG_CONFIG_LIBDIR": str(self.pkgconfig)})
        return shlex.split(said)

    def test_what_is_there(self):
        there = {str(path.relative_to(self.prefix)) for path in self.prefix.rglob("*") if path.is_file()}
        for name in (*(f"kvcpu/{name}.h" for name in HEADERS), "kvcpu_hw.h", "kvcpu_hw_rings.h", "linux/kvcpu.h"):
            self.assertIn(f"include/{name}", there)
        for name in ("bin/kvctl", "bin/kvcpu-replay", "bin/kvcpu-sim"):
            self.assertIn(name, there)
        self.assertTrue(any(name.endswith("/libkvcpu.a") for name in there))
        # No other file: no test program, and no build product.
        self.assertEqual(len(there), 18, sorted(there))

    def test_tools_run(self):
        self.assertIn("block_size", run(self.prefix / "bin/kvctl", "--loopback", "info"))

    def test_version(self):
        version = re.search(r"^\s*version: '([^']+)'", (PAGE.parents[1] / "meson.build").read_text(encoding="utf-8"),
                            re.M)[1]
        self.assertEqual(self.flags("--modversion"), [version])

    def build_and_run(self, compiler: list[str], name: str, text: str) -> str:
        source, program = self.folder / name, self.folder / (name + ".out")
        source.write_text(text, encoding="utf-8")
        run(*compiler, *STRICT, source, "-o", program, *self.flags("--cflags", "--libs"))
        return run(program)

    def check_examples(self, language: str, compiler: list[str], expected: list[str]) -> None:
        """Each example compiles without a warning and prints what is expected of it."""
        programs = examples(language)
        self.assertEqual(len(programs), len(expected))
        for number, (text, says) in enumerate(zip(programs, expected, strict=True)):
            with self.subTest(language=language, number=number):
                self.assertEqual(self.build_and_run(compiler, f"example{number}.{language}", text), says)

    def test_the_examples_in_cpp(self):
        self.check_examples("cpp", ["c++", "-std=c++20"],
                            ["SEAL applied to 1 block\nread back: the same\n",
                             "PINs: 2, waited: 1\ncommands with status SUCCESS: 5\n",
                             "the block is fast\nread back: the same\n",
                             "pinned 8 blocks; 0 commands failed\n"])

    def test_the_examples_in_c(self):
        self.check_examples("c", ["cc", "-std=c11"],
                            ["PIN 7: SUCCESS: done\nread back: the same\n",
                             "request 7: SUCCESS: done\nin the fast tier: 2 of 4\n"])

    def test_no_example_is_left_out(self):
        marks = set(re.findall(r"^```(\S+)$", PAGE.read_text(encoding="utf-8"), re.M))
        self.assertEqual(marks, {"c", "cpp"})

    def test_every_header_stands_alone(self):
        for name in HEADERS:
            with self.subTest(header=name):
                self.build_and_run(["c++", "-std=c++20"], "alone.cpp",
                                   f"#include <kvcpu/{name}.h>\nint main() {{ return 0; }}\n")
        for name in HEADERS_IN_C:
            with self.subTest(header=name, language="C"):
                self.build_and_run(["cc", "-std=c99"], "alone.c",
                                   f"#include <kvcpu/{name}.h>\nint main(void) {{ return 0; }}\n")


if __name__ == "__main__":
    BUILD, PAGE = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
    unittest.main()
