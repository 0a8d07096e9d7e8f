#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the Promela form of the specification's tables of a block's life.

usage: generate.py SPEC OUTPUT

OUTPUT defines a number for every state and occurrence, AFTER(state, occurrence): the set of states that the
specification allows then, as bits, and READ_RULE(occurrence), WRITE_RULE(occurrence): what it allows for a held block.
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
    """The generated file's text."""
    life = tables.Life(spec)
    lines = ["/* Made by generate.py from docs/device-spec.md. */\n"]
    lines += [f"#define {name} {number}\n" for name, number in life.states.items()]
    lines += [f"#define {tables.occurrence_symbol(name)} {number}\n" for name, number in life.occurrences.items()]
    lines.append(f"#define OCCURRENCES {len(life.occurrences)}\n")
    rows = []
    for state, number in life.states.items():
        cells = [(f"(o) == {life.occurrences[what]}", str(sum(1 << life.states[to] for to in after)))
                 for what, after in life.after[state].items() if after]
        row = "0"
        for condition, value in reversed(cells):
            row = f"({condition} -> {value} : {row})"
        rows.append((f"(s) == {number}", row))
    lines.append(nested("AFTER", "s, o", rows, "0"))
    lines += [f"#define {rule} {number}\n" for rule, number in tables.RULES.values()]
    for macro, rules in (("READ_RULE", life.read_held), ("WRITE_RULE", life.write_held)):
        cases = [(f"(o) == {life.occurrences[what]}", str(tables.RULES[rule][1])) for what, rule in rules.items()]
        lines.append(nested(macro, "o", cases, str(tables.RULES["-"][1])))
    count = len(life.states) * len(life.occurrences)
    lines.append(f"""
c_decl {{
    \\#include <stdio.h>
    static unsigned seen[{count}];
    static void print_seen(void) {{
        for (int i = 0; i < {count}; ++i) {{
            printf("seen %d %d %u\\n", i / {len(life.occurrences)}, i % {len(life.occurrences)}, seen[i]);
        }}
    }}
}};
""")
    return "".join(lines)


if __name__ == "__main__":
    SPEC, OUTPUT = sys.argv[1:]
    pathlib.Path(OUTPUT).write_text(promela(pathlib.Path(SPEC)), encoding="utf-8")
