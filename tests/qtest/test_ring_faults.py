#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Rings, tables, buffers and maps at invalid or own addresses; entries that change, and random entries."""

import random

import hw
from kvcpu import BLOCK, BLOCKS, BUFFER, SLOTS, DeviceTest, main, pattern
from rings import COMPLETE, EACH, Events, Ring

NOWHERE = 1 << 46
PAGES = 0x300000


class OwnAddresses(DeviceTest):
    def own(self) -> list[int]:
        """A page in each BAR."""
        doorbells = self.device.registers + hw.CONST["DOORBELL_BASE"]
        return [self.device.registers, self.device.registers + 0x2000, doorbells + 0x1000, self.device.fast,
                self.device.slow + 0x1000]

    def test_rings(self) -> None:
        ring = Ring(self.device, 1)
        for bad, status in [(address, "OWN_ADDRESS") for address in self.own()] + [(NOWHERE, "DMA_FAULT")]:
            for sq, cq in ((bad, ring.cq), (ring.sq, bad)):
                with self.subTest(sq=hex(sq), cq=hex(cq)):
                    done = self.device.command("OPEN", context=1, first=cq, address=sq, arg=EACH, count=8 << 16 | 8)
                    self.assertEqual(done.status, status)
        self.assertEqual(ring.open(), "SUCCESS")
        self.assertEqual(self.device.counter("REENTERED"), 0)

    def test_admin_ring_and_event_queue(self) -> None:
        for bad in [*self.own(), NOWHERE]:
            with self.subTest(address=hex(bad)):
                admin, events = Ring(self.device, 0), Events(self.device)
                admin.wipe = lambda: None  # type: ignore[method-assign]
                admin.sq = bad
                self.assertEqual(admin.open(), "OFF")
                self.device.write("EVQ_ADDR", bad)
                self.device.write("EVQ_ENTRIES", 8)
                self.device.write("QUEUE_ENABLE", hw.CONST["QEN_EVENTS"])
                self.assertEqual(self.device.read("QUEUE_ENABLE"), 0)
                self.assertTrue(events.open())
                self.device.write("QUEUE_ENABLE", 0)

    def test_buffers(self) -> None:
        ring = Ring(self.device, 1)
        ring.open()
        ring.run("ALLOC", count=1)
        for number, bad in enumerate([*self.own(), NOWHERE]):
            status = "DMA_FAULT" if bad == NOWHERE else "OWN_ADDRESS"
            with self.subTest(address=hex(bad)):
                done = self.device.command("BUFFER_ADD", context=1, first=number, count=64, address=bad)
                self.assertEqual(done.status, status)
                self.machine.write(BUFFER, bad.to_bytes(8, "little"))
                done = self.device.command("BUFFER_ADD", context=1, first=number, count=64, address=BUFFER)
                self.assertEqual(done.status, "SUCCESS")
                for opcode in ("READ", "WRITE"):
                    self.assertEqual(ring.run(opcode, address=number << 48, length=64).status, status)
        self.assertEqual(ring.state(), "RUNNING")
        self.assertEqual(self.device.contents(0, context=1), bytes(BLOCK))

    def test_maps(self) -> None:
        for bad in [*self.own(), NOWHERE]:
            with self.subTest(address=hex(bad)):
                done = self.device.command("RESIDENCY", context=1, count=BLOCKS, address=bad)
                self.assertEqual(done.status, "DMA_FAULT" if bad == NOWHERE else "OWN_ADDRESS")


class Hostile(DeviceTest):
    """One process sends random commands; the work of the other is not affected."""

    def setUp(self) -> None:
        super().setUp()
        self.good, self.bad = Ring(self.device, 1), Ring(self.device, 2, 64, 16)
        self.good.open()
        self.bad.open()
        self.machine.write(BUFFER, PAGES.to_bytes(8, "little"))
        self.device.command("BUFFER_ADD", context=1, count=BLOCK, address=BUFFER)
        self.good.run("ALLOC", count=4)
        for block in range(4):
            self.machine.write(PAGES, pattern(block + 1))
            self.assertEqual(self.good.run("WRITE", first=block, length=BLOCK).status, "SUCCESS")

    def check(self) -> None:
        for block in range(4):
            self.assertEqual(self.good.run("READ", first=block, length=BLOCK).status, "SUCCESS")
            self.assertEqual(self.machine.read(PAGES, BLOCK), pattern(block + 1))
        self.assertEqual(self.good.state(), "RUNNING")

    def restart(self) -> None:
        if self.bad.register("CONTEXT_STATE") & 0xFF:
            self.bad.wipe()
            self.assertEqual(self.device.command("RESTART", context=2).status, "SUCCESS")

    def test_entries(self) -> None:
        numbers = random.Random(1)
        for round_number in range(40):
            for _ in range(numbers.randrange(60)):
                words = [numbers.choice((numbers.randrange(BLOCKS + 4), numbers.getrandbits(64))) for _ in range(8)]
                if numbers.randrange(3):
                    words[7] = numbers.randrange(0x50) | numbers.randrange(16) << 16
                self.bad.push_words(words)
            self.bad.advance_tail()
            self.machine.clock_step(numbers.randrange(100_000))
            self.bad.take()
            self.restart()
            if round_number % 8 == 0:
                self.check()
        self.assertGreater(self.device.counter("COMMANDS_FAILED"), 100)
        self.check()

    def test_doorbells(self) -> None:
        numbers = random.Random(2)
        stops = self.device.counter("RINGS_STOPPED")
        for _ in range(60):
            self.bad.push("STEP", arg=1)
            value = numbers.choice((numbers.getrandbits(64), self.bad.tail + numbers.randrange(80), 0))
            self.bad.doorbell(numbers.choice(("SQ_TAIL", "CQ_HEAD")), value)
            self.restart()
        self.assertGreater(self.device.counter("RINGS_STOPPED"), stops + 20)
        self.check()

    def test_entries_that_change(self) -> None:
        """Entries changed after the doorbell write: the copy counts; entries not yet copied are checked then."""
        for _ in range(40):
            self.bad.push("TOUCH", count=BLOCKS, flags=0)
        for _ in range(24):
            self.bad.push("TOUCH", count=BLOCKS, flags=0)
        self.bad.advance_tail()
        for _ in range(64):
            done = self.bad.header("SQ_HEAD")
            if done < 64:
                at = self.bad.sq + (done + 32) % 64 * hw.CONST["ENTRY_BYTES"]
                self.machine.write(at, b"\xff" * 64)
            self.machine.clock_step(1000)
        self.assertEqual(self.bad.header("SQ_HEAD"), 64)
        self.check()

    def test_everything_is_taken(self) -> None:
        """Another context allocates all blocks and pins all slots: the blocks of this context stay its own."""
        while self.bad.run("ALLOC", count=BLOCKS).status == "SUCCESS":
            pass
        for block in range(4, BLOCKS, SLOTS):
            self.bad.push("PIN", first=block, count=min(SLOTS, BLOCKS - block), arg=3 * 10**9, flags=0)
        self.bad.advance_tail()
        self.settle()
        self.check()
        self.good.push("PIN", first=0, count=1, arg=1000, flags=COMPLETE)
        self.good.advance_tail()
        self.machine.clock_step(1000)
        self.assertEqual(self.good.take()[0].result.status, "TIMED_OUT")
        self.device.command("CLOSE", context=2)
        self.settle()
        self.assertEqual(self.device.read("BLOCKS_FREE"), BLOCKS - 4)
        self.check()


if __name__ == "__main__":
    main()
