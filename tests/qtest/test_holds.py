#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds, REVOKE and the residency map, as the driver of a mapping uses them: through the BARs."""

import hw
from kvcpu import BLOCK, BLOCKS, SLOTS, DeviceTest, main, pattern
from rings import REVOKES, WRITE, Events, Ring

SECOND = 10**9
MAP = 0x300000


class Holds(DeviceTest):
    def setUp(self) -> None:
        super().setUp()
        self.events = Events(self.device, 4)
        self.assertTrue(self.events.open())
        self.device.command("RESIDENCY", context=1, count=BLOCKS, address=MAP)
        self.first = self.device.alloc(SLOTS + 4, context=1)
        for block in range(SLOTS + 4):
            self.device.fill(block, pattern(block), context=1)

    def hold(self, block: int, flags: int = 0) -> int | None:
        """Holds the block; returns its slot, or None."""
        done = self.device.command("HOLD", context=1, first=block, count=1, flags=flags)
        if done.status == "PENDING":
            self.settle()
            done = self.device.completion()[1]
        self.assertEqual(done.status, "SUCCESS")
        return None if done.value == hw.CONST["NO_SLOT"] else done.value

    def unhold(self, block: int, flags: int = 0) -> None:
        self.assertEqual(self.device.command("UNHOLD", first=block, count=1, flags=flags).status, "SUCCESS")

    def mapped(self, block: int, slot: int | None) -> bytes:
        return self.device.backing_bytes(block) if slot is None else self.device.slot_bytes(slot)

    def store(self, block: int, slot: int | None, data: bytes) -> None:
        """Stores as a process does through its mapping."""
        base = self.device.slow + block * BLOCK if slot is None else self.device.fast + slot * BLOCK
        self.machine.write(base, data)

    def shown(self, block: int) -> str:
        """The block's state in the residency map."""
        return hw.name_of(hw.STATES, hw.field(self.machine.load(MAP + 8 * block), "RSD_STATE"))

    def test_a_mapping_moves_with_its_block(self) -> None:
        slot = self.hold(0, WRITE)
        self.assertIsNone(slot)
        self.assertEqual(self.mapped(0, slot), pattern(0))
        self.store(0, slot, pattern(100))
        self.device.command("PIN", context=1, count=1, arg=SECOND, tag=9)
        self.settle()
        self.assertEqual(self.shown(0), "SLOW")
        self.assertEqual([(notice.block, notice.detail) for notice in self.events.take()], [(0, REVOKES["FETCH"])])
        self.unhold(0, WRITE)
        self.settle()
        self.assertEqual(self.device.completion()[0], 9)
        self.assertEqual(self.shown(0), "FAST")
        slot = self.hold(0, WRITE)
        self.assertEqual(slot, self.device.block(0).slot)
        self.assertEqual(self.mapped(0, slot), pattern(100))
        self.store(0, slot, pattern(101))
        self.device.command("UNPIN", context=1, count=1)
        self.device.command("EVICTABLE", context=1, count=1, flags=hw.CONST["F_NOW"])
        self.assertEqual(self.events.take()[0].detail, REVOKES["EVICT"])
        self.unhold(0, WRITE)
        self.settle()
        self.assertEqual(self.shown(0), "SLOW")
        self.assertEqual(self.mapped(0, self.hold(0)), pattern(101))

    def test_pressure_from_another(self) -> None:
        """One context holds all slots; PINs of another context get them one after the other."""
        for block in range(SLOTS):
            self.device.command("PIN", context=1, first=block, count=1, arg=SECOND)
            self.settle()
            self.device.command("UNPIN", context=1, first=block, count=1)
            self.hold(block, WRITE)
        while self.device.read("CPL_PENDING"):
            self.device.completion()
        other = self.device.alloc(4, context=2)
        self.device.command("PIN", context=2, first=other, count=4, arg=SECOND)
        given = set()
        while not self.device.read("CPL_PENDING"):
            for notice in self.events.take():
                self.assertEqual((notice.kind, notice.detail, notice.context), ("REVOKE", REVOKES["SLOT"], 1))
                self.assertNotIn(notice.block, given)
                given.add(notice.block)
                self.assertEqual(self.shown(notice.block), "FAST")
                self.unhold(notice.block, WRITE)
            self.machine.clock_step(1000)
        self.assertEqual(len(given), 4)
        self.settle()
        for block in range(SLOTS):
            self.assertEqual(self.device.contents(block, context=1), pattern(block))

    def test_freed_under_a_mapping(self) -> None:
        slot = self.hold(1)
        self.device.command("FREE", context=1, first=1, count=1)
        self.settle()
        self.assertEqual(self.mapped(1, slot), pattern(1))
        self.assertEqual(self.machine.load(MAP + 8), 0)
        self.assertEqual(self.device.block(1).state, "SCRUBBING")
        self.assertEqual(self.events.take()[0].detail, REVOKES["FREED"])
        self.unhold(1)
        self.settle()
        self.assertEqual(self.device.block(1).state, "FREE")
        self.assertEqual(self.device.backing_bytes(1), bytes(BLOCK))

    def test_the_event_queue_overflows(self) -> None:
        for block in range(10):
            self.hold(block)
        self.device.command("FREE", context=1, count=10)
        self.assertEqual(len(self.events.look()), 4)
        self.assertEqual([notice.block for _ in range(3) for notice in self.events.take()], list(range(10)))
        self.assertEqual(self.device.counter("NOTICES"), 10)

    def test_a_ring_in_between(self) -> None:
        """The process frees and pins through its ring; the driver holds through the admin ring."""
        admin, ring = Ring(self.device, 0), Ring(self.device, 1)
        admin.open()
        ring.open()
        ring.push("HOT", first=2, count=1, flags=0)
        ring.advance_tail()
        admin.push("HOLD", context=1, first=2, count=1, tag=5)
        admin.advance_tail()
        self.assertEqual(admin.look(), [])  # it is being fetched
        self.settle()
        done = admin.take()[0]
        self.assertEqual((done.tag, done.result.status, done.result.value), (5, "SUCCESS", self.device.block(2).slot))
        self.assertEqual(ring.run("FREE", first=2, count=1).status, "SUCCESS")
        self.assertEqual([notice.block for notice in self.events.take()], [2])
        self.assertEqual(admin.run("UNHOLD", first=2, count=1).status, "SUCCESS")
        self.settle()
        self.assertEqual(self.device.block(2).state, "FREE")


if __name__ == "__main__":
    main()
