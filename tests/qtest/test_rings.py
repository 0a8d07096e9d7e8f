#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Queue pairs: every opcode through a ring, indices, slices, interrupts, and the ends of a ring."""

import hw
import pci
from kvcpu import BLOCK, BLOCKS, BUFFER, MESSAGE, PROPERTIES, SLOTS, DeviceTest, main, pattern
from rings import AREA, COMPLETE, EACH, POLLING, WRITE, Events, Ring

SECOND = 10**9
TABLE = hw.CONST["MSIX_TABLE_OFFSET"]
PAGES = 0x300000


class RingTest(DeviceTest):
    def setUp(self) -> None:
        super().setUp()
        self.ring = Ring(self.device, 1)
        self.assertEqual(self.ring.open(), "SUCCESS")

    def buffer(self, number: int, pages: list[int], length: int, offset: int = 0, context: int = 1) -> str:
        """Registers a buffer of these pages."""
        self.machine.write(BUFFER, b"".join(page.to_bytes(8, "little") for page in pages))
        return self.device.command("BUFFER_ADD", context=context, first=number, count=length, arg=offset,
                                   address=BUFFER).status


class Opcodes(RingTest):
    def test_every_opcode(self) -> None:
        """The commands of a process, in an order in which all succeed."""
        self.assertEqual(self.buffer(3, [PAGES, PAGES + 0x5000], BLOCK, 512), "SUCCESS")
        data = pattern(5)
        self.machine.write(PAGES + 512, data[:4096 - 512])
        self.machine.write(PAGES + 0x5000, data[4096 - 512:])
        done = self.ring.run("ALLOC", count=4, meta=7 << 16 | 9, arg=100)
        self.assertEqual((done.status, done.aux, done.value), ("SUCCESS", 4, 0))
        self.assertEqual(self.ring.run("WRITE", first=0, address=3 << 48, length=BLOCK).status, "SUCCESS")
        self.assertEqual(self.device.backing_bytes(0), data)
        self.machine.write(PAGES, bytes(0x6000))
        self.assertEqual(self.ring.run("READ", first=0, address=3 << 48 | 8, offset=16, length=32).status, "SUCCESS")
        self.assertEqual(self.machine.read(PAGES + 520, 32), data[16:48])
        for hint in ("TOUCH", "HOT", "PREFETCHABLE", "SHARE", "UNSHARE", "EVICTABLE", "RELEASE", "CLEAR", "SEAL"):
            with self.subTest(hint=hint):
                done = self.ring.run(hint, first=0, count=4, arg=10)
                self.assertEqual((done.status, done.outcome, done.value), ("SUCCESS", ("ACCEPTED", "NONE"), 4))
        self.assertEqual(self.ring.run("WRITE", first=0, address=3 << 48, length=8).status, "SEALED")
        self.assertEqual(self.ring.run("STEP", arg=3).status, "SUCCESS")
        self.assertEqual(self.ring.register("CONTEXT_STEP"), 3)
        self.settle()
        self.ring.push("PIN", first=0, count=2, arg=SECOND, tag=1)
        self.ring.push("FENCE", tag=2)
        self.ring.push("PIN", first=2, count=2, arg=SECOND, tag=3)
        self.ring.push("CANCEL", arg=3, tag=4)
        self.ring.advance_tail()
        self.settle()
        done = {completion.tag: completion.result.status for completion in self.ring.take()}
        self.assertEqual((done[1], done[2], done[4]), ("SUCCESS", "SUCCESS", done[4]))
        self.assertIn((done[3], done[4]), {("CANCELLED", "SUCCESS"), ("SUCCESS", "NOT_FOUND")})
        self.assertEqual(self.ring.run("UNPIN", first=0, count=2).status, "SUCCESS")
        self.assertEqual(self.ring.state(), "RUNNING")

    def test_every_admin_opcode(self) -> None:
        admin = Ring(self.device, 0)
        self.assertEqual(admin.open(), "SUCCESS")
        ring = Ring(self.device, 2)
        done = admin.run("OPEN", context=2, first=ring.cq, address=ring.sq, count=16 << 16 | 16, arg=EACH)
        self.assertEqual(done.status, "SUCCESS")
        self.assertEqual(admin.run("COALESCE", context=2, arg=POLLING).status, "SUCCESS")
        self.machine.write(BUFFER, PAGES.to_bytes(8, "little"))
        self.assertEqual(admin.run("BUFFER_ADD", context=2, count=64, address=BUFFER).status, "SUCCESS")
        self.assertEqual(admin.run("BUFFER_REMOVE", context=2).status, "SUCCESS")
        self.assertEqual(admin.run("RESIDENCY", context=2, count=BLOCKS, address=PAGES).status, "SUCCESS")
        self.assertEqual(ring.run("ALLOC", count=1).status, "SUCCESS")
        self.assertEqual(self.machine.load(PAGES) & 1, 1)
        held = admin.run("HOLD", context=2, count=1, flags=COMPLETE | WRITE)
        self.assertEqual((held.status, held.value), ("SUCCESS", hw.CONST["NO_SLOT"]))
        self.assertEqual(admin.run("UNHOLD", context=2, count=1, flags=COMPLETE | WRITE).status, "SUCCESS")
        ring.doorbell("CQ_HEAD", 99)
        self.assertEqual(ring.state(), "BAD_HEAD")
        ring.wipe()
        self.assertEqual(admin.run("RESTART", context=2).status, "SUCCESS")
        self.assertEqual(admin.run("CLOSE", context=2).status, "SUCCESS")
        self.settle()
        self.assertEqual(self.device.read("BLOCKS_FREE"), BLOCKS)

    def test_what_a_process_may_not(self) -> None:
        admin_only = set(hw.numbers("ADMIN_COMMANDS"))
        self.device.alloc(2, context=2)
        for opcode in admin_only:
            with self.subTest(opcode=opcode):
                self.assertEqual(self.ring.run(opcode, count=1).status, "BAD_OPCODE")
        for words, status in (({"first": 0, "count": 1}, "NOT_OWNER"), ({"first": BLOCKS, "count": 1}, "BAD_RANGE"),
                              ({"first": 2**64 - 1, "count": 2}, "BAD_RANGE"), ({"count": 2**63}, "BAD_RANGE"),
                              ({"count": 1, "context": 2}, "BAD_FIELD"), ({"count": 1, "context": 1}, "BAD_FIELD"),
                              ({"count": 1, "tag": 1 << 63}, "BAD_FIELD"),
                              ({"count": 1, "flags": COMPLETE | 8}, "BAD_FIELD")):
            with self.subTest(**words):
                self.assertEqual(self.ring.run("FREE", **words).status, status)
        self.assertEqual(self.device.status_count("BAD_OPCODE"), len(admin_only))
        self.assertEqual(self.ring.header("FAILED"), len(admin_only) + 8)
        self.assertEqual(self.ring.state(), "RUNNING")


class Indices(RingTest):
    def test_laps(self) -> None:
        for lap in range(1, 60):
            for step in range(lap % 16 + 1):
                self.ring.push("STEP", arg=lap, tag=lap * 100 + step)
            self.ring.advance_tail()
            self.assertEqual([completion.tag for completion in self.ring.take()],
                             [lap * 100 + step for step in range(lap % 16 + 1)])
        self.assertEqual(self.ring.header("SQ_HEAD"), self.ring.tail)

    def test_full_completion_ring_pauses(self) -> None:
        ring = Ring(self.device, 2, 16, 4)
        ring.open()
        for step in range(10):
            ring.push("STEP", arg=step)
        ring.advance_tail()
        self.assertEqual((ring.header("SQ_HEAD"), len(ring.look())), (4, 4))
        self.settle()
        self.assertEqual(ring.header("SQ_HEAD"), 4)
        self.assertEqual([len(ring.take()) for _ in range(4)], [4, 4, 2, 0])
        self.assertEqual(self.device.counter("RING_PAUSES"), 2)

    def test_long_hints_share_slices(self) -> None:
        """The budget of a slice is 4,096 blocks; the space is smaller, so the test uses many hints."""
        ring = Ring(self.device, 2, 256, 16)
        ring.open()
        for _ in range(200):
            ring.push("TOUCH", count=BLOCKS, flags=0)
        ring.advance_tail()
        in_write = ring.header("SQ_HEAD")
        self.assertEqual(in_write, 4096 // BLOCKS)
        self.machine.clock_step(1000)
        self.assertEqual(ring.header("SQ_HEAD"), 2 * in_write)
        self.settle()
        self.assertEqual(ring.header("SQ_HEAD"), 200)

    def test_doorbell_latency(self) -> None:
        machine = self.start(doorbell_latency_ns=5000)
        device = type(self.device)(machine, pci.Function(machine, 0, 4))
        ring = Ring(device, 1)
        ring.open()
        self.assertEqual(device.read("DOORBELL_LATENCY"), 5000)
        ring.push("STEP", arg=1)
        ring.advance_tail()
        machine.clock_step(4999)
        self.assertEqual(ring.look(), [])
        machine.clock_step(1)
        self.assertEqual(len(ring.look()), 1)


class Stopping(RingTest):
    def stopped(self, why: str) -> None:
        self.assertEqual(hw.name_of(hw.numbers("RING_STATES"), self.ring.register("CONTEXT_STATE") & 0xFF), why)
        other = Ring(self.device, 2)
        other.open()
        self.assertEqual(other.run("STEP", arg=1).status, "SUCCESS")
        self.ring.advance_tail()
        self.assertEqual(self.ring.look(), [])
        self.ring.wipe()
        self.assertEqual(self.device.command("RESTART", context=1).status, "SUCCESS")
        self.assertEqual(self.ring.run("STEP", arg=1).status, "SUCCESS")
        self.device.command("CLOSE", context=2)

    def test_bad_tails(self) -> None:
        for tail in (17, 2**64 - 1, 2**32, 2**63):
            with self.subTest(tail=tail):
                self.ring.doorbell("SQ_TAIL", self.ring.tail + tail)
                self.assertEqual(self.ring.state(), "BAD_TAIL")
                self.stopped("BAD_TAIL")

    def test_bad_heads(self) -> None:
        for head in (1, 2**64 - 1, 2**40):
            with self.subTest(head=head):
                self.ring.doorbell("CQ_HEAD", self.ring.taken + head)
                self.assertEqual(self.ring.state(), "BAD_HEAD")
                self.stopped("BAD_HEAD")

    def test_doorbells_read_and_written_wrongly(self) -> None:
        for offset, size in ((0, 4), (8, 4), (0, 1), (3, 8)):
            with self.subTest(offset=offset, size=size):
                self.machine.store(self.ring.page + offset, 1, size)
        self.assertEqual(self.machine.load(self.ring.page), 0)
        self.assertEqual(self.device.counter("BAD_SIZE") + self.device.counter("BAD_ALIGNMENT"), 4)
        self.assertEqual(self.device.counter("BAD_DIRECTION"), 1)
        self.assertEqual(self.ring.state(), "RUNNING")

    def test_work_under_way_when_it_stops(self) -> None:
        """A PIN is pending, and has a reserved place: both are discarded."""
        self.ring.run("ALLOC", count=2)
        self.device.fill(0, pattern(1), context=1)
        self.ring.push("PIN", count=1, arg=SECOND, tag=5)
        self.ring.advance_tail()
        self.ring.doorbell("SQ_TAIL", 0)
        self.settle()
        self.assertEqual(self.ring.look(), [])
        self.assertEqual(self.device.status_count("CANCELLED"), 1)
        self.assertEqual(self.device.block(0).claims, 0)
        self.stopped("BAD_TAIL")


class Interrupts(RingTest):
    def setUp(self) -> None:
        super().setUp()
        for vector in range(PROPERTIES["vectors"]):
            for offset, value in ((0, MESSAGE + 4 * vector), (4, 0), (8, 0xA0 + vector), (12, 0)):
                self.machine.store(self.device.registers + TABLE + 16 * vector + offset, value, 4)
        function = self.device.function
        function.write(function.capability(pci.CAP_MSIX) + 2, 0x8000, 2)

    def messages(self) -> list[int]:
        """The vectors that were raised since the last call."""
        words = [self.machine.load(MESSAGE + 4 * vector, 4) for vector in range(PROPERTIES["vectors"])]
        self.machine.write(MESSAGE, bytes(4 * PROPERTIES["vectors"]))
        return [word - 0xA0 for word in words if word]

    def test_the_vector_of_open(self) -> None:
        for context, vector in ((2, 2), (3, 5)):
            ring = Ring(self.device, context)
            ring.open(vector << 16 | 1)
            ring.push("STEP", arg=1)
            ring.advance_tail()
            self.assertEqual(self.messages(), [vector])
        self.assertEqual(self.device.command("OPEN", context=1, arg=6 << 16, count=2 << 16 | 2).status, "BAD_FIELD")

    def test_coalescing(self) -> None:
        self.device.command("COALESCE", context=1, arg=10_000 << 32 | 4 << 16 | 3)
        self.ring.push("STEP", arg=1)
        self.ring.push("STEP", arg=1)
        self.ring.advance_tail()
        self.assertEqual(self.messages(), [])
        self.machine.clock_step(9_999)
        self.assertEqual(self.messages(), [])
        self.machine.clock_step(1)
        self.assertEqual(self.messages(), [4])
        for _ in range(3):
            self.ring.push("STEP", arg=1)
        self.ring.advance_tail()
        self.assertEqual(self.messages(), [4])
        self.device.command("COALESCE", context=1, arg=POLLING)
        self.ring.push("STEP", arg=1)
        self.ring.advance_tail()
        self.machine.clock_step(SECOND)
        self.assertEqual(self.messages(), [])

    def test_admin_and_events(self) -> None:
        admin, events = Ring(self.device, 0), Events(self.device)
        admin.open()
        self.assertTrue(events.open())
        admin.push("STEP", context=1, arg=1)
        admin.advance_tail()
        self.assertEqual(self.messages(), [0])
        self.ring.doorbell("SQ_TAIL", 77)
        self.assertEqual(self.messages(), [1])
        self.assertEqual([(notice.kind, notice.context) for notice in events.take()], [("STOPPED", 1)])


class Ends(RingTest):
    def test_flr_with_work_in_flight(self) -> None:
        admin, events = Ring(self.device, 0), Events(self.device)
        admin.open()
        events.open()
        self.ring.run("ALLOC", count=SLOTS + 2)
        for block in range(SLOTS + 2):
            self.device.fill(block, pattern(block), context=1)
        self.device.command("RESIDENCY", context=1, count=BLOCKS, address=PAGES)
        self.device.command("HOLD", context=1, first=1, count=1)
        self.ring.push("PIN", count=SLOTS, arg=SECOND)
        self.ring.push("FENCE")
        self.ring.advance_tail()
        admin.push("CLOSE", context=3)
        memory = self.machine.read(AREA - 0x10000, 0x90000)
        self.device.function.write(self.device.function.capability(pci.CAP_EXPRESS) + pci.EXPRESS_CONTROL,
                                   pci.EXPRESS_CONTROL_FLR, 2)
        self.machine.clock_step(SECOND)
        self.device.map()
        self.ring.advance_tail()
        self.assertEqual(self.machine.read(AREA - 0x10000, 0x90000), memory)
        self.assertEqual(self.device.read("QUEUE_ENABLE"), 0)
        self.assertEqual(self.device.read("BLOCKS_FREE"), BLOCKS)
        self.assertEqual(self.device.read("FAST_FREE"), SLOTS)
        self.assertEqual(self.ring.open(), "SUCCESS")
        self.assertEqual(self.ring.run("ALLOC", count=1).status, "SUCCESS")
        self.assertEqual(self.device.contents(0, context=1), bytes(BLOCK))

    def test_bus_mastering_off_with_work_in_flight(self) -> None:
        events = Events(self.device)
        events.open()
        self.ring.run("ALLOC", count=2)
        self.device.fill(0, pattern(1), context=1)
        self.ring.push("PIN", count=1, arg=SECOND)
        self.ring.advance_tail()
        self.device.function.disable(pci.COMMAND_MASTER)
        self.settle()
        self.assertEqual(self.ring.look(), [])
        self.assertEqual(self.ring.register("CONTEXT_STATE") & 0xFF, hw.numbers("RING_STATES")["CQ_FAULT"])
        self.assertEqual(self.device.read("QUEUE_ENABLE"), 0)
        self.assertEqual(self.device.block(0).claims, 1)  # it was granted; its completion could not be written
        self.device.function.enable(pci.COMMAND_MASTER)
        self.ring.wipe()
        self.assertEqual(self.device.command("RESTART", context=1).status, "SUCCESS")
        self.assertEqual(self.ring.run("UNPIN", count=1).status, "SUCCESS")
        self.assertTrue(events.open())
        self.assertEqual(events.look(), [])  # the ring runs again: the record is void

    def test_close_leaves_memory_alone(self) -> None:
        self.ring.run("ALLOC", count=4)
        self.ring.push("PIN", count=4, arg=SECOND)
        self.ring.advance_tail()
        self.assertEqual(self.device.command("CLOSE", context=1).status, "PENDING")
        memory = self.machine.read(self.ring.sq, 0x20000)
        self.settle()
        self.assertEqual(self.machine.read(self.ring.sq, 0x20000), memory)
        self.assertEqual(self.ring.open(), "SUCCESS")


if __name__ == "__main__":
    main()
