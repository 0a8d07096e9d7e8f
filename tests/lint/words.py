#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that identifiers use the terms of docs/glossary.md, and not names that they have replaced.

usage: words.py SOURCE_ROOT

An identifier is split into its words: `isLeaving_now` has `is`, `leaving` and `now`. Comments and strings are not
looked at. In the specification and in the public headers, names in upper case are checked as well.
"""

import io
import pathlib
import re
import sys
import tokenize
import unittest
from collections.abc import Iterator

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.sources import tracked  # noqa: E402 (the lines above come first: the source tree stays clean)

ROOT = pathlib.Path()

# Words that no identifier has, and what to write instead.
REPLACED = {
    "announce": "advance_tail", "announced": "advance_tail",
    "home": "backing", "homes": "backing",
    "leaving": "evicting", "giving": "the action", "going": "pending",
    "occurrence": "event", "occurrences": "events",
    "portion": "batch", "portions": "batches",
    "seam": "C API", "told": "notified",
    "turn": "slice", "turns": "slices",
    "unnoticed": "unacknowledged",
    "whoever": "the thing", "somebody": "the thing", "nobody": "the thing", "everybody": "the thing",
}
# The same in the device's core alone: elsewhere these are ordinary words.
REPLACED_IN_CORE = {
    "asks": "queue", "orders": "queues", "stamps": "last_use", "life": "transitions",
    "reply": "completion", "replies": "completions", "room": "slot purpose", "dropped": "reclaimed",
}
# Whole identifiers, in any file.
REPLACED_NAMES = {
    "Rings": "IndexLists", "Turns": "RingScheduler", "want_turn": "enqueue", "asked_in": "slot_requested",
    "prefetch_more": "warm_cache_deep", "take_note": "acknowledge",
}
# States and events in upper case, in the specification and the public headers.
REPLACED_IN_TEXT = ("HOME", "LEAVING", "DROPPED")
TEXTS = ("docs/device-spec.md", "qemu-device/include/*.h", "guest-driver/uapi/*", "guest-lib/include/*")

# (folder or file, word): other senses. A user has a home folder, and a conversation has turns.
OTHER_SENSES = [
    ("images/", "home"), ("tests/launcher/", "home"), ("tests/sim/", "home"), ("tests/report/", "home"),
    ("tests/lint/", "home"), ("tests/lint/", "homes"), ("tests/data/", "turns"), ("tests/fresh/", "home"),
]

_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def identifiers(name: str, text: str) -> Iterator[tuple[int, str]]:
    """(line, identifier) of a source file; empty for files that are not code."""
    if name.endswith(".py"):
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME:
                yield token.start[0], token.string
    elif name.endswith((".c", ".h", ".cpp", ".pml", ".js")):
        code = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), _STRING.sub('""', text))
        for number, line in enumerate(code.splitlines(), 1):
            for found in _IDENTIFIER.findall(line):
                yield number, found


def replaced_words(name: str, identifier: str) -> Iterator[tuple[str, str]]:
    """(word, what to use) for what the identifier must not have."""
    if identifier in REPLACED_NAMES:
        yield identifier, REPLACED_NAMES[identifier]
    words = REPLACED | (REPLACED_IN_CORE if name.startswith("qemu-device/core/") else {})
    for part in _WORD.findall(identifier):
        word = part.lower()
        if word in words and not any(name.startswith(place) and word == other for place, other in OTHER_SENSES):
            yield word, words[word]


def findings(name: str, text: str) -> list[str]:
    """A line for each identifier that has a replaced word."""
    return [f"{name}:{line}: {identifier}: write {use} for {word}" for line, identifier in identifiers(name, text)
            for word, use in replaced_words(name, identifier)]


def text_findings(name: str, text: str) -> list[str]:
    """A line for each replaced state or event in a text."""
    return [f"{name}:{number}: {word} is replaced" for number, line in enumerate(text.splitlines(), 1)
            for word in REPLACED_IN_TEXT if re.search(rf"(?:\b|_){word}\b", line)]


class Words(unittest.TestCase):
    """The whole tree."""

    def test_identifiers(self) -> None:
        names = tracked(ROOT, "*.c", "*.h", "*.cpp", "*.py", "*.pml", "*.js")
        self.assertGreater(len(names), 300)
        found = [line for name in names for line in findings(name, (ROOT / name).read_text(encoding="utf-8"))]
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_texts(self) -> None:
        names = tracked(ROOT, *TEXTS)
        self.assertGreater(len(names), 10)
        found = [line for name in names for line in text_findings(name, (ROOT / name).read_text(encoding="utf-8"))]
        self.assertEqual(found, [], "\n" + "\n".join(found))


class Samples(unittest.TestCase):
    """Samples that the check must find, and must not find."""

    def test_found(self) -> None:
        for name, text in (("a.c", "int is_leaving;"), ("a.h", "enum { KVCPU_BS_HOME };"),
                           ("a.cpp", "void takeTurn();"), ("a.py", "def tell_nobody(): pass"),
                           ("guest-lib/a.h", "Rings rings_;"), ("qemu-device/core/a.h", "struct Reply;")):
            with self.subTest(text=text):
                self.assertEqual(len(findings(name, text)), 1)
        self.assertEqual(len(text_findings("a.md", "| HOME | 2 | LEAVING |\nKVCPU_OP_DROPPED")), 3)

    def test_not_found(self) -> None:
        for name, text in (("a.c", "/* a home */ return; // home"), ("a.cpp", 'f("home");'), ("a.py", '"""Home."""'),
                           ("images/a.py", "HOME = 1"), ("tests/a.h", "Reply r;"), ("a.md", "home")):
            with self.subTest(text=text):
                self.assertEqual(findings(name, text), [])


if __name__ == "__main__":
    ROOT = pathlib.Path(sys.argv.pop(1))
    unittest.main()
