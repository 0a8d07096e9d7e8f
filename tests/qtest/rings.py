# SPDX-License-Identifier: GPL-2.0-or-later
"""Queue pairs and the event queue in the machine's memory, as a process and a driver use them."""

from dataclasses import dataclass

import hw
from kvcpu import Device, Result, result

# RAM for rings; the event queue is directly before it.
AREA = 0x400000
PHASE = hw.CONST["PHASE"]
COMPLETE = hw.CONST["F_COMPLETE"]
WRITE = hw.CONST["F_WRITE"]
POLLING = 2 << 16
EACH = POLLING | 1
_WORD = {name: fields for name, fields in (("entry", hw.numbers("ENTRY_FIELDS")),
                                           ("header", hw.numbers("CQ_HEADER_FIELDS")),
                                           ("completion", hw.numbers("COMPLETION_FIELDS")),
                                           ("notice", hw.numbers("NOTICE_FIELDS")))}
_DOORBELLS = hw.numbers("DOORBELLS")
STATES = hw.numbers("RING_STATES")
NOTICES = hw.numbers("NOTICES")
REVOKES = hw.numbers("REVOKE_REASONS")


@dataclass(frozen=True)
class Completion:
    """An entry of a completion ring."""

    tag: int
    result: Result
    time: int


@dataclass(frozen=True)
class Notice:
    """A record of the event queue."""

    kind: str
    detail: int
    context: int
    block: int
    time: int


class Ring:
    """A queue pair; the queue pair of context 0 is the admin ring."""

    def __init__(self, device: Device, context: int, entries: int = 16, completions: int = 16):
        self.device, self.machine, self.context = device, device.machine, context
        self.entries, self.completions = entries, completions
        self.sq = AREA + context * 0x20000
        self.cq = self.sq + 0x10000
        self.page = device.registers + hw.CONST["DOORBELL_BASE"] + context * hw.CONST["DOORBELL_STRIDE"]
        self.tail = self.taken = 0

    def wipe(self) -> None:
        """Clears the memory and the indices, as required before OPEN."""
        self.machine.write(self.sq, bytes(self.entries * hw.CONST["ENTRY_BYTES"]))
        completions = self.completions * hw.CONST["COMPLETION_BYTES"]
        self.machine.write(self.cq, bytes(hw.CONST["CQ_HEADER_BYTES"] + completions))
        self.tail = self.taken = 0

    def open(self, coalescing: int = EACH) -> str:
        """Opens the ring; returns the status."""
        self.wipe()
        if self.context:
            return self.device.command("OPEN", context=self.context, first=self.cq, address=self.sq, arg=coalescing,
                                       count=self.completions << 16 | self.entries).status
        for name, value in (("ADMIN_SQ_ADDR", self.sq), ("ADMIN_SQ_ENTRIES", self.entries),
                            ("ADMIN_CQ_ADDR", self.cq), ("ADMIN_CQ_ENTRIES", self.completions)):
            self.device.write(name, value)
        self.device.write("QUEUE_ENABLE", self.device.read("QUEUE_ENABLE") | hw.CONST["QEN_ADMIN"])
        return "SUCCESS" if self.device.read("QUEUE_ENABLE") & hw.CONST["QEN_ADMIN"] else "OFF"

    def push_words(self, words: list[int]) -> None:
        """Writes an entry without changes."""
        at = self.sq + self.tail % self.entries * hw.CONST["ENTRY_BYTES"]
        self.machine.write(at, b"".join(word.to_bytes(8, "little") for word in words))
        self.tail += 1

    def push(self, opcode: str | int, *, first: int = 0, count: int = 0, arg: int = 0, address: int = 0,
             offset: int = 0, length: int = 0, meta: int = 0, tag: int = 0, context: int = 0,
             flags: int = COMPLETE) -> None:
        """Writes an entry; the tail is not published."""
        code = hw.OPCODES[opcode] if isinstance(opcode, str) else opcode
        self.push_words([first, count, arg, address, length << 32 | offset, meta, tag,
                         context << 32 | flags << 16 | code])

    def doorbell(self, name: str, value: int) -> None:
        """Stores to the doorbell page."""
        self.machine.store(self.page + _DOORBELLS[name], value % 2**64)

    def advance_tail(self) -> None:
        """Publishes all written entries."""
        self.doorbell("SQ_TAIL", self.tail)

    def look(self) -> list[Completion]:
        """The completions that are present and not consumed."""
        found: list[Completion] = []
        while len(found) < self.completions:
            index = self.taken + len(found)
            at = self.cq + hw.CONST["CQ_HEADER_BYTES"] + index % self.completions * hw.CONST["COMPLETION_BYTES"]
            words = [self.machine.load(at + 8 * word) for word in range(4)]
            tag = words[_WORD["completion"]["TAG"]]
            if bool(tag & PHASE) != (index // self.completions % 2 == 0):
                break
            found.append(Completion(tag & ~PHASE, result(words[_WORD["completion"]["RESULT"]]),
                                    words[_WORD["completion"]["TIME"]]))
        return found

    def take(self) -> list[Completion]:
        """The same, and their places are free."""
        found = self.look()
        if found:
            self.taken += len(found)
            self.doorbell("CQ_HEAD", self.taken)
        return found

    def run(self, opcode: str, **words: int) -> Result:
        """Writes an entry, publishes it and consumes its completion; other rings may be served first."""
        self.push(opcode, **words)
        self.advance_tail()
        for _ in range(100):
            done = self.take()
            if done:
                return done[-1].result
            self.machine.clock_step(1000)
        raise AssertionError(f"{opcode} does not end")

    def header(self, name: str) -> int:
        """A word of the completion ring's header."""
        return self.machine.load(self.cq + 8 * _WORD["header"][name])

    def state(self) -> str:
        """The fields of the header."""
        return hw.name_of(STATES, self.header("STATE"))

    def register(self, name: str) -> int:
        """A CONTEXT_* register."""
        self.device.write("CONTEXT_SELECT", self.context)
        return self.device.read(name)


class Events:
    """The event queue."""

    def __init__(self, device: Device, entries: int = 8):
        self.device, self.machine, self.entries = device, device.machine, entries
        self.at = AREA - 0x10000
        self.taken = 0

    def open(self) -> bool:
        """Enables the queue; returns whether it is enabled."""
        self.machine.write(self.at, bytes(self.entries * hw.CONST["NOTICE_BYTES"]))
        self.taken = 0
        self.device.write("EVQ_ADDR", self.at)
        self.device.write("EVQ_ENTRIES", self.entries)
        self.device.write("QUEUE_ENABLE", self.device.read("QUEUE_ENABLE") | hw.CONST["QEN_EVENTS"])
        return bool(self.device.read("QUEUE_ENABLE") & hw.CONST["QEN_EVENTS"])

    def head(self, value: int) -> None:
        """Stores to the doorbell EVQ_HEAD."""
        self.machine.store(self.device.registers + hw.CONST["DOORBELL_BASE"] + _DOORBELLS["EVQ_HEAD"], value)

    def look(self) -> list[Notice]:
        """The records that are present and not consumed."""
        found: list[Notice] = []
        while len(found) < self.entries:
            index = self.taken + len(found)
            at = self.at + index % self.entries * hw.CONST["NOTICE_BYTES"]
            words = [self.machine.load(at + 8 * word) for word in range(4)]
            if words[_WORD["notice"]["PHASE"]] != (PHASE if index // self.entries % 2 == 0 else 0):
                break
            head = words[_WORD["notice"]["HEAD"]]
            found.append(Notice(hw.name_of(NOTICES, hw.field(head, "NTC_KIND")), hw.field(head, "NTC_DETAIL"),
                                hw.field(head, "NTC_CONTEXT"), words[_WORD["notice"]["BLOCK"]],
                                words[_WORD["notice"]["TIME"]]))
        return found

    def take(self) -> list[Notice]:
        """The same, and their places are free."""
        found = self.look()
        if found:
            self.taken += len(found)
            self.head(self.taken)
        return found
