#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The device before any register access: PCI identity, BARs, capabilities; then its geometry."""

import hw
import pci
from kvcpu import BLOCK, BLOCKS, PROPERTIES, SLOT, SLOTS, Device, DeviceTest, main


class Identity(DeviceTest):
    def test_ids_class_revision(self) -> None:
        function = self.device.function
        self.assertEqual(function.read(0x00, 2), hw.CONST["PCI_VENDOR_ID"])
        self.assertEqual(function.read(0x02, 2), hw.CONST["PCI_DEVICE_ID"])
        self.assertEqual(function.read(0x08, 1), hw.CONST["PCI_REVISION"])
        self.assertEqual(function.read(0x0A, 2), hw.CONST["PCI_CLASS"])

    def test_ids_can_be_chosen(self) -> None:
        machine = self.start(vendor_id="0x1234", device_id="0x5678")
        self.assertEqual(pci.Function(machine, 0, SLOT).read(0x00), 0x56781234)

    def test_no_interrupt_pin(self) -> None:
        self.assertEqual(self.device.function.read(0x3D, 1), 0)

    def test_bars(self) -> None:
        function = self.device.function
        for bar, size, kind in ((0, hw.CONST["BAR0_SIZE"], 0x4), (2, SLOTS * BLOCK, 0xC), (4, BLOCKS * BLOCK, 0xC)):
            with self.subTest(bar=bar):
                self.assertEqual(function.bar_size(bar), size)
                self.assertEqual(function.read(0x10 + 4 * bar) & 0xF, kind)

    def test_msix_capability(self) -> None:
        function = self.device.function
        at = function.capability(pci.CAP_MSIX)
        self.assertEqual(function.read(at + 2, 2) & 0x7FF, PROPERTIES["vectors"] - 1)
        self.assertEqual(function.read(at + 4), hw.CONST["MSIX_TABLE_OFFSET"] | hw.CONST["BAR_REGISTERS"])
        self.assertEqual(function.read(at + 8), hw.CONST["MSIX_PBA_OFFSET"] | hw.CONST["BAR_REGISTERS"])

    def test_express_capability_with_flr(self) -> None:
        function = self.device.function
        at = function.capability(pci.CAP_EXPRESS)
        self.assertTrue(function.read(at + pci.EXPRESS_CAPABILITIES) & pci.EXPRESS_FLR)

    def test_nothing_answers_while_memory_is_disabled(self) -> None:
        self.device.function.disable(pci.COMMAND_MEMORY)
        self.assertNotEqual(self.device.read("ID"), hw.CONST["ID_VALUE"])
        self.device.function.enable(pci.COMMAND_MEMORY)
        self.assertEqual(self.device.read("ID"), hw.CONST["ID_VALUE"])


class Geometry(DeviceTest):
    def test_configuration_registers(self) -> None:
        expected = {"ID": hw.CONST["ID_VALUE"], "CAPS": hw.CONST["CAPS_VALUE"], "BLOCK_SIZE": BLOCK, "BLOCKS": BLOCKS,
                    "FAST_SLOTS": SLOTS, "CONTEXTS": PROPERTIES["max-contexts"], "VECTORS": PROPERTIES["vectors"],
                    "DOORBELL_LATENCY": 0, "DMA_CHANNELS": 1,
                    "DMA_LATENCY": 1000, "DMA_BANDWIDTH": PROPERTIES["dma-bandwidth"],
                    "SCRUB_BANDWIDTH": PROPERTIES["scrub-bandwidth"],
                    "POLICIES": sum(1 << number for number in hw.POLICIES.values()), "FAST_FREE": SLOTS,
                    "BLOCKS_FREE": BLOCKS, "POLICY": hw.POLICIES["HEPC"]}
        for name, value in expected.items():
            with self.subTest(register=name):
                self.assertEqual(self.device.read(name), value)

    def test_time_is_virtual_time(self) -> None:
        before = self.device.read("TIME")
        self.assertEqual(self.device.read("TIME"), before)
        self.machine.clock_step(12345)
        self.assertEqual(self.device.read("TIME"), before + 12345)

    def test_reference_identity_of_the_directory(self) -> None:
        """The published directory's 65,536 entries, with the default sizes."""
        machine = self.start(**dict.fromkeys((name.replace("-", "_") for name in PROPERTIES), None))
        device = Device(machine, pci.Function(machine, 0, SLOT))
        self.assertEqual(device.read("BLOCKS"), 65536)


class OddSizes(DeviceTest):
    """Tiers whose sizes are not powers of two."""

    properties = {"fast_size": 3 * BLOCK, "slow_size": 5 * BLOCK}

    def test_bars_are_rounded_up(self) -> None:
        self.assertEqual(self.device.function.bar_size(2), 4 * BLOCK)
        self.assertEqual(self.device.function.bar_size(4), 8 * BLOCK)

    def test_beyond_a_tier_is_zero(self) -> None:
        for base, tier, size in ((self.device.fast, 3 * BLOCK, 4 * BLOCK), (self.device.slow, 5 * BLOCK, 8 * BLOCK)):
            self.machine.write(base + tier, b"\xa5" * (size - tier))
            self.assertEqual(self.machine.read(base + tier, size - tier), bytes(size - tier))

    def test_a_tier_is_memory_to_its_end(self) -> None:
        for base, tier in ((self.device.fast, 3 * BLOCK), (self.device.slow, 5 * BLOCK)):
            self.machine.write(base + tier - 16, b"0123456789abcdef")
            self.assertEqual(self.machine.read(base + tier - 16, 24), b"0123456789abcdef" + bytes(8))


class OnRootPort(DeviceTest):
    def test_same_device_behind_a_root_port(self) -> None:
        from kvcpu import device_argument
        from qtest import Machine
        machine = Machine("-device", "pcie-root-port,id=rp0,chassis=1,addr=0x5",
                          "-device", device_argument(bus="rp0", slot=0))
        self.addCleanup(machine.close)
        pci.open_bridge(pci.Function(machine, 0, 5), 1, (0xC0000000, 0xC0FFFFFF), (0xC4000000, 0xEFFFFFFF))
        device = Device(machine, pci.Function(machine, 1, 0))
        self.assertEqual(device.read("ID"), hw.CONST["ID_VALUE"])
        device.fill(device.alloc(), b"x" * BLOCK)
        self.assertEqual(device.backing_bytes(0), b"x" * BLOCK)


if __name__ == "__main__":
    main()
