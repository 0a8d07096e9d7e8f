#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The driver's files form layers: the graph "a file uses a function of another file" has no circle.

usage: driver_layers.py SOURCE_ROOT

The graph has symbols, not includes. A symbol is a function or a variable with external linkage that a file defines in
column 0; a file uses it if its code has the identifier. The documentation of the driver lists the files in layer order,
and the order there is checked against the same graph.
"""

import re
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.graph import circle  # noqa: E402 (the lines above come first: the source tree stays clean)

ROOT = Path()

Graph = dict[str, dict[str, list[str]]]

_NO_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|^[ \t]*#[ \t]*include[^\n]*', re.S | re.M)
_FUNCTION = re.compile(r"^(?P<head>[A-Za-z_][^\n;{}=()]*?)\b(?P<name>\w+)\([^;{}]*\)\n\{", re.M)
_VARIABLE = re.compile(r"^(?P<head>[A-Za-z_][^\n;{}=()]*?)\b(?P<name>\w+)(?:\[[^\]\n]*\])*(?: =[^=]|;)", re.M)
# The other words that begin a line in column 0 and end in a semicolon: declarations and types.
_NO_DEFINITION = re.compile(r"\b(static|extern|typedef)\b")
_FORWARD = re.compile(r"^(struct|enum|union)\s*$")


def code_of(text: str) -> str:
    """The text without comments, strings and includes."""
    return _NO_CODE.sub(" ", text)


def definitions(code: str) -> set[str]:
    """Names of functions and variables with external linkage that a file defines."""
    return {found["name"] for pattern in (_FUNCTION, _VARIABLE) for found in pattern.finditer(code)
            if not _NO_DEFINITION.search(found["head"]) and not _FORWARD.match(found["head"])
            and found["head"].strip()}


def symbol_graph(texts: dict[str, str]) -> Graph:
    """For each file, the files that it uses symbols of, and these symbols."""
    code = {name: code_of(text) for name, text in texts.items()}
    homes = {symbol: name for name, text in code.items() for symbol in definitions(text)}
    graph: Graph = {}
    for name, text in code.items():
        used: dict[str, list[str]] = {}
        for word in sorted(set(re.findall(r"\b[A-Za-z_]\w*\b", text))):
            home = homes.get(word, name)
            if home != name:
                used.setdefault(home, []).append(word)
        graph[name] = used
    return graph


def described(graph: Graph, files: list[str]) -> str:
    """A circle in words: each use, and the symbols of it."""
    uses = [(file, files[(i + 1) % len(files)]) for i, file in enumerate(files)]
    return "circle of files: " + "; ".join(f"{user} uses {', '.join(graph[user][used])} of {used}"
                                           for user, used in uses)


def upward(graph: Graph, order: list[str]) -> list[str]:
    """Uses of a file by a file that the order has below it; `order` begins at the top."""
    place = {name: i for i, name in enumerate(order)}
    return [f"{user} uses {', '.join(symbols)} of {used}, which is above it"
            for user in order for used, symbols in graph[user].items() if place[used] < place[user]]


SAMPLE = {
    "top.c": '#include "low.h"\n/* calls back() */\nint top(void)\n{\n\treturn middle(1);\n}\n',
    "middle.c": ("static int helper(int x)\n{\n\treturn low_table[x];\n}\n\n"
                 "int middle(int x,\n\t   int y)\n{\n\tputs(\"top()\");\n\treturn helper(x);\n}\n"),
    "low.c": "struct other;\nextern int elsewhere;\nconst int low_table[] = { 1, 2 };\n\nvoid low(void)\n{\n}\n",
}


class SelfTest(unittest.TestCase):
    """The check finds what it must find."""

    def test_sample_without_circle(self) -> None:
        graph = symbol_graph(SAMPLE)
        self.assertEqual(graph, {"top.c": {"middle.c": ["middle"]}, "middle.c": {"low.c": ["low_table"]}, "low.c": {}})
        self.assertEqual(circle(graph), [])
        self.assertEqual(upward(graph, ["top.c", "middle.c", "low.c"]), [])
        self.assertEqual(len(upward(graph, ["middle.c", "top.c", "low.c"])), 1)

    def test_planted_circle(self) -> None:
        graph = symbol_graph({**SAMPLE, "low.c": SAMPLE["low.c"].replace("{\n}", "{\n\ttop();\n}")})
        found = circle(graph)
        self.assertEqual(sorted(found), ["low.c", "middle.c", "top.c"])
        self.assertIn("low.c uses top of top.c", described(graph, found))

    def test_function_pointer_counts(self) -> None:
        graph = symbol_graph({"a.c": "int a(void)\n{\n\treturn call(b);\n}\n", "b.c": "int b(void)\n{\n\ta();\n}\n"})
        self.assertEqual(sorted(circle(graph)), ["a.c", "b.c"])

    def test_static_symbols_do_not_count(self) -> None:
        graph = symbol_graph({"a.c": "static int x(void)\n{\n\treturn 1;\n}\n", "b.c": "int b(void)\n{\n\tx();\n}\n"})
        self.assertEqual(graph["b.c"], {})


class Driver(unittest.TestCase):
    """The driver itself."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.texts = {file.name: file.read_text(encoding="utf-8")
                     for file in sorted((ROOT / "guest-driver").glob("*.c")) if not file.name.endswith(".mod.c")}
        cls.graph = symbol_graph(cls.texts)

    def test_graph_is_complete(self) -> None:
        """Every function that a header of the driver declares is defined by a file of the graph."""
        defined = {symbol for text in self.texts.values() for symbol in definitions(code_of(text))}
        declared = {name for header in (ROOT / "guest-driver").glob("*.h")
                    for name in re.findall(r"^[A-Za-z_][^\n;{}=()]*?\b(kvcpu_\w+)\([^;{}]*\);",
                                           code_of(header.read_text(encoding="utf-8")), re.M)}
        self.assertGreater(len(declared), 50)
        self.assertEqual(declared - defined, set())

    def test_no_circle(self) -> None:
        found = circle(self.graph)
        self.assertEqual(found, [], described(self.graph, found))

    def test_kbuild_lists_every_file(self) -> None:
        text = (ROOT / "guest-driver" / "Kbuild").read_text(encoding="utf-8").replace("\\\n", " ")
        listed = " ".join(re.findall(r"^kvcpu-\S+ [:+]= (.*)$", text, re.M)).split()
        self.assertEqual(sorted(listed), sorted(name[:-2] + ".o" for name in self.texts))

    def test_documented_order(self) -> None:
        """The table of files in the driver's document has every file, and none below a file that uses it."""
        text = (ROOT / "docs" / "driver.md").read_text(encoding="utf-8")
        order = re.findall(r"^\| `(kvcpu_\w+\.c)` \|", text, re.M)
        self.assertEqual(sorted(order), sorted(self.texts))
        self.assertEqual(upward(self.graph, order), [])


if __name__ == "__main__":
    ROOT = Path(sys.argv[1])
    unittest.main(argv=sys.argv[:1])
