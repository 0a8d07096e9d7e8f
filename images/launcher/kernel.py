# SPDX-License-Identifier: MIT
"""Guest kernels: Debian's own, extracted from their packages into the cache, with headers to build modules against."""

import re
from dataclasses import dataclass
from pathlib import Path

from . import apt, cache, progress
from .errors import Exit, LauncherError

SELECTORS = ("6.1", "6.12")
DEFAULT_SELECTOR = "6.1"

_IMAGE = "linux-image-cloud-amd64"
_HEADERS = "linux-headers-cloud-amd64"
# Packages that a headers package depends on and that module builds need files of. The rest of its dependencies
# (compiler, linux-base, the image) are installed, in the image itself, or not needed.
_HEADER_PARTS = re.compile(r"linux-(headers-\S+-common|kbuild-\S+|compiler-gcc-\S+)$")


@dataclass(frozen=True)
class Kernel:
    """An extracted kernel."""

    selector: str
    release: str
    folder: Path

    @property
    def vmlinuz(self) -> Path:
        """The bootable image."""
        return self.folder / "boot" / f"vmlinuz-{self.release}"

    @property
    def modules(self) -> Path:
        """The folder of its modules (kernel/..., modules.order)."""
        return self.folder / "lib" / "modules" / self.release

    @property
    def headers(self) -> Path:
        """The folder to give to `make -C` for a module."""
        return self.folder / "usr" / "src" / f"linux-headers-{self.release}"


def kernel(selector: str = DEFAULT_SELECTOR) -> Kernel:
    """The newest kernel of a series ("6.1", "6.12") that the archive's index names, from the cache if it is there."""
    if selector not in SELECTORS:
        raise LauncherError(Exit.USAGE, f"no kernel is selected by {selector!r}; there are: {', '.join(SELECTORS)}")
    apt.ensure_index()
    # Asking apt costs half a second a question, so what it said is kept as long as its index stands.
    answer = cache.root() / "kernels" / f"{selector}.current"
    if answer.is_file() and answer.stat().st_mtime_ns >= apt.index_stamp().stat().st_mtime_ns:
        folder, release = answer.read_text(encoding="utf-8").split()
        if Path(folder).is_dir():
            return Kernel(selector, release, Path(folder))
    try:
        found = _from_archive(selector)
    except LauncherError as error:
        if error.code == Exit.PACKAGES:
            raise _missing(selector, error.message) from error
        raise
    with cache.reporting_disk_errors(answer):
        partial = answer.with_suffix(".partial")
        partial.write_text(f"{found.folder} {found.release}\n", encoding="utf-8")
        partial.rename(answer)
    return found


def _from_archive(selector: str) -> Kernel:
    suite = None if selector == "6.1" else apt.backports()
    image = _concrete(_IMAGE, suite, selector)
    headers = _concrete(_HEADERS, suite, selector)
    release = image.removeprefix("linux-image-")
    parts = [name for name in _dependencies(headers, suite) if _HEADER_PARTS.match(name)]
    packages = [image, headers, *parts]

    def extract(folder: Path) -> None:
        debs = [apt.download(package, suite) for package in packages]
        with progress.phase(f"extract Linux {release}"):
            for deb in debs:
                apt.unpack(deb, folder)
            _relocate(folder, release)

    version = apt.show(image, suite).get("Version", "")
    folder = cache.entry("kernels", cache.key(Path(__file__), *packages, version), extract)
    found = Kernel(selector, release, folder)
    for needed in (found.vmlinuz, found.modules, found.headers / "Makefile"):
        if not needed.exists():
            raise LauncherError(Exit.NO_KERNEL, f"{image} {version} has no {needed.relative_to(folder)}")
    return found


def _concrete(meta: str, suite: str | None, selector: str) -> str:
    """The versioned package behind a meta-package; it must be of the series that `selector` names."""
    names = _dependencies(meta, suite)
    prefix = meta.partition("-cloud")[0]
    for name in names:
        if re.match(rf"{prefix}-{re.escape(selector)}\.\d", name):
            return name
    raise _missing(selector, f"{meta}{'/' + suite if suite else ''} leads to {', '.join(names) or 'nothing'}")


def _dependencies(package: str, suite: str | None) -> list[str]:
    """Names of the packages that a package depends on (the first of each set of alternatives)."""
    depends = apt.show(package, suite).get("Depends", "")
    return [clause.split()[0] for clause in depends.split(",") if clause.strip()]


def _missing(selector: str, why: str) -> LauncherError:
    return LauncherError(Exit.NO_KERNEL, f"no guest kernel {selector} in Debian's archive: {why}. "
                         "`./kvcpu setup --refresh` renews the package lists; --kernel names another series.")


def _relocate(folder: Path, release: str) -> None:
    """Make extracted headers usable where they are: Debian's Makefile names /usr/src."""
    makefile = folder / "usr" / "src" / f"linux-headers-{release}" / "Makefile"
    text = makefile.read_text(encoding="utf-8")
    here = "$(dir $(realpath $(lastword $(MAKEFILE_LIST))))"
    relocated = text.replace("include /usr/src/", f"include {here}../")
    if relocated == text:
        raise LauncherError(Exit.NO_KERNEL, f"{makefile} does not include /usr/src/..., which is what this launcher "
                            "knows how to relocate")
    makefile.write_text(relocated, encoding="utf-8")
    # It serves to make type information (BTF) for modules, and with it the build wants pahole; without, it does not.
    (makefile.parent / "vmlinux").unlink(missing_ok=True)
    for link in (folder / "lib" / "modules" / release).iterdir():
        # `build` and `source` point to /usr/src of the running system; nothing here may follow them.
        if link.is_symlink():
            link.unlink()
