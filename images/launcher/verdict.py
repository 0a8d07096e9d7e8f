# SPDX-License-Identifier: MIT
"""What became of a run of meson's tests: its JUnit file made complete, its cases counted.

Meson's JUnit file lacks tests that ran out of time, that passed although they should fail, and that died or stopped
after some passed cases. Its log in JSON has them, so they are added here as failures.
"""

import json
import xml.etree.ElementTree
from collections import Counter
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from . import output

_GOOD = ("OK", "SKIP", "EXPECTEDFAIL")
_FIGURE = "figure: "


def _is_failed(case: Element) -> bool:
    return case.find("failure") is not None or case.find("error") is not None


def complete(junit: Path, log: Path) -> None:
    """Put in the failures that are in the log alone."""
    document = xml.etree.ElementTree.parse(junit)
    alone = {case.get("name"): case for suite in document.iter("testsuite") for case in suite.iter("testcase")
             if case.get("classname") == suite.get("name")}
    suites = {suite.get("name").partition(".")[2]: suite for suite in document.iter("testsuite")}
    for line in log.read_text(encoding="utf-8").splitlines():
        test = json.loads(line)
        name, result = test["name"], test["result"]
        if result in _GOOD:
            continue
        # A test of several cases is a suite of its own, named behind the project's name and a dot.
        cases = list(suites[name].iter("testcase")) if name in suites else [alone[name]]
        if any(map(_is_failed, cases)):
            continue
        case = cases[0] if name not in suites else SubElement(suites[name], "testcase", name="ends as it should",
                                                              classname=suites[name].get("name"))
        SubElement(case, "failure", message=f"{result}, status {test.get('returncode')}")
    for suite in document.iter("testsuite"):
        cases = list(suite.iter("testcase"))
        suite.set("tests", str(len(cases)))
        suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    root = document.getroot()
    for total in ("tests", "failures"):
        root.set(total, str(sum(int(suite.get(total)) for suite in document.iter("testsuite"))))
    output.write(junit, xml.etree.ElementTree.tostring(root, encoding="utf-8", xml_declaration=True).decode())


def count(junit: Path) -> Counter[str]:
    """Test cases of a JUnit file by outcome: passed, failed, skipped."""
    counts: Counter[str] = Counter()
    for case in xml.etree.ElementTree.parse(junit).iter("testcase"):
        skipped = case.find("skipped") is not None
        counts["failed" if _is_failed(case) else "skipped" if skipped else "passed"] += 1
    return counts


def figures(junit: Path) -> list[str]:
    """What tests have measured: they print it behind `figure: `."""
    return [line.removeprefix(_FIGURE) for printed in xml.etree.ElementTree.parse(junit).iter("system-out")
            for line in (printed.text or "").splitlines() if line.startswith(_FIGURE)]
