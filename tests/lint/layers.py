#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that includes point downwards between folders and form no circle between files.

usage: layers.py SOURCE_ROOT
"""

import pathlib
import re
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.graph import circle  # noqa: E402 (the lines above come first: the source tree stays clean)

ROOT = pathlib.Path()

# Lowest floor first. A file includes files of its own floor or of a lower one.
FLOORS = {
    "qemu-device/core": ["util", "state", "queues", "placement", "transfer", "commands", "."],
    "guest-lib": ["include", "src", "tools/common", "tools/serving", "tools"],
}
# Interfaces: these headers include nothing of the tree's but interfaces, so every floor may include them.
INTERFACES = {"kvcpu_core.h", "kvcpu_hw.h", "kvcpu_hw_rings.h", "kvcpu_hw_log.h", "linux/kvcpu.h"}

_INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]', re.M)


def include_graph(files: dict[str, str]) -> dict[str, set[str]]:
    """The project's files that each file includes; names are relative to the folder under test."""
    graph: dict[str, set[str]] = {}
    for name, text in files.items():
        graph[name] = set()
        for included in _INCLUDE.findall(text):
            if included in INTERFACES:
                continue
            beside = str(pathlib.PurePosixPath(name).parent / included)
            # An include folder may be any folder of the tree, so a name that is not beside the file can be anywhere.
            found = [beside] if beside in files else [file for file in files if f"/{file}".endswith(f"/{included}")]
            graph[name].update(found)
    return graph


def units(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same graph with NAME.h and NAME.cpp as one node."""
    merged: dict[str, set[str]] = {}
    for name, included in graph.items():
        unit = name.rsplit(".", 1)[0]
        merged.setdefault(unit, set()).update(other.rsplit(".", 1)[0] for other in included)
        merged[unit].discard(unit)
    return merged


def floor_of(name: str, floors: list[str]) -> int:
    """The index of the most specific floor that holds the file."""
    holding = [floor for floor in floors if floor == "." or name.startswith(floor + "/")]
    return floors.index(max(holding, key=len))


def upward(graph: dict[str, set[str]], floors: list[str]) -> list[str]:
    """Every include of a file on a higher floor."""
    return [f"{name} includes {other}, which is on a higher floor" for name in sorted(graph)
            for other in sorted(graph[name]) if floor_of(other, floors) > floor_of(name, floors)]


class Checks(unittest.TestCase):
    """Samples that the checks must find, and must not find."""

    def test_circle(self) -> None:
        self.assertEqual(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}), ["a", "b", "c"])
        self.assertEqual(circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}), [])

    def test_upward(self) -> None:
        files = {"util/x.h": '#include "state/y.h"\n', "state/y.h": '#include "util/z.h"\n', "util/z.h": "",
                 "top.h": ""}
        graph = include_graph(files)
        self.assertEqual(upward(graph, ["util", "state", "."]),
                         ["util/x.h includes state/y.h, which is on a higher floor"])
        self.assertEqual(floor_of("top.h", ["util", "state", "."]), 2)

    def test_include_folders(self) -> None:
        files = {"tools/serving/a.h": '#include "b.h"\n#include <c.h>\n', "tools/sim/b.h": "", "tools/sim/c.h": "",
                 "tools/serving/c.h": ""}
        self.assertEqual(include_graph(files)["tools/serving/a.h"], {"tools/sim/b.h", "tools/serving/c.h"})

    def test_header_and_source_are_one_unit(self) -> None:
        graph = include_graph({"a.h": "", "a.cpp": '#include "a.h"\n#include "b.h"\n', "b.h": '#include "a.h"\n'})
        self.assertEqual(circle(graph), [])
        self.assertEqual(circle(units(graph)), ["a", "b"])


class Folders(unittest.TestCase):
    """Checks the order of every folder of FLOORS."""

    def test_folders(self) -> None:
        for folder, floors in FLOORS.items():
            top = ROOT / folder
            files = {str(path.relative_to(top)): path.read_text(encoding="utf-8")
                     for path in sorted(top.rglob("*")) if path.suffix in (".h", ".cpp", ".c")}
            graph = include_graph(files)
            with self.subTest(folder=folder):
                self.assertGreater(sum(map(len, graph.values())), 50, "too few includes were understood")
                self.assertEqual(upward(graph, floors), [])
                self.assertEqual(circle(units(graph)), [])


if __name__ == "__main__":
    ROOT = pathlib.Path(sys.argv[1])
    unittest.main(argv=sys.argv[:1])
