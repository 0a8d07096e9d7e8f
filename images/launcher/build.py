# SPDX-License-Identifier: MIT
"""Building the project's parts: QEMU with the device, the native tools, the guest images."""

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from . import cache, debugkernel, initramfs, output, process, tree
from .errors import Exit, LauncherError
from .kernel import SELECTORS, Kernel, kernel

# Every kernel that --kernel takes. What builds or tests "all" means the series: the debug kernel takes minutes.
KERNELS = (*SELECTORS, debugkernel.SELECTOR)
TOOLS = ("kvctl", "kvcpu-replay")
_JOBS = 2
_TOOL_FOLDER = tree.BUILD / "guest-lib"
_PRODUCTS = tree.BUILD / "kvcpu-products.json"
_SANITIZED_PRODUCTS = tree.BUILD / "kvcpu-products-sanitized.json"
# Environment of a test: the file that it takes the products from.
_PRODUCTS_FILE = "KVCPU_PRODUCTS"


@dataclass(frozen=True)
class Products:
    """What a virtual machine is started with, beside a kernel."""

    qemu: Path
    tools: list[Path]

    def tool(self, name: str) -> Path:
        """A tool's executable."""
        return next(path for path in self.tools if path.name == name)


@dataclass(frozen=True)
class Image:
    """A kernel, and the initramfs made for it."""

    kernel: Kernel
    initramfs: Path


def products() -> Products:
    """QEMU and the tools, brought up to date."""
    built = Products(_qemu(), _native_tools())
    _record(_PRODUCTS, built)
    return built


def sanitized_products() -> Products:
    """The same, with a QEMU that ends with a report at an error of memory or undefined behaviour."""
    built = Products(_qemu("--sanitize"), _native_tools())
    _record(_SANITIZED_PRODUCTS, built)
    return built


def _record(path: Path, built: Products) -> None:
    text = json.dumps({"qemu": str(built.qemu), "tools": [str(tool) for tool in built.tools]}) + "\n"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        output.write(path, text)


def tool(name: str) -> Path:
    """A tool's executable, brought up to date; nothing else is."""
    path = _TOOL_FOLDER / name
    native(str(path.relative_to(tree.BUILD)))
    return path


def products_as_built() -> Products:
    """What `products` returned last, or the file that the environment names; nothing is built. For tests."""
    recorded = Path(os.environ.get(_PRODUCTS_FILE, _PRODUCTS))
    if not recorded.is_file():
        raise LauncherError(Exit.BUILD_FAILED, "nothing is built yet: ./kvcpu build")
    known = json.loads(recorded.read_text(encoding="utf-8"))
    built = Products(Path(known["qemu"]), [Path(path) for path in known["tools"]])
    for path in (built.qemu, *built.tools):
        if not path.is_file():
            raise LauncherError(Exit.BUILD_FAILED, f"{path} is gone: ./kvcpu build")
    return built


def image(selector: str, built: Products) -> Image:
    """The guest image for a kernel series, or for the debug kernel."""
    chosen = debugkernel.kernel() if selector == debugkernel.SELECTOR else kernel(selector)
    return Image(chosen, initramfs.base(chosen, built.tools))


def _qemu(*options: str) -> Path:
    said = process.run_logged([tree.BUILD_QEMU, *options], " ".join(("QEMU with the KV-CPU", *options)), "qemu")
    path = Path(said.rstrip().splitlines()[-1])
    if not path.is_file():
        raise LauncherError(Exit.BUILD_FAILED, f"build-qemu named no executable; its last line was: {path}")
    return path


def configure() -> None:
    """Set up the native build folder if it is not, or if a build file has changed or come since."""
    with _build_folder_lock():
        made = tree.BUILD / "build.ninja"
        if not made.is_file():
            process.run_logged(["meson", "setup", tree.BUILD, tree.TOP], "configure the native build", "native")
        # Ninja would find what has changed, but no folder that is new; and tests are listed before it runs.
        elif made.stat().st_mtime < max(path.stat().st_mtime for path in tree.build_files()):
            process.run_logged(["meson", "setup", "--reconfigure", tree.BUILD, tree.TOP],
                               "configure the native build", "native")


def set_option(name: str, value: str) -> None:
    """Give an option of the native build, which is set up, a value."""
    with _build_folder_lock():
        options = json.loads(process.capture(["meson", "introspect", "--buildoptions", tree.BUILD]))
        if next(option["value"] for option in options if option["name"] == name) != value:
            process.run_logged(["meson", "setup", "--reconfigure", f"-D{name}={value}", tree.BUILD, tree.TOP],
                               f"configure the native build with {name}", "native")


def native(*targets: str) -> None:
    """Build targets of the native build, or all of it."""
    configure()
    with _build_folder_lock():
        process.run_logged(["ninja", "-C", tree.BUILD, f"-j{_JOBS}", *targets], "native build", "native")


def _build_folder_lock() -> contextlib.AbstractContextManager[None]:
    # Two launchers in one tree would run two builds in one folder.
    return cache.lock(cache.root() / "locks" / cache.key(str(tree.TOP)))


def _native_tools() -> list[Path]:
    paths = [_TOOL_FOLDER / name for name in TOOLS]
    native(*(str(path.relative_to(tree.BUILD)) for path in paths))
    return paths
