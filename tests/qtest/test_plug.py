#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plug and unplug in a running machine: no resource of a device remains, in any state of the device."""

import pci
from kvcpu import BLOCK, BLOCKS, SLOTS, Device, DeviceTest, main, pattern, scratch
from qtest import Machine, Refused
from rings import AREA, Events, Ring

SECOND = 10**9
PORT_SLOT = 5
SLOT_CONTROL = 0x18
SLOT_CONTROL_POWER_OFF = 1 << 10
SLOT_CONTROL_INDICATOR = 3 << 8
SLOT_CONTROL_INDICATOR_ON = 1 << 8
SLOT_CONTROL_INDICATOR_OFF = 3 << 8
PROPERTIES = {"driver": "kvcpu", "id": "plugged", "bus": "rp0", "block-size": BLOCK, "policy": "hepc",
              "dma-channels": 1, "dma-bandwidth": BLOCK * 1000000, "scrub-bandwidth": BLOCK * 1000000}


class Plug(DeviceTest):
    def setUp(self) -> None:
        self.machine = Machine(
            "-device", f"pcie-root-port,id=rp0,chassis=1,addr={PORT_SLOT:#x}",
            "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
            "-object", f"memory-backend-ram,id=fast,size={SLOTS * BLOCK}",
            "-object", f"memory-backend-ram,id=slow,size={BLOCKS * BLOCK}")
        self.addCleanup(self.machine.close)
        self.bridge = pci.Function(self.machine, 0, PORT_SLOT)
        pci.open_bridge(self.bridge, 1, (0xC0000000, 0xC0FFFFFF), (0xC4000000, 0xEFFFFFFF))

    def add(self, **changes: object) -> Device:
        sizes = {} if "fast-memdev" in changes else {"fast-size": SLOTS * BLOCK, "slow-size": BLOCKS * BLOCK}
        self.machine.qmp("device_add", **{**PROPERTIES, **sizes, **changes})
        self.slot_control(SLOT_CONTROL_INDICATOR_ON)
        self.device = Device(self.machine, pci.Function(self.machine, 1, 0))
        return self.device

    def slot_control(self, bits: int) -> None:
        """Set the slot's power and its indicator, as a guest's hotplug driver does."""
        register = self.bridge.capability(pci.CAP_EXPRESS) + SLOT_CONTROL
        others = self.bridge.read(register, 2) & ~(SLOT_CONTROL_POWER_OFF | SLOT_CONTROL_INDICATOR)
        self.bridge.write(register, others | bits, 2)

    def remove(self) -> None:
        """Requests the unplug, and turns the slot off, which releases the device."""
        self.machine.qmp("device_del", id="plugged")
        self.slot_control(SLOT_CONTROL_POWER_OFF | SLOT_CONTROL_INDICATOR_OFF)
        self.machine.wait_event("DEVICE_DELETED")

    def test_again_and_again(self) -> None:
        for round_number in range(3):
            with self.subTest(round_number=round_number):
                device = self.add()
                self.assertEqual(device.read("BLOCKS"), BLOCKS)
                block = device.alloc()
                self.assertEqual(device.contents(block), bytes(BLOCK))
                device.fill(block, pattern(round_number))
                self.remove()

    def test_with_moves_under_way(self) -> None:
        device = self.add()
        device.write("BOOST_LEN", 4 * BLOCK)
        first = device.alloc(6)
        device.command("PIN", first=first, count=2, arg=SECOND)
        self.machine.clock_step(500)
        self.assertIn("FETCHING", device.states(range(BLOCKS)))
        self.remove()
        self.machine.clock_step(SECOND)
        self.assertEqual(self.add().read("BLOCKS_FREE"), BLOCKS)

    def test_with_rings_alive(self) -> None:
        device = self.add()
        ring, events = Ring(device, 1), Events(device)
        self.assertEqual((ring.open(), events.open()), ("SUCCESS", True))
        ring.run("ALLOC", count=2)
        device.fill(0, pattern(1), context=1)
        ring.push("PIN", count=1, arg=SECOND)
        ring.advance_tail()
        device.command("HOLD", context=1, first=1, count=1)
        memory = self.machine.read(AREA - 0x10000, 0x90000)
        self.remove()
        self.machine.clock_step(SECOND)
        self.assertEqual(self.machine.read(AREA - 0x10000, 0x90000), memory)
        ring = Ring(self.add(), 1)
        self.assertEqual(ring.open(), "SUCCESS")
        self.assertEqual(ring.run("ALLOC", count=1).status, "SUCCESS")

    def test_backends_are_given_back(self) -> None:
        for round_number in range(2):
            with self.subTest(round_number=round_number):
                device = self.add(**{"fast-memdev": "fast", "slow-memdev": "slow"})
                block = device.alloc()
                # The bytes of the previous device are gone.
                self.assertEqual(device.backing_bytes(block), bytes(BLOCK))
                device.fill(block, pattern(9))
                self.remove()
        self.machine.qmp("object-del", id="fast")
        self.machine.qmp("object-del", id="slow")

    def test_a_refused_device_leaves_nothing(self) -> None:
        for changes in ({"dma-channels": 99}, {"policy": "none"}, {"event-log": "/no-such-folder/x"},
                        {"fast-memdev": "fast", "slow-memdev": "fast"}):
            with self.subTest(**{name.replace("-", "_"): value for name, value in changes.items()}):
                with self.assertRaises(Refused):
                    self.add(**changes)
        device = self.add(**{"fast-memdev": "fast", "slow-memdev": "slow"})
        self.assertEqual(device.read("BLOCKS"), BLOCKS)

    def test_event_log_is_closed(self) -> None:
        path = scratch(self, "events")
        self.add(**{"event-log": str(path)}).write("STEP_ADVANCE", 3)
        self.remove()
        self.assertEqual(path.stat().st_size % 40, 0)
        self.assertGreaterEqual(path.stat().st_size, 3 * 40)

    def test_migration_is_refused(self) -> None:
        self.add()
        with self.assertRaisesRegex(Refused, "kvcpu"):
            self.machine.qmp("migrate", uri="exec:cat >/dev/null")


if __name__ == "__main__":
    main()
