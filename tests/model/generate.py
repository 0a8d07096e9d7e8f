#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the Promela form of the specification's tables of block states.

usage: generate.py SPEC OUTPUT

OUTPUT defines a number for every state and event, AFTER(state, event): the set of states that the
specification allows then, as bits, and READ_RULE(event), WRITE_RULE(event): what it allows for a held block.
"""

import pathlib
import sys

import tables


def nested(name, parameters, cases, default):
    """A macro that is a chain of conditional expressions."""
    text = default
    for condition, value in reversed(cases):
        text = f"({condition} -> {value} : {text})"
    return f"#define {name}({parameters}) {text}\n"


def promela(spec):
    """The text of the generated file."""
    table = tables.Transitions(spec)
    lines = ["/* Made by generate.py from docs/device-spec.md. */\n"]
    lines += [f"#define {name} {number}\n" for name, number in table.states.items()]
    lines += [f"#define {tables.event_symbol(name)} {number}\n" for name, number in table.events.items()]
    lines.append(f"#define BLOCK_EVENTS {len(table.events)}\n")
    rows = []
    for state, number in table.states.items():
        cells = [(f"(o) == {table.events[what]}", str(sum(1 << table.states[to] for to in after)))
                 for what, after in table.after[state].items() if after]
        row = "0"
        for condition, value in reversed(cells):
            row = f"({condition} -> {value} : {row})"
        rows.append((f"(s) == {number}", row))
    lines.append(nested("AFTER", "s, o", rows, "0"))
    lines += [f"#define {rule} {number}\n" for rule, number in tables.RULES.values()]
    for macro, rules in (("READ_RULE", table.read_held), ("WRITE_RULE", table.write_held)):
        cases = [(f"(o) == {table.events[what]}", str(tables.RULES[rule][1])) for what, rule in rules.items()]
        lines.append(nested(macro, "o", cases, str(tables.RULES["-"][1])))
    count = len(table.states) * len(table.events)
    lines.append(f"""
c_decl {{
    \\#include <stdio.h>
    static unsigned seen[{count}];
    static void print_seen(void) {{
        for (int i = 0; i < {count}; ++i) {{
            printf("seen %d %d %u\\n", i / {len(table.events)}, i % {len(table.events)}, seen[i]);
        }}
    }}
}};
""")
    return "".join(lines)


if __name__ == "__main__":
    SPEC, OUTPUT = sys.argv[1:]
    pathlib.Path(OUTPUT).write_text(promela(pathlib.Path(SPEC)), encoding="utf-8")
