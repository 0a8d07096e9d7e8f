# SPDX-License-Identifier: MIT
"""The Debian packages that the project needs on the host: one list, and what puts them there."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from . import process, progress
from .errors import Exit, LauncherError

# By what needs them. Only what is missing gets installed.
PACKAGES: dict[str, tuple[str, ...]] = {
    "launcher": ("python3", "ca-certificates", "debian-archive-keyring", "dpkg-dev"),
    "native build": ("gcc", "g++", "meson", "ninja-build", "pkg-config", "libcunit1-dev",
                     "libcli11-dev", "libfmt-dev", "nlohmann-json3-dev", "libjs-chart.js"),
    "QEMU build": ("make", "flex", "bison", "patch", "python3-venv", "libglib2.0-dev", "libpixman-1-dev",
                   "libfdt-dev", "zlib1g-dev", "bzip2", "xz-utils"),
    "kernel module build": ("make", "gcc-12", "libelf1", "libssl3", "binutils", "perl"),
    "debug kernel build": ("make", "gcc", "flex", "bison", "bc", "libelf-dev", "xz-utils"),
    "guest image": ("busybox-static",),
    "checks": ("sparse", "gcovr", "git", "clang-format", "clang-tidy", "shellcheck", "flake8", "spin"),
    "fuzzing": ("clang", "libclang-rt-dev"),
}
# For one suite of tests alone, installed when it is run. Daemons are not among them: a machine without a Slurm or SSH
# server may not be meant to have one, and the tests of sweeps on many machines are skipped there.
BY_SUITE: dict[str, tuple[str, ...]] = {
    "report": ("chromium",),
}


def all_packages() -> list[str]:
    """Every package of the list, once."""
    return sorted({name for names in PACKAGES.values() for name in names})


def installed_versions(names: list[str]) -> dict[str, str]:
    """Version by name, of those packages that are installed."""
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status} ${Version}\\n", *names],
                          capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    versions = {}
    for line in done.stdout.splitlines():
        name, status, version = (line.split() + ["", ""])[:3]
        if status == "installed":
            versions[name] = version
    return versions


def missing(suites: Sequence[str] = ()) -> list[str]:
    """The packages of the list, and of some suites, that are not installed."""
    names = sorted({*all_packages(), *(name for suite in suites for name in BY_SUITE.get(suite, ()))})
    present = installed_versions(names)
    return [name for name in names if name not in present]


def install_command(names: list[str]) -> str:
    """The one line that a person with the rights for it can run."""
    return f"apt-get install --no-install-recommends -y {' '.join(names)}"


def _as_root() -> list[str] | None:
    """What to put before a command that needs root; None where there is no way to get root from here."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    if sys.stdin.isatty():
        return ["sudo"]
    probe = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return ["sudo", "-n"] if probe.returncode == 0 else None


def ensure(suites: Sequence[str] = ()) -> None:
    """Install what is missing, for some suites of tests also what they alone need; or stop with the line that would."""
    names = missing(suites)
    if not names:
        return
    root = _as_root()
    if root is None:
        raise LauncherError(Exit.PACKAGES, "Debian packages are missing, and there is neither root nor sudo to "
                            f"install them. Have this run once:\n  {install_command(names)}")
    if root and sys.stdin.isatty():
        # Ask for the password before the progress display owns the terminal.
        subprocess.run([*root, "true"], check=False)
    environment = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
    progress.say(f"missing packages: {' '.join(names)}")
    process.run_logged([*environment, "update"], "system package lists", "packages", code=Exit.NETWORK)
    process.run_logged([*environment, "install", "--no-install-recommends", "-y", *names],
                       f"install {len(names)} packages", "packages", code=Exit.PACKAGES)
    still = missing(suites)
    if still:
        raise LauncherError(Exit.PACKAGES, f"apt-get succeeded, and yet these are missing: {' '.join(still)}")
