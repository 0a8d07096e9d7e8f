# SPDX-License-Identifier: MIT
"""Where things are in the source tree, and what its contract header says."""

import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / "build"
IMAGES = TOP / "images"
DRIVER = TOP / "guest-driver"
HARDWARE_INCLUDE = TOP / "qemu-device" / "include"
BUILD_QEMU = TOP / "qemu-device" / "build-qemu"
SAMPLE_TRACE = TOP / "tests" / "data" / "sample-trace.jsonl"


def policies() -> list[str]:
    """Names of the placement policies, as the hardware contract lists them."""
    header = (HARDWARE_INCLUDE / "kvcpu_hw.h").read_text(encoding="utf-8")
    listed = re.search(r"#define KVCPU_POLICIES\(X\)((?:.*\\\n)*.*)", header)
    return re.findall(r'X\(\w+, \d+, "([^"]+)"\)', listed[1])


def build_files() -> list[Path]:
    """The files that the native build is configured from."""
    below = [path for folder in ("qemu-device", "guest-lib", "tests") for path in (TOP / folder).rglob("meson.build")]
    return [TOP / "meson.build", TOP / "meson_options.txt", *below]


def version() -> str:
    """The project's version, as its build file gives it."""
    found = re.search(r"^\s*version: '([^']+)'", (TOP / "meson.build").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1]
