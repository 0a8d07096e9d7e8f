#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The device event log: its records, its file, its digest."""

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

import hw
import pci
from kvcpu import MOVE_NS, SLOT, Device, DeviceTest, main, pattern, scratch
from qtest import Machine, StartFailed

SECOND = 10**9
PATH = "/machine/peripheral/kvcpu0"
BYTES = 8 * hw.CONST["EVENT_WORDS"]


@dataclass(frozen=True)
class Record:
    """A record, decoded."""

    sequence: int
    time: int
    kind: str
    detail: int
    context: int
    status: int
    first: int
    value: int


def records(data: bytes) -> list[Record]:
    """The records of a log, oldest first."""
    found = []
    for sequence, time, head, first, value in struct.iter_unpack("<5Q", data):
        found.append(Record(sequence, time, hw.name_of(hw.EVENTS, head & 0xFFFF), head >> 16 & 0xFFFF,
                            head >> 32 & 0xFFFF, head >> 48, first, value))
    return found


class Log(DeviceTest):
    def start(self, *arguments: str, **changes: object) -> Machine:
        self.path = scratch(self, "events")
        return super().start(*arguments, **{"event_log": self.path, **changes})

    def digest(self) -> str:
        return self.machine.get(PATH, "event-log-sha256")

    def restart(self) -> None:
        self.device.write("CONTROL", hw.CONST["CONTROL_LOG_RESTART"])

    def logged(self, path: Path | None = None) -> list[Record]:
        """The records of the file since the last restart; a read of the digest writes pending records to it."""
        expected = self.digest()
        data = (path or self.path).read_bytes()
        self.assertEqual(len(data) % BYTES, 0)
        found = records(data)
        start = max(index for index, record in enumerate(found) if record.kind == "LOG_RESTART")
        self.assertEqual(hashlib.sha256(data[start * BYTES:]).hexdigest(), expected)
        return found[start:]

    def test_power_on(self) -> None:
        self.assertEqual([(record.kind, record.detail) for record in self.logged()], [("LOG_RESTART", 0), ("RESET", 0)])

    def test_restart(self) -> None:
        self.device.write("STEP_ADVANCE", 1)
        self.machine.clock_step(500)
        self.restart()
        empty = self.digest()
        self.assertEqual(self.logged(), [Record(0, 0, "LOG_RESTART", 0, 0, 0, 0, 0)])
        self.machine.clock_step(70)
        self.device.write("STEP_ADVANCE", 2)
        self.assertEqual(self.logged()[1:], [Record(1, 70, "STEP", 0, 0, 0, 0, 2)])
        self.assertNotEqual(self.digest(), empty)
        self.restart()
        self.assertEqual(self.digest(), empty)

    def test_all_kinds_in_sequence(self) -> None:
        """The records of one block, with their times."""
        self.restart()
        block = self.device.alloc(context=1)
        self.device.fill(block, pattern(1), context=1)
        self.device.command("PIN", first=block, count=1, arg=SECOND, context=1)
        self.machine.clock_step(MOVE_NS)
        self.device.command("UNPIN", first=block, count=1, context=1)
        self.device.command("FREE", first=block, count=1, context=1)
        self.settle()
        found = [(record.kind, record.time, record.first, record.context) for record in self.logged()[1:]]
        self.assertEqual(found[:5], [("ALLOC", 0, 0, 1), ("WRITE", 0, 0, 1), ("PIN_WAITS", 0, 0, 1),
                                     ("FETCH_START", 0, 0, found[3][3]), ("FETCH_DONE", MOVE_NS, 0, found[4][3])])
        self.assertEqual([entry[:2] for entry in found[5:]],
                         [("PIN_GRANTED", MOVE_NS), ("UNPIN", MOVE_NS), ("FREE", MOVE_NS),
                          ("SCRUBBED", MOVE_NS + 1000)])

    def test_guest_errors_and_failures(self) -> None:
        self.restart()
        self.machine.store(self.device.registers + 0x7770, 5)
        self.device.command("FREE", first=3, count=2, context=1)
        self.assertEqual(self.logged()[1:], [
            Record(1, 0, "GUEST_ERROR", hw.COUNTERS["BAD_OFFSET"], 0, 0, 0x7770, 5),
            Record(2, 0, "COMMAND_FAILED", hw.OPCODES["FREE"], 1, hw.STATUS["NOT_OWNER"], 3, 2)])

    def test_sequence_and_count(self) -> None:
        self.restart()
        for step in range(100):
            self.device.write("STEP_ADVANCE", step)
        found = self.logged()
        self.assertEqual([record.sequence for record in found], list(range(101)))
        self.assertEqual(self.device.read("LOG_RECORDS"), 101)

    def test_same_run_same_digest(self) -> None:
        """Two machines with the same program have equal logs."""
        digests = []
        for _ in range(2):
            machine = self.start()
            self.machine, self.device = machine, Device(machine, pci.Function(machine, 0, SLOT))
            self.device.write("BOOST_LEN", 20 * 4096)
            machine.clock_step(12345)
            self.device.write("STEP_ADVANCE", 3)
            self.settle()
            # LOG_RESTART, RESET, HOT, start and end of eight fetches, STEP.
            self.assertEqual(len(self.logged()), 20)
            digests.append(self.digest())
        self.assertEqual(digests[0], digests[1])

    def test_file_is_complete_after_quit(self) -> None:
        self.device.write("STEP_ADVANCE", 3)
        self.machine.quit()
        self.assertEqual(records(self.path.read_bytes())[-1].kind, "STEP")

    def test_function_reset_is_recorded_and_does_not_restart(self) -> None:
        self.restart()
        self.device.write("CONTROL", hw.CONST["CONTROL_RESET"])
        self.assertEqual([(record.kind, record.detail) for record in self.logged()], [("LOG_RESTART", 0), ("RESET", 2)])

    def test_a_digest_without_a_file_is_computed_on_request(self) -> None:
        for wanted, digest in (("on", "^[0-9a-f]{64}$"), ("off", "^$")):
            with self.subTest(wanted=wanted):
                machine = self.start(event_log=None, event_log_digest=wanted)
                self.assertRegex(machine.get(PATH, "event-log-sha256"), digest)

    def test_the_file_ends_at_its_limit(self) -> None:
        """The file has only whole records; the digest is of all records; a restart empties the file."""
        limit = 1000 * BYTES + 7
        machine = self.start(event_log_max=limit)
        device = Device(machine, pci.Function(machine, 0, SLOT))
        before = machine.get(PATH, "event-log-sha256")
        for step in range(2000):
            device.write("STEP_ADVANCE", step)
        self.assertNotEqual(machine.get(PATH, "event-log-sha256"), before)
        self.assertEqual(self.path.stat().st_size, 1000 * BYTES)
        self.assertEqual(device.read("LOG_RECORDS"), 2002)
        device.write("CONTROL", hw.CONST["CONTROL_LOG_RESTART"])
        self.assertNotEqual(machine.get(PATH, "event-log-sha256"), before)
        self.assertEqual(self.path.stat().st_size, BYTES)

    def test_a_path_that_cannot_be_written(self) -> None:
        with self.assertRaisesRegex(StartFailed, "event-log: .*no-such-folder.*No such file"):
            self.start(event_log="/no-such-folder/events")

    def test_a_full_disk_ends_the_file_and_not_the_guest(self) -> None:
        machine = self.start(event_log="/dev/full")
        device = Device(machine, pci.Function(machine, 0, SLOT))
        for step in range(5000):
            device.write("STEP_ADVANCE", step)
        self.assertEqual(device.read("STEP_ADVANCE"), 4999)
        self.assertRegex(machine.get(PATH, "event-log-sha256"), "^[0-9a-f]{64}$")


if __name__ == "__main__":
    main()
