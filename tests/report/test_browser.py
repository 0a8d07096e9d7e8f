#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The report in headless Chromium, in light and dark mode: no error, no request, every plot with its numbers.

usage: test_browser.py KVCPU_SIM SAMPLE_TRACE

With $KVCPU_SCREENSHOTS it leaves its screenshots in that folder, to be looked at.
"""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from browser import Browser, chromium

SIM, SAMPLE = Path(), Path()
# The plots for runs of several sizes, policies and ablations.
PLOTS = ("fast-by-size", "stall-by-size", "slow-by-size", "ttft-by-size", "stall-distribution", "waiting-distribution",
         "ttft-distribution", "hits", "traffic", "residency", "residency-slow", "ablation")
# Whether a plot has more than one colour, so that something was drawn.
IS_DRAWN = """(() => {
  const canvas = document.querySelector('#%s canvas');
  if (!canvas) return false;
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  const colours = new Set();
  for (let i = 0; i < pixels.length; i += 4) {
    if (pixels[i + 3] > 128) colours.add(pixels[i] << 16 | pixels[i + 1] << 8 | pixels[i + 2]);
  }
  return colours.size > 3;
})()"""
ROWS = "document.querySelectorAll('#%s table tr').length"
PAPER = "getComputedStyle(document.body).backgroundColor"
CHOOSE = """(() => {
  const select = document.querySelectorAll('#choices select')[%d];
  select.selectedIndex = %d;
  select.dispatchEvent(new Event('change'));
  return select.options.length;
})()"""


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.page = Path(folder.name) / "report.html"
        subprocess.run([SIM, "report", SAMPLE, "--requests", "200", "--out", cls.page, "--quiet"], check=True,
                       timeout=300)

    def check(self, browser: Browser) -> None:
        self.assertEqual(browser.complaints, [])
        self.assertEqual(set(browser.requests), {self.page.resolve().as_uri()})
        for plot in PLOTS:
            with self.subTest(plot=plot):
                self.assertTrue(browser.evaluate(IS_DRAWN % plot))
                self.assertGreater(browser.evaluate(ROWS % plot), 1)

    def test_light_and_dark(self):
        papers = set()
        for scheme in ("light", "dark"):
            with self.subTest(scheme=scheme), Browser() as browser:
                browser.open(self.page, scheme)
                self.check(browser)
                papers.add(browser.evaluate(PAPER))
                self.assertEqual(browser.evaluate(ROWS % "summary"), 10)
                self.assertGreater(browser.evaluate(ROWS % "losses"), 1)
                shots = os.environ.get("KVCPU_SCREENSHOTS")
                if shots:
                    browser.screenshot(Path(shots) / f"report-{scheme}.png")
        self.assertEqual(len(papers), 2)

    def test_other_choices_and_a_narrow_window(self):
        with Browser() as browser:
            browser.open(self.page, width=400)
            self.check(browser)
            self.assertEqual(browser.evaluate(CHOOSE % (2, 0)), 3)
            self.assertEqual(browser.evaluate(CHOOSE % (3, 0)), 2)
            self.assertEqual(browser.complaints, [])
            # Wide elements scroll in their own frame, and the page does not.
            self.assertLessEqual(browser.evaluate("document.documentElement.scrollWidth"), 400)

    def test_an_error_would_be_seen(self):
        """A page with an error and a request, so that the tests above could fail."""
        bad = self.page.with_name("bad.html")
        text = self.page.read_text(encoding="utf-8")
        flaw = "<img src='http://127.0.0.1:9/x.png'></main><script>nowhere();</script>"
        bad.write_text(text.replace("</main>", flaw), encoding="utf-8")
        with Browser() as browser:
            browser.open(bad)
            self.assertTrue(any("nowhere" in complaint for complaint in browser.complaints), browser.complaints)
            self.assertIn("http://127.0.0.1:9/x.png", browser.requests)


if __name__ == "__main__":
    SIM, SAMPLE = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
    if chromium() is None:
        print("SKIP: not installed: chromium (./kvcpu test report installs it)")
        sys.exit(77)
    unittest.main()
