#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Unplug and reset from inside the device's own DMA: the call in progress ends, and the machine goes on."""

import pci
from kvcpu import BLOCK, BUFFER, SLOTS, Device, DeviceTest, main
from qtest import Machine
from rings import Ring
from test_plug import (BLOCKS, PORT_SLOT, PROPERTIES, SLOT_CONTROL, SLOT_CONTROL_INDICATOR_OFF,
                       SLOT_CONTROL_INDICATOR_ON, SLOT_CONTROL_POWER_OFF)

DOORBELL_LATENCY_NS = 500


class Lifetime(DeviceTest):
    """A device below a port with native hotplug and with configuration space in memory."""

    def setUp(self) -> None:
        self.machine = Machine(
            "-device", f"pcie-root-port,id=rp0,chassis=1,addr={PORT_SLOT:#x}",
            "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off")
        self.addCleanup(self.machine.close)
        self.bridge = pci.Function(self.machine, 0, PORT_SLOT)
        pci.open_bridge(self.bridge, 1, (0xC0000000, 0xC0FFFFFF), (0xC4000000, 0xEFFFFFFF))
        pci.enable_mmconfig(self.machine)
        self.plug()

    def plug(self, **changes: object) -> None:
        self.machine.qmp("device_add", **{**PROPERTIES, "fast-size": SLOTS * BLOCK, "slow-size": BLOCKS * BLOCK,
                                          **changes})
        self.slot_control = self.bridge.capability(pci.CAP_EXPRESS) + SLOT_CONTROL
        others = self.bridge.read(self.slot_control, 2) & ~(SLOT_CONTROL_POWER_OFF | SLOT_CONTROL_INDICATOR_OFF)
        self.bridge.write(self.slot_control, others | SLOT_CONTROL_INDICATOR_ON, 2)
        self.slot_off = others | SLOT_CONTROL_POWER_OFF | SLOT_CONTROL_INDICATOR_OFF
        self.device = Device(self.machine, pci.Function(self.machine, 1, 0))

    def block_with(self, value: int, context: int = 0) -> int:
        """A block that begins with these two bytes: READ copies them to where the test says."""
        block = self.device.alloc(context=context)
        self.device.fill(block, value.to_bytes(2, "little"), context=context)
        return block

    def assert_unplugged(self) -> None:
        self.machine.wait_event("DEVICE_DELETED")
        self.assertEqual(self.device.function.read(0), 0xFFFFFFFF)
        self.machine.clock_step(10**9)
        self.plug()
        self.assertEqual(self.device.read("BLOCKS_FREE"), BLOCKS)

    def test_a_command_unplugs_its_own_device(self) -> None:
        block = self.block_with(self.slot_off)
        self.device.command("READ", first=block, address=self.bridge.mmconfig + self.slot_control, length=2)
        self.assert_unplugged()

    def test_with_moves_and_pins_in_progress(self) -> None:
        self.device.write("BOOST_LEN", 4 * BLOCK)
        first = self.device.alloc(6)
        self.device.command("PIN", first=first, count=2, arg=10**9)
        block = self.block_with(self.slot_off)
        self.device.command("READ", first=block, address=self.bridge.mmconfig + self.slot_control, length=2)
        self.assert_unplugged()

    def test_a_ring_unplugs_its_own_device(self) -> None:
        """The READ is executed by a register write, and by the timer with a doorbell latency; entries follow it."""
        for latency in (0, DOORBELL_LATENCY_NS):
            with self.subTest(latency=latency):
                self.unplug_at_once()
                self.plug(**{"doorbell-latency-ns": latency})
                ring = Ring(self.device, 1)
                self.assertEqual(ring.open(), "SUCCESS")
                block = self.block_with(self.slot_off, context=1)
                page = self.bridge.mmconfig
                self.machine.store(BUFFER, page)
                done = self.device.command("BUFFER_ADD", context=1, count=BLOCK, address=BUFFER)
                self.assertEqual(done.status, "SUCCESS")
                ring.push("READ", first=block, count=1, address=self.slot_control, length=2)
                for _ in range(3):
                    ring.push("ALLOC", count=1)
                ring.advance_tail()
                self.machine.clock_step(2 * DOORBELL_LATENCY_NS)
                self.assert_unplugged()

    def unplug_at_once(self) -> None:
        self.bridge.write(self.slot_control, self.slot_off, 2)
        self.machine.wait_event("DEVICE_DELETED")

    def test_a_command_resets_the_bus_above_its_device(self) -> None:
        """Secondary-bus reset, by the bridge's own control register: the reset waits for the end of the command."""
        resets = self.device.counter("RESETS")
        block = self.block_with(pci.BRIDGE_BUS_RESET)
        self.device.command("READ", first=block, address=self.bridge.mmconfig + pci.BRIDGE_CONTROL, length=2)
        self.bridge.write(pci.BRIDGE_CONTROL, 0, 2)
        self.device.map()
        self.assertEqual(self.device.counter("RESETS"), resets + 1)
        self.machine.clock_step(10**9)
        self.assertEqual(self.device.read("BLOCKS_FREE"), BLOCKS)


if __name__ == "__main__":
    main()
