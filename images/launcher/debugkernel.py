# SPDX-License-Identifier: MIT
"""The debug kernel: Debian's 6.1 sources, built with the checkers that images/kernel/debug.config names."""

import shutil
from pathlib import Path

from . import apt, cache, process, tree
from .errors import Exit, LauncherError
from .kernel import Kernel

SELECTOR = "debug"
CONFIG = tree.IMAGES / "kernel" / "debug.config"

_PACKAGE = "linux-source-6.1"
_LOCAL_VERSION = "LOCALVERSION=-kvcpu-debug"
_JOBS = 2
_KEPT = 2
# Sources that nothing here compiles, and most files of the package; their Kconfig files are read, and stay.
_LEFT_OUT = ("*/Documentation/*/*", "*/drivers/gpu/*.[ch]", "*/drivers/media/*.[ch]", "*/drivers/net/*.[ch]",
             "*/sound/*.[ch]", "*/tools/testing", "*/arch/[!ux]*/*.[chS]", "*/arch/[!ux]*/*.dts*")
# User, host and time of the build are constants, so that the same sources make the same kernel.
_REPRODUCIBLE = {"KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 2026", "KBUILD_BUILD_USER": "kvcpu",
                 "KBUILD_BUILD_HOST": "kvcpu"}
# What the build of a module reads of the kernel's folder.
_FOR_MODULES = ("Makefile", ".config", "Module.symvers", "scripts", "include", "arch/x86/Makefile", "arch/x86/include",
                "tools/objtool/objtool")


def kernel() -> Kernel:
    """The debug kernel, from the cache or built now (some minutes)."""
    version = apt.show(_PACKAGE).get("Version")
    if version is None:
        raise LauncherError(Exit.NO_KERNEL, f"no debug kernel: Debian's archive has no {_PACKAGE}. "
                            "`./kvcpu setup --refresh` renews the package lists.")
    compiler = process.capture(["gcc", "--version"])
    # The file is read once: an edit during the build must not give a kernel the name of another configuration.
    config = CONFIG.read_text(encoding="utf-8")
    entry_key = cache.key(Path(__file__), config, _PACKAGE, version, compiler)
    folder = cache.entry("debug-kernels", entry_key, lambda partial: _build(partial, config))
    cache.use(folder)
    cache.keep_newest("debug-kernels", _KEPT)
    release = (folder / "release").read_text(encoding="utf-8").strip()
    return Kernel(SELECTOR, release, folder)


def _build(folder: Path, config: str) -> None:
    """Fill `folder` as Kernel expects it: the image, an empty folder of modules, what modules are built against."""
    source = folder / "source"
    _extract(source)
    _spare_shadow(source)
    (source / CONFIG.name).write_text(config, encoding="utf-8")
    _make(source, "debug kernel: configure", "allnoconfig", f"KCONFIG_ALLCONFIG={CONFIG.name}")
    _check_configuration(config, (source / ".config").read_text(encoding="utf-8"))
    # kmemleak reads all memory word by word: a check of each of its own accesses would take most of its time.
    _make(source, "debug kernel: build (some minutes)", "KASAN_SANITIZE_kmemleak.o=n", "bzImage", "modules")
    release = process.capture(["make", "-s", "-C", source, _LOCAL_VERSION, "kernelrelease"]).strip()
    made = Kernel(SELECTOR, release, folder)
    for parent in (made.vmlinuz.parent, made.modules, made.headers):
        parent.mkdir(parents=True)
    shutil.copy(source / "arch/x86/boot/bzImage", made.vmlinuz)
    shutil.copy(source / "System.map", made.vmlinuz.with_name(f"System.map-{release}"))
    for name in _FOR_MODULES:
        _copy(source / name, made.headers / name)
    (folder / "release").write_text(f"{release}\n", encoding="utf-8")
    cache.remove(source)


def _extract(source: Path) -> None:
    deb = apt.download(_PACKAGE)
    source.mkdir()
    left_out = " ".join(f"--exclude='{pattern}'" for pattern in _LEFT_OUT)
    pipeline = (f"set -o pipefail; dpkg-deb --fsys-tarfile '{deb}' | tar -xO --wildcards '*/linux-source-*.tar.xz' | "
                f"tar -xJ --strip-components=1 -C '{source}' {left_out}")
    process.run_logged(["bash", "-c", pipeline], f"extract {_PACKAGE}", "debug-kernel")


def _spare_shadow(source: Path) -> None:
    """Have kmemleak not read KASAN's shadow, an eighth of all memory without a pointer in it, as on arm64."""
    file = source / "arch/x86/mm/kasan_init_64.c"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("MEMBLOCK_ALLOC_ACCESSIBLE", "MEMBLOCK_ALLOC_NOLEAKTRACE"), encoding="utf-8")


def _make(source: Path, title: str, *arguments: str) -> None:
    process.run_logged(["make", "-C", source, f"-j{_JOBS}", _LOCAL_VERSION, *arguments], title, "debug-kernel",
                       env=_REPRODUCIBLE)


def _check_configuration(wanted: str, made: str) -> None:
    """Kconfig drops without a word what it does not know or what misses a dependency; a checker must not go so."""
    holds = set(made.splitlines())
    dropped = [line for line in wanted.splitlines() if line.startswith("CONFIG_") and line not in holds]
    if dropped:
        raise LauncherError(Exit.BUILD_FAILED, f"{CONFIG.relative_to(tree.TOP)}: the kernel's configuration does not "
                            f"take {', '.join(dropped)}; something that it depends on is off")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)
