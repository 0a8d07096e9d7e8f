#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares docs/device-spec.md with the headers kvcpu_hw*.h and with the device core.

usage: test_device_spec.py SPEC HW_DUMP TRANSITIONS_DUMP

HW_DUMP prints the lists of the headers, TRANSITIONS_DUMP the core's state x event
table; both as "list|field|...". Every line must be a row of the specification,
and every row of the specification's tables must be such a line.
"""

import re
import subprocess
import sys
import unittest

SPEC, DUMPS = "", []

# The first two cells of a table's head determine the list in the table.
TABLES = {
    "register|offset": "registers",
    "register|bits": "fields",
    "flag|bit": "flags",
    "limit|value": "limits",
    "counter|index": "counters",
    "status|code": "statuses",
    "policy|number": "policies",
    "outcome|code": "outcomes",
    "reason|code": "reasons",
    "class|number": "classes",
    "state|number": "states",
    "block event|number": "block events",
    "event|number": "events",
    "command|opcode": "commands",
    "hint|opcode": "hints",
    "state|ALLOC": "transitions",
    "event of a held block|READ holds alone": "held",
    "doorbell|offset": "doorbells",
    "entry field|word": "entry words",
    "header field|word": "header words",
    "completion field|word": "completion words",
    "notice field|word": "notice words",
    "ring state|number": "ring states",
    "notice|number": "notices",
    "revoke reason|number": "revoke reasons",
    "cause|number": "eviction causes",
    "history state|number": "history states",
    "admin command|opcode": "admin commands",
}
# Lists that have several tables in the specification.
SPLIT = {"fields"}


def cells(line):
    return [cell.strip().replace("\\", "") for cell in line.strip().strip("|").split("|")]


def spec_tables(text):
    """Yields (list name, head, rows) for each compared table of the specification."""
    for block in re.findall(r"(?:^\|.*\n)+", text, re.M):
        lines = block.splitlines()
        head = cells(lines[0])
        name = TABLES.get("|".join(head[:2]))
        if name:
            yield name, head, [cells(line) for line in lines[2:]]


def number(text):
    return int(text.strip("`"), 0)


def bits(text):
    high, _, low = text.partition(":")
    return f"{int(high)}:{int(low or high)}"


def canonical(name, head, row):
    """A row of the specification in the form of the dumps."""
    plain = [cell.replace("`", "") for cell in row]
    if name == "registers":
        reset = plain[3] if plain[3] == "configuration" else str(number(plain[3]))
        return [(plain[0], f"0x{number(row[1]):04x}", plain[2], reset, row[4])]
    if name == "fields":
        return [(plain[0], plain[2], bits(plain[1]))]
    if name in ("flags", "limits"):
        return [(plain[0], str(number(plain[1])))]
    if name == "held":
        return [tuple(row)]
    if name == "transitions":
        return [(row[0], event, cell) for event, cell in zip(head[1:], row[1:])]
    return [(plain[0], str(number(plain[1])), plain[2] if name == "policies" else row[2])]


class Specification(unittest.TestCase):
    def test_tables_are_the_header_and_the_core(self):
        actual = {}
        for program in DUMPS:
            output = subprocess.run([program], check=True, capture_output=True, text=True).stdout
            for line in output.splitlines():
                name, *fields = line.split("|")
                actual.setdefault(name, set()).add(tuple(fields))
        with open(SPEC, encoding="utf-8") as file:
            text = file.read()
        specified = {}
        for name, head, rows in spec_tables(text):
            if name not in SPLIT:
                self.assertNotIn(name, specified, "two tables of the same head")
            found = {entry for row in rows for entry in canonical(name, head, row)}
            specified[name] = specified.get(name, set()) | found
        self.assertEqual(set(specified), set(TABLES.values()), "tables found in the specification")
        for name in sorted(specified):
            with self.subTest(table=name):
                self.assertEqual(specified[name] - actual.get(name, set()), set(),
                                 "only in the specification")
                self.assertEqual(actual[name] - specified[name], set(),
                                 "not in the specification")

    def test_links_lead_to_headings(self):
        with open(SPEC, encoding="utf-8") as file:
            text = file.read()
        headings = set()
        for title in re.findall(r"^#+ (.*)$", text, re.M):
            headings.add(re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-"))
        for target in re.findall(r"\]\(#([^)]*)\)", text):
            self.assertIn(target, headings)


if __name__ == "__main__":
    SPEC, *DUMPS = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
