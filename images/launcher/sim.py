# SPDX-License-Identifier: MIT
"""`sim`: the simulator, brought up to date and given its arguments."""

import argparse
import subprocess

from . import build, packages, process, tree

_TOOL = tree.BUILD / "guest-lib" / "kvcpu-sim"


def sim(options: argparse.Namespace) -> int:
    """`./kvcpu sim ARGS`: kvcpu-sim with these arguments; its exit status."""
    packages.ensure()
    build.native(str(_TOOL.relative_to(tree.BUILD)))
    return process.exit_status(subprocess.run([_TOOL, *options.arguments], check=False).returncode)
