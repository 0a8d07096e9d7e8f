# SPDX-License-Identifier: MIT
"""Runs one of the tools, and checks its output."""

import subprocess
import unittest
from pathlib import Path


class ToolTest(unittest.TestCase):
    """A test of the program at `tool`."""

    tool = Path()

    def run_tool(self, *arguments: object, text: str = "") -> subprocess.CompletedProcess:
        """Runs the tool with `text` on its standard input."""
        return subprocess.run([self.tool, *map(str, arguments)], input=text, capture_output=True, text=True,
                              check=False, timeout=120)

    def output(self, *arguments: object, text: str = "") -> str:
        """The stdout of a successful run without stderr."""
        done = self.run_tool(*arguments, text=text)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def refusal(self, status: int, *arguments: object, text: str = "") -> str:
        """The stderr of a run that ends with that status."""
        done = self.run_tool(*arguments, text=text)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertNotEqual(done.stderr, "")
        return done.stderr
