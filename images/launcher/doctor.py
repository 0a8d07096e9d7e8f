# SPDX-License-Identifier: MIT
"""`doctor`: what is there, what is missing, and what works."""

import argparse
import os
import platform
import re
import shutil
from pathlib import Path

from . import apt, build, cache, initramfs, packages, progress
from .errors import Exit, LauncherError
from .guest import Guest
from .kernel import SELECTORS
from .machine import Machine, Time

_KVM = Path("/dev/kvm")
_KVM_PROBE_TIMEOUT_S = 30.0
_DISK_NEEDED_GB = 5


def doctor(_options: argparse.Namespace) -> int:
    """`./kvcpu doctor`: a line per fact; fails if something that is needed is missing."""
    good = [_system(), _packages(), _cache(), _kernels(), _products()]
    _line("KVM", kvm_state())
    print("ready" if all(good) else "not ready: see the lines marked with !")
    return Exit.OK if all(good) else Exit.PACKAGES


def _line(what: str, fact: str, good: bool = True) -> bool:
    print(f"{' ' if good else '!'} {what:14} {fact}", flush=True)
    return good


def _system() -> bool:
    release = re.search(r'PRETTY_NAME="([^"]*)"', Path("/etc/os-release").read_text(encoding="utf-8"))
    good = _line("system", f"{release[1] if release else '?'}, Linux {platform.release()}, {os.cpu_count()} CPUs")
    if apt.codename() != "bookworm":
        good = _line("system", "this project is made for Debian 12 (bookworm)", False)
    return _line("python", platform.python_version()) and good


def _packages() -> bool:
    absent = packages.missing()
    names = packages.all_packages()
    if absent:
        return _line("packages", f"missing: {packages.install_command(absent)}", False)
    versions = packages.installed_versions(names)
    shown = ", ".join(f"{name} {versions[name]}" for name in ("gcc", "meson", "ninja-build", "busybox-static"))
    return _line("packages", f"all {len(names)} installed ({shown})")


def _cache() -> bool:
    free = shutil.disk_usage(cache.root()).free
    _line("cache", f"{cache.root()}: {cache.size_bytes() / 1e9:.2f} GB")
    return _line("disk", f"{free / 1e9:.1f} GB free (an empty cache needs {_DISK_NEEDED_GB})", free > 1e9)


def _kernels() -> bool:
    for selector in SELECTORS:
        answer = cache.root() / "kernels" / f"{selector}.current"
        known = answer.read_text(encoding="utf-8").split()[1] if answer.is_file() else "not fetched (./kvcpu setup)"
        _line("guest kernel", f"{selector}: {known}")
    return True


def _products() -> bool:
    try:
        built = build.products_as_built()
    except LauncherError as error:
        return _line("QEMU", error.message)
    return _line("QEMU", str(built.qemu)) and _line("tools", ", ".join(path.name for path in built.tools))


def kvm_state() -> str:
    """Whether KVM works, found out by booting on it: the node alone proves nothing."""
    if not _KVM.exists():
        return "no /dev/kvm"
    if not os.access(_KVM, os.R_OK | os.W_OK):
        return "/dev/kvm is there, and this user may not open it"
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    if not re.search(r"\b(vmx|svm)\b", flags):
        return "/dev/kvm is there, the processor shows no vmx or svm: not usable"
    try:
        built = build.products_as_built()
        image = build.image(SELECTORS[0], built)
        archive = initramfs.with_command(image.initramfs, ["true"], {})
        guest = Guest(qemu=built.qemu, kernel=image.kernel.vmlinuz, initramfs=archive,
                      machine=Machine(time=Time.REAL, cpus=1, kvm=True), folder=progress.log_folder() / "kvm",
                      timeout_s=_KVM_PROBE_TIMEOUT_S, title="KVM probe")
        with guest:
            guest.wait()
    except LauncherError as error:
        return f"/dev/kvm is there, and no guest boots on it: {error.message.splitlines()[0]}"
    return "works (a guest booted on it); not used: everything here runs under TCG"
