#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that every relative link of every document leads to a file, and to a heading if it names one.

usage: test_links.py SOURCE_ROOT
"""

import pathlib
import re
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.sources import tracked  # noqa: E402 (the lines above come first: the source tree stays clean)

ROOT = pathlib.Path()
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.M | re.S)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.+?)\s*$", _FENCE.sub("", text), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(name: str, text: str, root: pathlib.Path) -> list[str]:
    """The broken links of the document."""
    findings = []
    for link in _LINK.findall(_FENCE.sub("", text)):
        path, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        target = (root / name).parent / path if path else root / name
        if not target.exists():
            findings.append(f"{link}: no such file")
        elif anchor and anchor not in anchors(target.read_text(encoding="utf-8")):
            findings.append(f"{link}: no such heading")
    return findings


class Links(unittest.TestCase):
    def test_documents(self) -> None:
        documents = [name for name in tracked(ROOT) if name.endswith(".md")]
        self.assertIn("README.md", documents)
        for name in documents:
            with self.subTest(file=name):
                self.assertEqual(broken(name, (ROOT / name).read_text(encoding="utf-8"), ROOT), [])

    def test_what_is_broken_is_found(self) -> None:
        text = "# A heading: one\n[a](#a-heading-one) [b](#b) [c](missing.md) [d](README.md)\n```\n[e](none)\n```\n"
        (found_anchor, found_file) = broken("README.md", text.replace("#a-heading-one", "README.md"), ROOT)
        self.assertIn("#b", found_anchor)
        self.assertIn("missing.md", found_file)
        self.assertEqual(anchors(text), {"a-heading-one"})


if __name__ == "__main__":
    ROOT = pathlib.Path(sys.argv[1])
    unittest.main(argv=sys.argv[:1])
