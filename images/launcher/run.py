# SPDX-License-Identifier: MIT
"""`run` and `shell`: a command, or a person, in a fresh guest."""

import argparse
import contextlib
import os
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

from . import build, initramfs, packages, progress, tree
from .errors import Exit, LauncherError
from .guest import Channel, Guest
from .machine import Machine, Time

# One host thread with one interleaving would hide races.
_REAL_TIME_CPUS = 2


def machine_from(options: argparse.Namespace) -> Machine:
    """The machine that the command line asks for."""
    properties: dict[str, str] = {}
    for setting in options.device:
        key, separator, value = setting.partition("=")
        if not separator or not key or "," in setting:
            raise LauncherError(Exit.USAGE, f"--device wants KEY=VALUE, not {setting!r}")
        properties[key] = value
    if properties.get("policy") not in (None, *tree.policies()):
        raise LauncherError(Exit.USAGE, f"--device policy={properties['policy']}: no such policy; there are: "
                            f"{', '.join(tree.policies())}")
    time = Time(options.time)
    cpus = options.cpus or (1 if time is Time.VIRTUAL else _REAL_TIME_CPUS)
    if time is Time.VIRTUAL and cpus != 1:
        raise LauncherError(Exit.USAGE, f"--cpus {cpus}: virtual time has one CPU")
    return Machine(time=time, cpus=cpus, memory_mib=options.memory, seed=options.seed, iommu=options.iommu,
                   devices=tuple(dict(properties) for _ in range(options.devices)))


def files_from(options: argparse.Namespace) -> dict[str, Path]:
    """Host file by guest path, of every --file HOST[:GUEST]."""
    files = {}
    for argument in options.file:
        host, _, guest = argument.partition(":")
        path = Path(host)
        if not os.path.isfile(path):  # False also for a path that is too long
            raise LauncherError(Exit.USAGE, f"--file {argument}: {host} is not a file")
        guest_path = guest or f"{initramfs.HOME}/{path.name}"
        if not guest_path.startswith("/"):
            raise LauncherError(Exit.USAGE, f"--file {argument}: the guest's path must be absolute")
        files[guest_path] = path
    return files


def run(options: argparse.Namespace) -> int:
    """`./kvcpu run -- CMD`: CMD's output and status."""
    machine, files = machine_from(options), files_from(options)
    guest = _guest(options, machine, files, options.command)

    def pass_on(channel: Channel, data: bytes) -> None:
        if channel is Channel.CONSOLE and not options.console:
            return
        stream = sys.stdout if channel is Channel.STDOUT else sys.stderr
        stream.buffer.write(data)
        stream.flush()

    guest.on_output = pass_on
    with guest:
        outcome = guest.wait()
    if outcome.complaints:
        what = f"the guest kernel complained: {outcome.complaints[0]}"
        if outcome.status == 0:
            raise LauncherError(Exit.GUEST_COMPLAINED, what, outcome.console)
        progress.say(f"kvcpu: {what}\n  console: {outcome.console}")
    return outcome.status


def shell(options: argparse.Namespace) -> int:
    """`./kvcpu shell`: the guest's console on this terminal."""
    machine, files = machine_from(options), files_from(options)
    guest = _guest(options, machine, files, ["/bin/sh", "-l"])
    guest.interactive = True
    progress.say("kvcpu: the module is loaded; `exit` ends the guest")
    with _terminal_kept(), guest:
        return guest.wait().status


def _guest(options: argparse.Namespace, machine: Machine, files: dict[str, Path], command: list[str]) -> Guest:
    if options.prebuilt:
        built = build.products_as_built()
    else:
        packages.ensure()
        built = build.products()
    image = build.image(options.kernel, built)
    archive = initramfs.with_command(image.initramfs, command, files, load_modules=options.modules,
                                     interactive=options.subcommand == "shell")
    return Guest(qemu=built.qemu, kernel=image.kernel.vmlinuz, initramfs=archive, machine=machine,
                 folder=progress.log_folder() / "guest", timeout_s=options.timeout,
                 title=f"guest (Linux {image.kernel.release}, {machine.time} time)")


@contextlib.contextmanager
def _terminal_kept() -> Iterator[None]:
    """Give the terminal back as it was: QEMU makes it raw, and may be killed before it undoes that."""
    if not sys.stdin.isatty():
        yield
        return
    state = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, state)
