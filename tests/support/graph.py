# SPDX-License-Identifier: MIT
"""Graphs of files, for the tests that keep dependencies pointing one way."""

from collections.abc import Iterable, Mapping


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """The nodes of one circle, each using the next and the last using the first; empty if no circle exists."""
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> list[str]:
        if name in path:
            return path[path.index(name):]
        if name in done:
            return []
        path.append(name)
        for used in sorted(graph.get(name, ())):
            found = visit(used)
            if found:
                return found
        path.pop()
        done.add(name)
        return []

    for start in sorted(graph):
        found = visit(start)
        if found:
            return found
    return []
