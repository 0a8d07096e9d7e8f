# SPDX-License-Identifier: MIT
"""What a virtual machine consists of, as QEMU arguments."""

import enum
from dataclasses import dataclass, field
from pathlib import Path

_VIRTUAL_EPOCH = "2026-01-01T00:00:00"
# An oops becomes a panic, and a panic ends the machine at once, so that a broken guest differs from a slow one.
# Mitigations are off: they would flush the emulated TLB at every system call, and there is nothing to protect here. A
# busy host may leave a guest without a processor for many seconds, so there is no lockup detector and a long RCU
# timeout. Root may map the BARs of a device that has a driver, for inspection and for the test that spoils blocks.
_KERNEL_COMMAND_LINE = ("console=ttyS0 panic=-1 oops=panic loglevel=6 nokaslr mitigations=off "
                        "no_timer_check nowatchdog rcupdate.rcu_cpu_stall_timeout=300 iomem=relaxed")
_KERNEL_IOMMU = " intel_iommu=on iommu.passthrough=0 iommu.strict=1"
# Old enough to have no RDRAND, which reads the host's entropy, and no fast `rep movsb`, which TCG copies with byte by
# byte; new enough for everything that Debian's binaries use.
_TCG_CPU = "Nehalem"
# QEMU's main loop may look at the clock just as the CPU has halted and not yet accounted for its last instructions; it
# then skips too much idle time, and the guest wakes some hundred instructions late. Recording an execution keeps the
# two from running at once; the record itself is of no use here.
_ONE_AT_A_TIME = "rr=record,rrfile=/dev/null"
# In virtual time an instruction takes 2^1 ns.
_ICOUNT_SHIFT = 1
NS_PER_INSTRUCTION = 2**_ICOUNT_SHIFT
MAX_DEVICES = 8


class Time(enum.StrEnum):
    """How guest time passes."""

    VIRTUAL = "virtual"
    REAL = "real"


@dataclass(frozen=True)
class Machine:
    """A machine: one or more KV-CPUs behind PCIe root ports, and no other device but serial ports."""

    time: Time = Time.VIRTUAL
    cpus: int = 1
    memory_mib: int = 1024
    seed: int = 1
    kvm: bool = False
    # Devices reach guest memory only where the guest's kernel lets them.
    iommu: bool = False
    # Added to the kernel's command line.
    kernel_arguments: str = ""
    # The devices are functions of one slot, behind one root port.
    one_port: bool = False
    # Properties of each device: an entry per device.
    devices: tuple[dict[str, str], ...] = field(default_factory=lambda: ({},))


def device_id(index: int) -> str:
    """QEMU's id of the index-th KV-CPU; its QOM path is /machine/peripheral/ID."""
    return f"kvcpu{index}"


def port_id(index: int) -> str:
    """QEMU's id of the root port that the index-th KV-CPU is behind."""
    return f"port{index}"


def arguments(machine: Machine, qemu: Path, kernel: Path, initramfs: Path, channels: list[Path],
              qmp_descriptor: int, *, console_on_stdio: bool = False) -> list[str]:
    """The command line. `channels` are the files for the console, stdout, stderr and the status, in this order."""
    return [
        str(qemu), "-nodefaults", "-no-user-config", "-display", "none", "-name", "kvcpu",
        *_time(machine),
        *(["-device", "intel-iommu,intremap=off"] if machine.iommu else []),
        "-m", f"{machine.memory_mib}M", "-seed", str(machine.seed),
        # Both ends of a run leave QEMU alive, so that the device can still be asked.
        "-action", "reboot=shutdown,shutdown=pause",
        "-chardev", f"socket,id=qmp,fd={qmp_descriptor}", "-mon", "chardev=qmp,mode=control",
        *_serial_ports(channels, console_on_stdio),
        *_devices(machine),
        "-kernel", str(kernel), "-initrd", str(initramfs), "-append",
        " ".join(filter(None, [_KERNEL_COMMAND_LINE + (_KERNEL_IOMMU if machine.iommu else ""),
                               machine.kernel_arguments])),
        # QMP starts the machine when the launcher listens to its events.
        "-S",
    ]


def _time(machine: Machine) -> list[str]:
    if machine.time is Time.VIRTUAL:
        # What reads the host's clock or its entropy would make two runs differ. The kernel leaves an HPET that it does
        # not use ticking every 4 ms, and each tick of virtual time wakes three threads of QEMU: most of the cost of a
        # replay.
        return ["-machine", "q35,usb=off,vmport=off,hpet=off", "-accel", "tcg,thread=single",
                "-icount", f"shift={_ICOUNT_SHIFT},sleep=off,{_ONE_AT_A_TIME}", "-smp", "1",
                "-rtc", f"base={_VIRTUAL_EPOCH},clock=vm", "-cpu", _TCG_CPU]
    accel, cpu = ("kvm", "host") if machine.kvm else ("tcg,thread=multi", _TCG_CPU)
    return ["-machine", "q35,usb=off,vmport=off", "-accel", accel, "-smp", str(machine.cpus), "-cpu", cpu]


def _serial_ports(channels: list[Path], console_on_stdio: bool) -> list[str]:
    result = []
    # Interrupts of their own: the ISA bus cannot share them.
    for index, (path, interrupt) in enumerate(zip(channels, (4, 3, 5, 7), strict=True)):
        backend = f"file,id=tty{index},path={path}"
        if index == 0 and console_on_stdio:
            backend = f"stdio,id=tty0,signal=off,logfile={path}"
        result += ["-chardev", backend, "-device", f"isa-serial,chardev=tty{index},index={index},irq={interrupt}"]
    return result


def _devices(machine: Machine) -> list[str]:
    result = []
    # Two runs can be compared by their event logs in virtual time alone.
    digest = ",event-log-digest=on" if machine.time is Time.VIRTUAL else ""
    for index, properties in enumerate(machine.devices):
        port = port_id(0 if machine.one_port else index)
        place = f",addr=0.{index},multifunction=on" if machine.one_port else ""
        settings = "".join(f",{key}={value}" for key, value in properties.items())
        if not machine.one_port or index == 0:
            result += ["-device", f"pcie-root-port,id={port},chassis={index + 1},addr={index + 2:#x}"]
        result += ["-device", f"kvcpu,id={device_id(index)},bus={port}{place}{digest}{settings}"]
    return result
