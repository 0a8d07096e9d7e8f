# SPDX-License-Identifier: MIT
"""`test`: build everything, run meson's tests, count them."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from . import build, debugkernel, packages, process, progress, tree, verdict
from .errors import Exit, LauncherError
from .kernel import SELECTORS

_JUNIT = tree.BUILD / "meson-logs" / "testlog.junit.xml"
_LOG = tree.BUILD / "meson-logs" / "testlog.txt"
_RESULTS = tree.BUILD / "meson-logs" / "testlog.json"
# Environment: the public trace conversation_trace.jsonl.
_TRACE = "KVCPU_TRACE"
# What a test needs besides the native build, by the prefix of its suite.
_NEEDS_GUEST = ("vm", "driver")
_NEEDS_DEBUG_KERNEL = "vm-debug"
# What takes too long for every run: only where it is named.
_ONLY_BY_NAME = ("vm-debug-more", "adapter-asan")
_NEEDS_SANITIZED_QEMU = "adapter-asan"
_NEEDS_QEMU = ("qtest", *_NEEDS_GUEST)


def test(options: argparse.Namespace) -> int:
    """`./kvcpu test`: verdict, JUnit file, and the closing line that says how many."""
    packages.ensure(options.suite or list(packages.BY_SUITE))
    build.configure()
    _take_trace()
    suites = _suites()
    if options.list:
        for suite, names in sorted(suites.items()):
            print(suite + "".join(f"\n  {name}" for name in names))
        return Exit.OK
    unknown = [suite for suite in options.suite if suite not in suites]
    if unknown:
        raise LauncherError(Exit.USAGE, f"no such suite: {', '.join(unknown)}; there are: {', '.join(sorted(suites))}")
    wanted = options.suite or [suite for suite in suites if suite not in _ONLY_BY_NAME]
    if any(suite.startswith(_NEEDS_QEMU) for suite in wanted):
        built = build.products()
        for selector in _kernels_for(wanted):
            build.image(selector, built)
    if _NEEDS_SANITIZED_QEMU in wanted:
        build.image(SELECTORS[0], build.sanitized_products())
    build.native()
    return _run(options.suite)


def _take_trace() -> None:
    """The public trace is not in the tree; with it there are tests that compare with what was published on it."""
    trace = os.environ.get(_TRACE)
    if trace is None:
        return
    if not os.path.isfile(trace):
        raise LauncherError(Exit.USAGE, f"${_TRACE}: {trace} is not a file")
    build.set_option("trace", str(Path(trace).resolve()))


def _kernels_for(suites: list[str]) -> list[str]:
    """The guest kernels that the tests of these suites boot."""
    debug = [suite for suite in suites if suite.startswith(_NEEDS_DEBUG_KERNEL)]
    plain = [suite for suite in suites if suite.startswith(_NEEDS_GUEST) and suite not in debug]
    return [*(SELECTORS if plain else []), *([debugkernel.SELECTOR] if debug else [])]


def _suites() -> dict[str, list[str]]:
    """Names of the tests by suite, as meson knows them."""
    listed = json.loads(process.capture(["meson", "introspect", "--tests", tree.BUILD]))
    suites: dict[str, list[str]] = {}
    for entry in listed:
        for suite in entry["suite"]:
            suites.setdefault(suite.rpartition(":")[2], []).append(entry["name"])
    return suites


def _run(suites: list[str]) -> int:
    argv = ["meson", "test", "-C", str(tree.BUILD), "--no-rebuild", "--print-errorlogs", "--num-processes", "2"]
    for suite in suites:
        argv += ["--suite", suite]
    if not suites:
        for suite in _ONLY_BY_NAME:
            argv += ["--no-suite", suite]
    _JUNIT.unlink(missing_ok=True)
    # Straight to the user: meson shows progress itself.
    status = subprocess.run(argv, stdin=subprocess.DEVNULL, check=False,
                            env=process.merged_environment(None)).returncode
    if not _JUNIT.is_file():
        raise LauncherError(Exit.BUILD_FAILED, f"meson test ended with status {status} and wrote no {_JUNIT}")
    verdict.complete(_JUNIT, _RESULTS)
    counts = verdict.count(_JUNIT)
    progress.say(f"JUnit: {_JUNIT}\nlog:   {_LOG}")
    # Should meson have failed for a reason that is in neither file.
    if status != 0 and counts["failed"] == 0:
        counts["failed"] = 1
    sys.stderr.flush()
    for figure in verdict.figures(_JUNIT):
        print(figure)
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped", flush=True)
    if counts["passed"] == 0 and counts["failed"] == 0:
        raise LauncherError(Exit.TESTS_FAILED, "no test was executed")
    return Exit.TESTS_FAILED if counts["failed"] else Exit.OK
