# SPDX-License-Identifier: GPL-2.0-or-later
"""The numbers of kvcpu_hw*.h, parsed from the headers."""

import re
from dataclasses import dataclass
from pathlib import Path

HEADERS = sorted((Path(__file__).resolve().parents[2] / "qemu-device" / "include").glob("kvcpu_hw*.h"))


@dataclass(frozen=True)
class Register:
    """A line of KVCPU_REGISTERS; `reset` is None if it depends on the configuration."""

    name: str
    offset: int
    access: str
    reset: int | None


def _text() -> str:
    joined = "".join(header.read_text(encoding="utf-8") for header in HEADERS).replace("\\\n", " ")
    return re.sub(r"/\*.*?\*/", " ", joined, flags=re.S)


def _lists(text: str) -> dict[str, list[list[str]]]:
    return {name: [[field.strip() for field in entry.split(",", 3)] for entry in re.findall(r"X\(([^)]*)\)", body)]
            for name, body in re.findall(r"^#define KVCPU_(\w+)\(X\)(.*)$", text, re.M)}


def _constants(text: str) -> dict[str, int]:
    expressions = dict(re.findall(r"^#define (KVCPU_\w+)[ \t]+(\S.*?)[ \t]*$", text, re.M))
    policies = {f"KVCPU_POLICY_{fields[0]}": fields[1] for fields in _lists(text)["POLICIES"]}

    def value(expression: str) -> int:
        plain = re.sub(r"\b(0x[0-9a-fA-F]+|\d+)ULL\b", r"\1", expression)
        plain = re.sub(r"KVCPU_\w+", lambda name: str(value({**policies, **expressions}[name[0]])), plain)
        if not re.fullmatch(r"[0-9a-fxA-F\s()|<+*-]+", plain):
            raise ValueError(f"no number: {expression}")
        return eval(plain)  # noqa: S307 (digits and operators only, as just checked)

    found = {}
    for name, expression in expressions.items():
        if not name.endswith("_") and re.match(r"[(\d]|KVCPU_", expression):
            found[name.removeprefix("KVCPU_")] = value(expression)
    return found


_TEXT = _text()
CONST = _constants(_TEXT)
_LISTS = _lists(_TEXT)


def numbers(name: str) -> dict[str, int]:
    """The numbers of one of the header's lists, by name."""
    return {fields[0]: int(fields[1], 0) for fields in _LISTS[name]}


def _register(fields: list[str]) -> Register:
    reset = fields[3].split(",")[0].strip()
    number = CONST[reset.removeprefix("KVCPU_")] if reset.startswith("KVCPU_") else int(reset, 0)
    return Register(fields[0], int(fields[1], 0), fields[2], None if reset == "KVCPU_RESET_CONFIG" else number)


REGISTERS = {fields[0]: _register(fields) for fields in _LISTS["REGISTERS"]}
COUNTERS = numbers("COUNTERS")
STATUS = numbers("STATUS_CODES")
OPCODES = {**numbers("COMMANDS"), **numbers("HINTS"), **numbers("ADMIN_COMMANDS")}
STATES = numbers("BLOCK_STATES")
CLASSES = numbers("VICTIM_CLASSES")
POLICIES = numbers("POLICIES")
OUTCOMES = numbers("HINT_OUTCOMES")
REASONS = numbers("HINT_REASONS")
EVENTS = numbers("EVENTS")
FLAGS = {name.removeprefix("BF_"): value for name, value in CONST.items() if name.startswith("BF_")}


def field(word: int, prefix: str) -> int:
    """A field of a register, by the prefix of its _SHIFT and _MASK."""
    return word >> CONST[f"{prefix}_SHIFT"] & CONST[f"{prefix}_MASK"]


def name_of(table: dict[str, int], number: int) -> str:
    """The name of a number in a list."""
    return next(name for name, value in table.items() if value == number)
