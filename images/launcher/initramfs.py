# SPDX-License-Identifier: MIT
"""The guest's initramfs: busybox, our init, the module, the tools; and per run the command and its files."""

import shlex
from pathlib import Path

from . import cache, cpio, driver, process, tree
from .errors import Exit, LauncherError
from .kernel import Kernel

_BUSYBOX = Path("/bin/busybox")
_KEPT = 8
# The guest's user is root, and this is where a command starts.
HOME = "/root"
_FOLDERS = ("/dev", "/proc", "/sys", "/tmp", "/run", HOME)
_ACCOUNTS = {
    "/etc/passwd": f"root:x:0:0:root:{HOME}:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n".encode(),
    "/etc/group": b"root:x:0:\nnogroup:x:65534:\n",
}


def base(kernel: Kernel, tools: list[Path]) -> Path:
    """The part that is the same for every run: an archive file in the cache."""
    if not _BUSYBOX.is_file():
        raise LauncherError(Exit.PACKAGES, f"{_BUSYBOX} is missing: apt-get install busybox-static")
    module = driver.module(kernel)
    init = tree.IMAGES / "init"

    def pack(folder: Path) -> None:
        archive = cpio.Archive()
        for name in _FOLDERS:
            archive.folder(name)
        # The kernel opens it before there is a devtmpfs, as the standard streams of init.
        archive.character_device("/dev/console", 5, 1)
        archive.file("/init", init, 0o755)
        archive.file("/bin/busybox", _BUSYBOX, 0o755)
        for applet in process.capture([_BUSYBOX, "--list-full"]).split():
            if applet != "bin/busybox":
                archive.link(f"/{applet}", "/bin/busybox")
        for path, text in _ACCOUNTS.items():
            archive.file(path, text)
        modules = f"/lib/modules/{kernel.release}"
        order = driver.load_order(module, kernel)
        for path in order:
            archive.file(f"{modules}/{path.name}", path)
        archive.file("/lib/modules/load-order", "".join(f"{modules}/{path.name}\n" for path in order).encode())
        for tool in tools:
            archive.file(f"/usr/bin/{tool.name}", tool, 0o755)
        (folder / "initramfs.cpio").write_bytes(archive.pack())

    code = [Path(__file__), Path(cpio.__file__), Path(driver.__file__)]
    folder = cache.entry("initramfs", cache.key(kernel.release, init, module, _BUSYBOX, *code, *tools), pack)
    cache.keep_newest("initramfs", _KEPT)
    return folder / "initramfs.cpio"


def with_command(base_archive: Path, command: list[str], files: dict[str, Path], *, load_modules: bool = True,
                 interactive: bool = False) -> bytes:
    """An initramfs for one run: the base, and behind it the command and its files (host path by guest path)."""
    archive = cpio.Archive()
    settings = f"LOAD_MODULES={int(load_modules)}\nINTERACTIVE={int(interactive)}\n"
    archive.file("/run/kvcpu/settings", settings.encode())
    archive.file("/run/kvcpu/command", f"#!/bin/sh\nexec {shlex.join(command)}\n".encode(), 0o755)
    for guest_path, host_path in files.items():
        archive.file(guest_path, host_path, 0o755 if host_path.stat().st_mode & 0o111 else 0o644)
    return base_archive.read_bytes() + archive.pack()
