# SPDX-License-Identifier: MIT
"""`setup` and `build`: what has to be there before anything runs."""

import argparse

from . import apt, build, packages, progress
from .errors import Exit
from .kernel import SELECTORS, kernel


def setup(options: argparse.Namespace) -> int:
    """`./kvcpu setup`: packages, package lists, guest kernels."""
    packages.ensure()
    apt.ensure_index(refresh=options.refresh)
    for selector in SELECTORS:
        found = kernel(selector)
        progress.say(f"guest kernel {selector}: {found.release}")
    return Exit.OK


def build_all(options: argparse.Namespace) -> int:
    """`./kvcpu build`: QEMU, the native build, the guest images."""
    packages.ensure()
    built = build.products()
    if not options.tools_only:
        build.native()
    print(f"QEMU      {built.qemu}")
    for tool in built.tools:
        print(f"tool      {tool}")
    for selector in options.kernel:
        image = build.image(selector, built)
        print(f"kernel    {image.kernel.vmlinuz}")
        print(f"initramfs {image.initramfs}")
    return Exit.OK
