#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kvcpu-sim report: its inputs, the content of the page, its errors.

usage: test_report.py KVCPU_SIM SAMPLE_TRACE
"""

import html.parser
import json
import sys
import tempfile
import unittest
from pathlib import Path

from tool import ToolTest

FAILED, USAGE = 1, 2
# Elements and attributes that refer to resources outside of the page.
REACHING = {"src", "href", "srcset", "action", "poster", "data", "formaction", "background"}


class Reader(html.parser.HTMLParser):
    """Collects the references of a page, and the text of its scripts by their id."""

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []
        self.scripts: dict[str, str] = {}
        self.styles = ""
        self._inside: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [value or "" for name, value in attrs if name in REACHING]
        if tag == "script":
            self._inside = dict(attrs).get("id") or f"script{len(self.scripts)}"
        elif tag == "style":
            self._inside = "style"

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.styles += data
        elif self._inside:
            self.scripts[self._inside] = self.scripts.get(self._inside, "") + data


class Report(ToolTest):
    sample = Path()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.page = self.folder / "report.html"

    def runs(self, name: str, *options: object) -> Path:
        path = self.folder / name
        done = self.run_tool("compare", self.sample, "--requests", 60, "--fast-blocks", 300, "--slow-blocks",
                             "everything", "--seed", 1, "--json", path, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return path

    def read(self) -> Reader:
        reader = Reader()
        reader.feed(self.page.read_text(encoding="utf-8"))
        return reader

    def document(self) -> dict:
        return json.loads(self.read().scripts["data"])

    def test_from_files_of_runs(self):
        lines = self.runs("a.jsonl", "--policy", "lru,next-use")
        one = json.loads(self.runs("b.jsonl", "--policy", "min").read_text(encoding="utf-8"))
        whole = self.folder / "demo.json"
        whole.write_text(json.dumps({"parameters": {"trace": "x"}, "versions": {}, "host": {}, "runs": [one]}),
                         encoding="utf-8")
        self.run_tool("report", "--in", lines, whole, "--out", self.page)
        document = self.document()
        self.assertEqual([run["policy"] for run in document["runs"]], ["lru", "next-use", "min"])
        self.assertEqual(document["parameters"], {"trace": "x"})
        self.assertEqual(document["runs"][2], one)

    def test_it_simulates_what_a_trace_needs_and_keeps_it(self):
        kept = self.folder / "kept.jsonl"
        options = ["report", self.sample, "--requests", 60, "--results", kept, "--out", self.page]
        done = self.run_tool(*options)
        self.assertEqual(done.returncode, 0, done.stderr)
        runs = self.document()["runs"]
        whole = [run for run in runs if not run["without"]]
        self.assertEqual(len({run["fast_blocks"] for run in whole}), 3)
        self.assertEqual({run["everything"] for run in whole}, {True, False})
        self.assertTrue(any(run["bound"] for run in whole))
        self.assertTrue({"prefetchable", "evictable", "share", "release"} <=
                        {kind for run in runs for kind in run["without"]})
        self.assertIn(f"{len(runs)} of {len(runs)} points have results already", self.run_tool(*options).stderr)

    def test_nothing_is_fetched_from_anywhere(self):
        self.run_tool("report", "--in", self.runs("a.jsonl", "--policy", "lru,hepc"), "--out", self.page)
        reader = self.read()
        self.assertEqual([reference for reference in reader.references if not reference.startswith(("data:", "#"))], [])
        self.assertNotRegex(reader.styles, r"@import|url\(")
        # Only the project's own script is checked: the licence of the library has an address, which is not opened.
        own = "".join(text for name, text in reader.scripts.items() if name != "data" and "Chart.js v" not in text)
        self.assertNotRegex(own, r"https?:|fetch\(|XMLHttpRequest|WebSocket|import\(|importScripts|sendBeacon")
        self.assertIn("Chart.js v", "".join(reader.scripts.values()))
        self.assertIn("prefers-color-scheme: dark", reader.styles)

    def test_what_a_name_says_stays_text(self):
        path = self.runs("a.jsonl", "--policy", "lru")
        run = json.loads(path.read_text(encoding="utf-8"))
        run["policy"] = run["trace"] = "</script><script>alert(1)</script><!--"
        path.write_text(json.dumps(run) + "\n", encoding="utf-8")
        self.run_tool("report", "--in", path, "--out", self.page)
        self.assertEqual(self.document()["runs"][0]["policy"], run["policy"])
        self.assertEqual(len(self.read().scripts), 3)

    def test_what_cannot_be_shown(self):
        torn = self.folder / "torn.jsonl"
        torn.write_text('{"policy": "lru"}\n{"pol', encoding="utf-8")
        for files, says in (([torn], "torn.jsonl:2: no JSON object"), ([self.folder / "none"], "none: cannot be read")):
            self.assertIn(says, self.refusal(FAILED, "report", "--in", *files, "--out", self.page))
        torn.write_text('{"policy": "lru"}\n', encoding="utf-8")
        self.assertIn("'hints'", self.refusal(FAILED, "report", "--in", torn, "--out", self.page))
        self.assertIn("--in", self.refusal(USAGE, "report", "--out", self.page))
        good = self.runs("a.jsonl", "--policy", "lru")
        said = self.refusal(USAGE, "report", "--in", good, "--out", self.folder / "no" / "page.html")
        self.assertIn("page.html", said)
        said = self.refusal(FAILED, "report", "--in", good, "--out", "/dev/full")
        self.assertIn("/dev/full: cannot be written", said)
        self.assertFalse(self.page.exists())


if __name__ == "__main__":
    ToolTest.tool, Report.sample = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
    unittest.main()
