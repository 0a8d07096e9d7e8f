# SPDX-License-Identifier: MIT
"""The driver's module, and modules of tests, built for a guest kernel outside the source tree."""

import re
import shutil
from pathlib import Path

from . import cache, process, tree
from .errors import LauncherError
from .kernel import Kernel

MODULE = "kvcpu.ko"
_JOBS = 2
_KEPT = 8


def module(kernel: Kernel) -> Path:
    """kvcpu.ko for a kernel, built if the cache has none of these sources."""
    # The driver finds the hardware contract beside itself.
    return external_module(kernel, tree.DRIVER, MODULE, tree.HARDWARE_INCLUDE)


def external_module(kernel: Kernel, source: Path, name: str, *includes: Path) -> Path:
    """The module `name` that the folder `source` of the tree makes for a kernel; from the cache if it is there."""
    # The copy keeps the tree's layout.
    sources = (source, *includes)

    def build(folder: Path) -> None:
        work = folder / "source"
        for part in sources:
            shutil.copytree(part, work / part.relative_to(tree.TOP))
        copy = work / source.relative_to(tree.TOP)
        try:
            process.run_logged(["make", "-C", kernel.headers, f"M={copy}", f"-j{_JOBS}", "modules"],
                               f"{name} for Linux {kernel.release}", f"driver-{kernel.selector}")
        except LauncherError as error:
            # The message names the file to edit, and not its copy.
            error.message = error.message.replace(str(work), str(tree.TOP))
            raise
        process.capture(["strip", "--strip-debug", "-o", folder / name, copy / name])
        cache.remove(work)

    folder = cache.entry("driver", cache.key(Path(__file__), kernel.folder.name, *sources), build)
    cache.keep_newest("driver", _KEPT)
    return folder / name


def load_order(built: Path, kernel: Kernel) -> list[Path]:
    """The module and what it depends on, in the order to load them."""
    by_name = {path.stem.replace("-", "_"): path for path in kernel.modules.rglob("*.ko")}
    order: list[Path] = []

    def visit(path: Path) -> None:
        depends = re.search(rb"\0depends=([^\0]*)\0", b"\0" + path.read_bytes())
        for name in filter(None, depends[1].decode().split(",") if depends else []):
            needed = by_name[name.replace("-", "_")]
            if needed not in order:
                visit(needed)
        order.append(path)

    visit(built)
    return order
