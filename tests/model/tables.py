# SPDX-License-Identifier: MIT
"""The specification's tables of block states, as data."""

import re

RULES = {"yes": ("RULE_YES", 1), "REVOKE": ("RULE_REVOKE", 2), "-": ("RULE_NEVER", 0)}


def event_symbol(name):
    """The model's name of an event, as FREE is also a state."""
    return {"FREE": "FREE_"}.get(name, name)


def _cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


class Transitions:
    """States, events, transitions, and the rules for held blocks."""

    def __init__(self, spec):
        tables = {}
        for block in re.findall(r"(?:^\|.*\n)+", spec.read_text(encoding="utf-8"), re.M):
            lines = block.splitlines()
            head = _cells(lines[0])
            tables["|".join(head[:2])] = (head, [_cells(line) for line in lines[2:]])
        self.states = {row[0]: int(row[1]) for row in tables["state|number"][1]}
        self.events = {row[0]: int(row[1]) for row in tables["block event|number"][1]}
        head, rows = tables["state|ALLOC"]
        self.after = {
            row[0]: {what: [] if cell == "-" else cell.split(", ") for what, cell in zip(head[1:], row[1:])}
            for row in rows
        }
        held = tables["event of a held block|READ holds alone"][1]
        self.read_held = {row[0]: row[1] for row in held}
        self.write_held = {row[0]: row[2] for row in held}

    def cells(self):
        """Every (state, event, next state) of the table."""
        return {(state, what, to) for state, row in self.after.items() for what, after in row.items() for to in after}
