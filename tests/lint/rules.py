# SPDX-License-Identifier: MIT
"""Rules for every file of the tree: licence, size, allowed includes, no paths of one machine.

Each rule takes a file's name and text and returns what is wrong with it, a line each. test_tree.py holds the tree to
them, test_rules.py holds them to samples that they must and must not find.
"""

import ast
import fnmatch
import re
from collections.abc import Iterator

LINES_MAX = 600
FUNCTION_LINES_MAX = 60

DEVICE = "GPL-2.0-or-later"
DRIVER = "GPL-2.0-only"
SHARED = "(GPL-2.0-only WITH Linux-syscall-note) OR MIT"
FREE = "MIT"

# The first match applies. The qtests have the device's licence; all other tests have the MIT licence.
LICENCES = [
    ("qemu-device/include/kvcpu_hw*.h", SHARED),
    ("guest-driver/uapi/*", SHARED),
    ("guest-driver/*", DRIVER),
    ("qemu-device/*", DEVICE),
    ("tests/qtest/*", DEVICE),
    ("docs/device-spec.md", DEVICE),
    ("docs/driver.md", DRIVER),
    ("*", FREE),
]
# Files whose format has no comment.
NO_LICENCE_LINE = ["LICENSES/*", "tests/fuzz/corpus/*", "*.jsonl", "*.json", "qemu-device/core/SOURCES"]
ANY_LENGTH = ["LICENSES/*", "*.jsonl", "docs/device-spec.md"]

# Folder: headers of other folders that its files may include.
CORE_API, UAPI = "kvcpu_core.h", "linux/kvcpu.h"
HW = {"kvcpu_hw.h", "kvcpu_hw_rings.h", "kvcpu_hw_log.h"}
INCLUDES = {
    "qemu-device/core": HW,
    "qemu-device/qemu": HW | {CORE_API},
    "guest-driver": HW | {UAPI},
    "guest-lib": HW | {UAPI},
}
# The library may use the core only through its C API, for the loopback transport.
CORE_API_USERS = ["guest-lib/src/*loopback*"]

_MACHINE_PATH = re.compile(r"(?:(?<![\w.$}/-])|(?<=-[IL]))/(?P<top>work|home|root|farm|Users)/[\w.]\S*")
# These run in the guest as root, so they may name root's home, which the launcher defines as initramfs.HOME.
GUEST_FILES = ["images/init", "tests/vm/*.c", "tests/vm/*.h", "tests/vm/*.sh"]


def matches(name: str, patterns: list[str]) -> bool:
    """Whether a file's name fits one of the patterns."""
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def licence_of(name: str) -> str:
    """The licence that a file must have."""
    return next(licence for pattern, licence in LICENCES if fnmatch.fnmatch(name, pattern))


def licence_line(name: str, text: str) -> list[str]:
    """The first three lines must have the right SPDX line."""
    if matches(name, NO_LICENCE_LINE) or not text:
        return []
    head = "\n".join(text.splitlines()[:3])
    found = re.search(r"SPDX-License-Identifier: (.*?)\s*(?:\*/|-->)?$", head, re.M)
    if found is None:
        return ["no SPDX line in the first three"]
    if found[1] != licence_of(name):
        return [f"its licence is {licence_of(name)}, and not {found[1]}"]
    return []


def length(name: str, text: str) -> list[str]:
    """Files have a limited number of lines."""
    lines = text.count("\n")
    if lines > LINES_MAX and not matches(name, ANY_LENGTH):
        return [f"{lines} lines; {LINES_MAX} is the most"]
    return []


def _functions(name: str, text: str) -> Iterator[tuple[str, int]]:
    """(name, lines) of functions: of Python, and of C whose brace opens in column 0. C++ is clang-tidy's."""
    if name.endswith(".py") or text.startswith("#!/usr/bin/env python3"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node.name, node.end_lineno - node.lineno + 1
    elif name.endswith(".c"):
        for body in re.finditer(r"^(?P<head>[^\n]*)\n\{\n(?P<body>.*?)^\}", text, re.M | re.S):
            yield body["head"], body["body"].count("\n") + 2


def function_lengths(name: str, text: str) -> list[str]:
    """Functions have a limited number of lines."""
    return [f"{function}: {lines} lines; {FUNCTION_LINES_MAX} is the most"
            for function, lines in _functions(name, text) if lines > FUNCTION_LINES_MAX]


def includes(name: str, text: str, headers: list[str]) -> list[str]:
    """The allowed includes between folders; `headers` are the names of the project's own headers."""
    folder = next((folder for folder in INCLUDES if name.startswith(folder + "/")), None)
    if folder is None or not name.endswith((".c", ".cpp", ".h")):
        return []
    allowed = set(INCLUDES[folder])
    if matches(name, CORE_API_USERS) or folder == "qemu-device/core":
        allowed.add(CORE_API)
    findings = []
    for included in re.findall(r'^\s*#\s*include\s*[<"]([^">]+)[">]', text, re.M):
        # QEMU's objects cannot have include folders of the project, so the adapter uses relative paths.
        plain = re.sub(r"^(\.\./(core|include)/)", "", included)
        homes = [header for header in headers if ("/" + header).endswith("/" + plain)]
        foreign = plain.startswith("linux/") and plain != UAPI
        if homes and not foreign and plain not in allowed and not any(home.startswith(folder + "/") for home in homes):
            findings.append(f"files of {folder} do not include {included}")
    return findings


def machine_paths(name: str, text: str) -> list[str]:
    """Files have no paths of one machine."""
    return [f"a path of some machine: {found[0]}" for found in _MACHINE_PATH.finditer(text)
            if not (found["top"] == "root" and matches(name, GUEST_FILES))]


def stands_alone(text: str) -> list[str]:
    """A header that includes nothing."""
    return [f"includes {line}" for line in re.findall(r"^\s*#\s*include\s*(.*)$", text, re.M)]
