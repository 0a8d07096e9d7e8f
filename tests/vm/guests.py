# SPDX-License-Identifier: MIT
"""Guests for the tests: booted by the launcher's own modules, from what `./kvcpu build` has made."""

from pathlib import Path

from launcher import build, initramfs, tree
from launcher.guest import Guest
from launcher.machine import Machine, Time

# One host thread with one interleaving would hide races.
REAL_TIME_CPUS = 2


def machine(devices: list[str], time: Time = Time.REAL, iommu: bool = False, kernel_arguments: str = "",
            one_port: bool = False) -> Machine:
    """A machine with a KV-CPU for each text of properties, such as block-size=64K,policy=hepc."""
    properties = tuple(dict(setting.split("=", 1) for setting in text.split(",") if setting) for text in devices)
    return Machine(time=time, cpus=1 if time is Time.VIRTUAL else REAL_TIME_CPUS, devices=properties,
                   iommu=iommu, kernel_arguments=kernel_arguments, one_port=one_port)


def guest(series: str, command: list[str], name: str, *, devices: list[str], time: Time = Time.REAL,
          iommu: bool = False, kernel_arguments: str = "", one_port: bool = False,
          files: dict[str, Path] | None = None, timeout_s: float = 240) -> Guest:
    """A guest that runs a command; its logs stay in a folder of that name below build/vm-logs."""
    built = build.products_as_built()
    image = build.image(series, built)
    archive = initramfs.with_command(image.initramfs, command, files or {})
    return Guest(qemu=built.qemu, kernel=image.kernel.vmlinuz, initramfs=archive,
                 machine=machine(devices, time, iommu, kernel_arguments, one_port),
                 folder=tree.BUILD / "vm-logs" / f"{name}-{series}-{time}", timeout_s=timeout_s, title=name)
