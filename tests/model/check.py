#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the SPIN model of device, driver and two processes: all states, in several sizes. TAP.

usage: check.py SPEC SPIN CC

Each scene is searched to its end and must be free of errors. Each flaw is one that the model must find, and for its
own reason: a check that finds nothing because it looks at nothing would otherwise pass. Together the scenes must make
every change of state that the specification's table has.
"""

import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import generate
import tables
from support.tap import Tap

_HERE = Path(__file__).resolve().parent
_JOBS = 2
_DEPTH = 3_000_000
_MEMORY_MIB = 4000
_STATES_MIN = 1000
_TRAIL_LINES = 60

# What takes part, unless a scene says otherwise. DEADLINES 0: a PIN waits for ever, so one that is not granted shows.
# POLITE: a process asks for nothing while it has a claim, and gives claims back.
_DEFAULTS = {"SLOTS": 1, "CHANNELS": 1, "ALLOCATION": 0, "CONTENTS": 0, "PINS": 0, "MAPPINGS": 0, "AUTONOMOUS": 0,
             "RESETS": 0, "KILLS": 0, "POLITE": 1, "DEADLINES": 0, "ANY_DEADLINE": 0}

_SCENES = {
    # Four blocks, two slots: PINs of several blocks with overlapping ranges.
    "pins": {"BLOCKS": 4, "SLOTS": 2, "PINS": 1},
    # The same with processes that keep pins while they wait for more: only deadlines end a deadlock.
    "greedy pins": {"BLOCKS": 4, "SLOTS": 2, "PINS": 1, "POLITE": 0, "DEADLINES": 1},
    # One block that changes its owner, is mapped, pinned, sealed, moved and scrubbed, while processes are killed.
    "one block": {"BLOCKS": 1, "ALLOCATION": 1, "CONTENTS": 1, "PINS": 1, "MAPPINGS": 1, "AUTONOMOUS": 1, "KILLS": 1},
    "one block and resets": {"BLOCKS": 1, "ALLOCATION": 1, "CONTENTS": 1, "MAPPINGS": 1, "AUTONOMOUS": 1, "KILLS": 1,
                             "RESETS": 1},
    # Two mapped blocks, one slot.
    "one slot": {"BLOCKS": 2, "CONTENTS": 1, "PINS": 1, "MAPPINGS": 1},
    "one slot and moves for hints": {"BLOCKS": 2, "PINS": 1, "MAPPINGS": 1, "AUTONOMOUS": 1},
    "one slot and deadlines": {"BLOCKS": 2, "PINS": 1, "MAPPINGS": 1, "POLITE": 0, "DEADLINES": 1, "ANY_DEADLINE": 1},
    "two slots and channels": {"BLOCKS": 2, "SLOTS": 2, "CHANNELS": 2, "CONTENTS": 1, "PINS": 1, "MAPPINGS": 1},
    "resets": {"BLOCKS": 2, "PINS": 1, "MAPPINGS": 1, "RESETS": 1},
    "owners": {"BLOCKS": 2, "ALLOCATION": 1, "KILLS": 1, "MAPPINGS": 1},
}


# Scenes of more than a million states.
_LARGE = ("two slots and channels",)


@dataclass(frozen=True)
class Flaw:
    """A planted flaw: its scene, and a variable of the assertion that must fail."""

    name: str
    scene: str
    shows: str
    settings: dict[str, int] = field(default_factory=dict)


_CONTEXT_WAITS, _ACCESS, _CONTENT, _RULE, _ASKED_BACK = "pin_sent", "mapped_at", "is_old", "write_held", "revoking"
_FLAWS = (
    Flaw("DEVICE_MOVES_HELD_BLOCKS", "one slot", _RULE),
    Flaw("DEVICE_SCRUBS_HELD_BLOCKS", "owners", _RULE),
    Flaw("DEVICE_THINKS_WRITE_HELD_BLOCKS_CLEAN", "one slot", _CONTENT),
    Flaw("DEVICE_CLAIMS_PIECEWISE", "pins", _CONTEXT_WAITS),
    Flaw("DEVICE_SPARES_WHAT_YOUNGER_PINS_WANT", "pins", _CONTEXT_WAITS),
    Flaw("DEVICE_FORGETS_HOLDS_OF_WHAT_STAYS", "one slot and deadlines", _CONTEXT_WAITS),
    Flaw("DRIVER_DROPS_EARLY_REVOKES", "owners", _ASKED_BACK),
    Flaw("DRIVER_RESETS_BEFORE_IT_UNMAPS", "resets", _ACCESS),
    Flaw("DRIVER_FORGETS_WAITERS_AT_RESET", "resets", _CONTEXT_WAITS),
    Flaw("PINS_HAVE_NO_DEADLINE", "greedy pins", _CONTEXT_WAITS, {"DEADLINES": 0}),
)


@dataclass
class Outcome:
    """The result of a search. `error` is empty if the search visited all states without an error."""

    error: str
    states: int
    seen: set[tuple[int, int, int]]
    trail: list[str]


def run(argv: list[str], folder: Path) -> str:
    """A command's output; a failure to run is an error of this test."""
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Checker:
    """Builds and searches the model."""

    def __init__(self, spec: Path, spin: str, compiler: str) -> None:
        self.promela = generate.promela(spec)
        self.spin = spin
        self.compiler = compiler

    def search(self, scene: str, flaw: Flaw | None = None) -> Outcome:
        """Searches every state of a scene, with a flaw or without."""
        settings = {**_DEFAULTS, **_SCENES[scene], **(flaw.settings if flaw else {})}
        definitions = [f"-D{key}={value}" for key, value in settings.items()]
        if flaw:
            definitions.append(f"-DBROKEN_{flaw.name}")
        with tempfile.TemporaryDirectory(prefix="kvcpu-model-") as name:
            folder = Path(name)
            (folder / "transitions.pml").write_text(self.promela, encoding="utf-8")
            for source in _HERE.glob("*.pml"):
                (folder / source.name).symlink_to(source)
            run([self.spin, "-a", *definitions, "kvcpu.pml"], folder)
            # Compiling with optimization takes longer than most searches, and is worth it only for the largest.
            level = "-O1" if scene in _LARGE and not flaw else "-O0"
            run([self.compiler, level, "-w", "-DSAFETY", "-DVECTORSZ=512", f"-DMEMLIM={_MEMORY_MIB}", "-o", "pan",
                 "pan.c"], folder)
            # A path that exceeds the stack, or too many states for the memory, is an error as well.
            text = run(["./pan", f"-m{_DEPTH}", "-b"], folder)
            outcome = self._outcome(text)
            if outcome.error and not flaw and (folder / "kvcpu.pml.trail").is_file():
                outcome.trail = run([self.spin, "-t", "-p", *definitions, "kvcpu.pml"], folder).splitlines()
            return outcome

    @staticmethod
    def _outcome(text: str) -> Outcome:
        error = re.search(r"^(?:pan:1|error): (.*)$", text, re.M)
        states = re.search(r"^\s*(\d+) states, stored", text, re.M)
        complete = "errors: 0" in text and "Search not completed" not in text
        seen = {(int(state), int(what), to) for state, what, bits in re.findall(r"^seen (\d+) (\d+) (\d+)$", text, re.M)
                for to in range(32) if int(bits) >> to & 1}
        return Outcome(error=error.group(1) if error else "" if complete else f"the search was not completed\n{text}",
                       states=int(states.group(1)) if states else 0, seen=seen, trail=[])


def report_scene(tap: Tap, name: str, outcome: Outcome) -> None:
    """The line of a scene; after a failure, with the last steps before it."""
    for line in (outcome.error.splitlines() + outcome.trail[-_TRAIL_LINES:]) if outcome.error else []:
        print(f"# {line}")
    tap.ok(not outcome.error and outcome.states >= _STATES_MIN, f"no error in {name}: {outcome.states} states")


def report_coverage(tap: Tap, table: tables.Transitions, outcomes: list[Outcome]) -> None:
    """Whether the scenes make all changes of state of the table, and no others."""
    states = {number: name for name, number in table.states.items()}
    events = {number: name for name, number in table.events.items()}
    made = {(states[state], events[what], states[to])
            for outcome in outcomes for state, what, to in outcome.seen}
    for change in sorted(table.cells() - made):
        print(f"# never made: {change}")
    for change in sorted(made - table.cells()):
        print(f"# not in the table: {change}")
    tap.ok(made == table.cells(), f"the scenes make the table's {len(table.cells())} changes of state, and no other")


def main() -> int:
    """Checks the scenes, the flaws, and then the changes of state in all scenes."""
    spec = Path(sys.argv[1])
    checker = Checker(spec, sys.argv[2], sys.argv[3])
    tap = Tap()
    with concurrent.futures.ThreadPoolExecutor(min(_JOBS, os.cpu_count() or 1)) as pool:
        scenes = {name: pool.submit(checker.search, name) for name in _SCENES}
        flaws = [(flaw, pool.submit(checker.search, flaw.scene, flaw)) for flaw in _FLAWS]
        for name, search in scenes.items():
            report_scene(tap, name, search.result())
        for flaw, search in flaws:
            outcome = search.result()
            found = "assertion violated" in outcome.error and flaw.shows in outcome.error
            if not found:
                print(f"# {outcome.error or 'no error'}")
            tap.ok(found, f"found after {outcome.states} states: {flaw.name}")
    report_coverage(tap, tables.Transitions(spec), [search.result() for search in scenes.values()])
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
