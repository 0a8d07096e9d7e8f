# SPDX-License-Identifier: GPL-2.0-or-later
"""PCI configuration without firmware: the work of a BIOS, as far as the tests need it."""

from collections.abc import Iterator

from qtest import Machine

COMMAND = 0x04
COMMAND_MEMORY = 0x2
COMMAND_MASTER = 0x4
STATUS = 0x06
CAPABILITIES = 0x34
CAP_MSIX = 0x11
CAP_EXPRESS = 0x10
BRIDGE_BUSES = 0x18
BRIDGE_MEMORY = 0x20
BRIDGE_PREFETCH = 0x24
BRIDGE_PREFETCH_UPPER = 0x28
BRIDGE_CONTROL = 0x3E
BRIDGE_BUS_RESET = 0x40
EXPRESS_CAPABILITIES = 0x04
EXPRESS_FLR = 1 << 28
EXPRESS_CONTROL = 0x08
EXPRESS_CONTROL_FLR = 1 << 15
MMCONFIG = 0xB0000000
_HOST_PCIEXBAR = 0x60


class Function:
    """Configuration space of one function."""

    def __init__(self, machine: Machine, bus: int, slot: int):
        self.machine = machine
        self._address = 0x80000000 | bus << 16 | slot << 11
        self.mmconfig = MMCONFIG | bus << 20 | slot << 15

    def read(self, offset: int, size: int = 4) -> int:
        """Read 1, 2 or 4 bytes."""
        self.machine.out(0xCF8, self._address | offset & ~3, 4)
        return self.machine.in_(0xCFC | offset & 3, size)

    def write(self, offset: int, value: int, size: int = 4) -> None:
        """Write 1, 2 or 4 bytes."""
        self.machine.out(0xCF8, self._address | offset & ~3, 4)
        self.machine.out(0xCFC | offset & 3, value, size)

    def capabilities(self) -> Iterator[tuple[int, int]]:
        """(id, offset) of each capability."""
        at = self.read(CAPABILITIES, 1)
        while at:
            yield self.read(at, 1), at
            at = self.read(at + 1, 1)

    def capability(self, wanted: int) -> int:
        """The offset of a capability that must exist."""
        return next(offset for number, offset in self.capabilities() if number == wanted)

    def bar_size(self, bar: int) -> int:
        """The size of a 64-bit BAR, by the standard procedure: write ones, and read them back."""
        offset = 0x10 + 4 * bar
        saved = self.read(offset), self.read(offset + 4)
        self.write(offset, 0xFFFFFFFF)
        self.write(offset + 4, 0xFFFFFFFF)
        mask = self.read(offset + 4) << 32 | self.read(offset) & ~0xF
        self.write(offset, saved[0])
        self.write(offset + 4, saved[1])
        return (1 << 64) - mask

    def set_bar(self, bar: int, address: int) -> None:
        """Sets the address of a 64-bit BAR."""
        self.write(0x10 + 4 * bar, address & 0xFFFFFFFF)
        self.write(0x14 + 4 * bar, address >> 32)

    def enable(self, bits: int) -> None:
        """Set bits of the Command register."""
        self.write(COMMAND, self.read(COMMAND, 2) | bits, 2)

    def disable(self, bits: int) -> None:
        """Clear bits of the Command register."""
        self.write(COMMAND, self.read(COMMAND, 2) & ~bits, 2)


def enable_mmconfig(machine: Machine) -> None:
    """Maps configuration space into memory as well."""
    Function(machine, 0, 0).write(_HOST_PCIEXBAR, MMCONFIG | 1)


def open_bridge(bridge: Function, bus: int, window: tuple[int, int], prefetch: tuple[int, int]) -> None:
    """Number the bus behind a root port, and open its windows ((first, last) each, below 4 GiB)."""
    bridge.write(BRIDGE_BUSES, bus << 16 | bus << 8)
    for offset, (first, last) in ((BRIDGE_MEMORY, window), (BRIDGE_PREFETCH, prefetch)):
        bridge.write(offset, (last >> 16 & 0xFFF0) << 16 | first >> 16 & 0xFFF0)
    bridge.write(BRIDGE_PREFETCH_UPPER, 0)
    bridge.write(BRIDGE_PREFETCH_UPPER + 4, 0)
    bridge.enable(COMMAND_MEMORY | COMMAND_MASTER)
