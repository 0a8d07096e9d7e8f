# SPDX-License-Identifier: GPL-2.0-or-later
"""A driver for the device, and the base class of the tests."""

import sys
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import hw  # noqa: E402 (the line above comes first: the source tree stays clean)
import pci  # noqa: E402
from qtest import Machine  # noqa: E402
from support.tap import main  # noqa: E402, F401 (for the tests, which take all they need from here)

SLOT = 4
# Addresses below 4 GiB and above RAM, with space for the default sizes; those of a second device follow.
BARS = (0xC0000000, 0xC4000000, 0xE0000000)
BARS_STRIDE = 0x1000000
# RAM that the tests use for DMA and for interrupt messages.
BUFFER = 0x100000
MESSAGE = 0x200000

BLOCK = 4096
SLOTS = 8
BLOCKS = 64
# One channel, and round numbers: a move takes 1,000 + 1,000 ns, a scrub 1,000 ns.
MOVE_NS = 2000
SCRUB_NS = 1000
PROPERTIES = {"block-size": BLOCK, "fast-size": SLOTS * BLOCK, "slow-size": BLOCKS * BLOCK, "max-contexts": 4,
              "policy": "hepc", "dma-channels": 1, "dma-latency-ns": 1000, "dma-bandwidth": BLOCK * 1000000,
              "scrub-bandwidth": BLOCK * 1000000, "vectors": 6}


@dataclass(frozen=True)
class Result:
    """CMD_RESULT or CPL_RESULT."""

    status: str
    aux: int
    value: int

    @property
    def outcome(self) -> tuple[str, str]:
        """The outcome of a hint, and its reason."""
        return (hw.name_of(hw.OUTCOMES, self.aux & hw.CONST["HINT_OUTCOME_MASK"]),
                hw.name_of(hw.REASONS, self.aux >> hw.CONST["HINT_REASON_SHIFT"]))


@dataclass(frozen=True)
class Block:
    """The directory entry of a block."""

    state: str
    victim_class: str
    owner: int
    flags: frozenset[str]
    tier: int
    slot: int | None
    claims: int
    sharers: int
    generation: int
    target: int
    last_step: int


def result(word: int) -> Result:
    """The fields of a result register."""
    return Result(hw.name_of(hw.STATUS, hw.field(word, "RES_STATUS")), hw.field(word, "RES_AUX"),
                  hw.field(word, "RES_VALUE"))


class Device:
    """One KV-CPU with mapped BARs."""

    def __init__(self, machine: Machine, function: pci.Function, index: int = 0):
        self.machine = machine
        self.function = function
        self.registers, self.fast, self.slow = (base + index * BARS_STRIDE for base in BARS)
        self.map()

    def map(self) -> None:
        """Sets the addresses of the BARs, and enables the function."""
        self.function.set_bar(hw.CONST["BAR_REGISTERS"], self.registers)
        self.function.set_bar(hw.CONST["BAR_FAST"], self.fast)
        self.function.set_bar(hw.CONST["BAR_SLOW"], self.slow)
        self.function.enable(pci.COMMAND_MEMORY | pci.COMMAND_MASTER)

    def read(self, name: str) -> int:
        """A register."""
        return self.machine.load(self.registers + hw.REGISTERS[name].offset)

    def write(self, name: str, value: int) -> None:
        """A register."""
        self.machine.store(self.registers + hw.REGISTERS[name].offset, value)

    def counter(self, name: str) -> int:
        """A counter."""
        return self.machine.load(self.registers + hw.CONST["COUNTER_BASE"] + 8 * hw.COUNTERS[name])

    def counters(self) -> dict[str, int]:
        """All counters, by name."""
        return {name: self.counter(name) for name in hw.COUNTERS}

    def status_count(self, name: str) -> int:
        """The number of commands that ended with a status."""
        return self.machine.load(self.registers + hw.CONST["STATUS_COUNTER_BASE"] + 8 * hw.STATUS[name])

    def command(self, opcode: str, *, first: int = 0, count: int = 0, arg: int = 0, address: int = 0, offset: int = 0,
                length: int = 0, meta: int = 0, tag: int = 0, context: int = 0, flags: int = 0) -> Result:
        """Fills the command window, executes the command, and reads the result."""
        for name, value in (("CMD_FIRST", first), ("CMD_COUNT", count), ("CMD_ARG", arg), ("CMD_ADDR", address),
                            ("CMD_EXTENT", length << 32 | offset), ("CMD_META", meta), ("CMD_TAG", tag)):
            self.write(name, value)
        self.write("CMD_CONTROL", context << 32 | flags << 16 | hw.OPCODES[opcode])
        return result(self.read("CMD_RESULT"))

    def completion(self) -> tuple[int, Result, int]:
        """Removes the oldest completion; returns tag, result and time."""
        taken = self.read("CPL_TAG"), result(self.read("CPL_RESULT")), self.read("CPL_TIME")
        self.write("CPL_POP", 1)
        return taken

    def block(self, number: int) -> Block:
        """The directory entry of a block."""
        self.write("BLOCK_SELECT", number)
        state, place = self.read("BLOCK_STATE"), self.read("BLOCK_PLACE")
        flags = hw.field(state, "BST_FLAGS")
        slot = hw.field(place, "BPL_SLOT")
        return Block(hw.name_of(hw.STATES, hw.field(state, "BST_STATE")),
                     hw.name_of(hw.CLASSES, hw.field(state, "BST_CLASS")), hw.field(state, "BST_OWNER"),
                     frozenset(name for name, bit in hw.FLAGS.items() if flags & bit),
                     hw.field(state, "BST_TIER"), None if slot == hw.CONST["NO_SLOT"] else slot,
                     hw.field(place, "BPL_CLAIMS"), hw.field(place, "BPL_SHARERS"),
                     hw.field(self.read("BLOCK_USE"), "BUS_GENERATION"), self.read("BLOCK_TARGET"),
                     self.read("BLOCK_LAST_STEP"))

    def states(self, numbers: range) -> list[str]:
        """States of several blocks."""
        return [self.block(number).state for number in numbers]

    def backing_bytes(self, block: int, size: int = BLOCK) -> bytes:
        """A block's backing block, through BAR 4."""
        return self.machine.read(self.slow + block * BLOCK, size)

    def slot_bytes(self, slot: int, size: int = BLOCK) -> bytes:
        """A slot, through BAR 2."""
        return self.machine.read(self.fast + slot * BLOCK, size)

    def alloc(self, count: int = 1, *, context: int = 0, **words: int) -> int:
        """Allocates exactly `count` blocks in one run; returns the first."""
        done = self.command("ALLOC", count=count, context=context, **words)
        if (done.status, done.aux) != ("SUCCESS", count):
            raise AssertionError(f"ALLOC of {count}: {done}")
        return done.value

    def fill(self, block: int, data: bytes, *, context: int = 0) -> None:
        """Write a whole block by DMA."""
        self.machine.write(BUFFER, data)
        done = self.command("WRITE", first=block, address=BUFFER, length=len(data), context=context)
        if done.status != "SUCCESS":
            raise AssertionError(f"WRITE of block {block}: {done}")

    def contents(self, block: int, size: int = BLOCK, *, context: int = 0) -> bytes:
        """Read a block by DMA."""
        self.machine.write(BUFFER, bytes(size))
        done = self.command("READ", first=block, address=BUFFER, length=size, context=context)
        if done.status != "SUCCESS":
            raise AssertionError(f"READ of block {block}: {done}")
        return self.machine.read(BUFFER, size)


def pattern(block: int, size: int = BLOCK) -> bytes:
    """Bytes that differ between blocks, and between places in a block."""
    return b"".join((block << 32 | word).to_bytes(8, "little") for word in range(1, size // 8 + 1))


def device_argument(index: int = 0, bus: str = "pcie.0", slot: int | None = None, **changes: Any) -> str:
    """The -device argument; `changes` are properties with _ for -."""
    properties = {**PROPERTIES, **{key.replace("_", "-"): value for key, value in changes.items()}}
    settings = "".join(f",{key}={value}" for key, value in properties.items() if value is not None)
    return f"kvcpu,id=kvcpu{index},bus={bus},addr={SLOT + index if slot is None else slot:#x}{settings}"


class DeviceTest(unittest.TestCase):
    """Starts a new machine with one device for every test."""

    properties: dict[str, Any] = {}

    def setUp(self) -> None:
        self.machine = self.start()
        self.device = Device(self.machine, pci.Function(self.machine, 0, SLOT))

    def start(self, *arguments: str, **changes: Any) -> Machine:
        """A machine with a device with the properties of the class, and changes."""
        machine = Machine("-device", device_argument(**{**self.properties, **changes}), *arguments)
        self.addCleanup(machine.close)
        return machine

    def settle(self, nanoseconds: int = 1_000_000) -> None:
        """Advances time until all moves in progress have ended."""
        self.machine.clock_step(nanoseconds)

    def assert_counts(self, before: dict[str, int], **expected: int) -> None:
        """Checks that exactly these counters have changed since `before`, by these differences."""
        now = self.device.counters()
        moved = {name: now[name] - before[name] for name in now if now[name] != before[name]}
        self.assertEqual(moved, expected)


def scratch(test: unittest.TestCase, name: str) -> Path:
    """A file name in a folder that is removed after the test."""
    import tempfile
    folder = tempfile.TemporaryDirectory(prefix="kvcpu-qtest-")
    test.addCleanup(folder.cleanup)
    return Path(folder.name) / name
