# SPDX-License-Identifier: MIT
"""Running one of the tools, and looking at what it said."""

import subprocess
import unittest
from pathlib import Path


class ToolTest(unittest.TestCase):
    """A test of the program at `tool`."""

    tool = Path()

    def run_tool(self, *arguments: object, text: str = "") -> subprocess.CompletedProcess:
        """Its outcome, with `text` on its standard input."""
        return subprocess.run([self.tool, *map(str, arguments)], input=text, capture_output=True, text=True,
                              check=False, timeout=120)

    def output(self, *arguments: object, text: str = "") -> str:
        """What it prints where it succeeds, and says nothing on stderr."""
        done = self.run_tool(*arguments, text=text)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def refusal(self, status: int, *arguments: object, text: str = "") -> str:
        """What it complains of where it ends with that status."""
        done = self.run_tool(*arguments, text=text)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertNotEqual(done.stderr, "")
        return done.stderr
