# SPDX-License-Identifier: MIT
"""Checkers for the driver's source: the compiler, sparse, kernel-doc and checkpatch of a kernel series.

Each returns its findings, a line each; none means clean. A tool that does not run at all is an error, not an
empty list.
"""

import re
import shutil
import subprocess
from pathlib import Path

from launcher import apt, cache, process, progress
from launcher.errors import Exit, LauncherError
from launcher.kernel import DEFAULT_SELECTOR, Kernel

_CHECKPATCH = "checkpatch.pl"
# checkpatch reads the other two files from its own folder.
_SCRIPTS = (_CHECKPATCH, "spelling.txt", "const_structs.checkpatch")
_FINDING = re.compile(r"\b(warning|error|WARNING|ERROR|modpost):")


def checkpatch_of(kernel: Kernel) -> Path:
    """checkpatch.pl of the series. Debian has it only in the package of the kernel's source."""
    package = f"linux-source-{kernel.selector}"
    suite = None if kernel.selector == DEFAULT_SELECTOR else apt.backports()

    def extract(folder: Path) -> None:
        deb = apt.download(package, suite)
        wanted = " ".join(f"'*/scripts/{name}'" for name in _SCRIPTS)
        pipeline = (f"dpkg-deb --fsys-tarfile '{deb}' | tar -xO --wildcards '*/linux-source-*.tar.xz' | "
                    f"tar -xJ -C '{folder}' --strip-components=2 --wildcards {wanted}")
        with progress.phase(f"extract checkpatch of {package}"):
            process.capture(["bash", "-o", "pipefail", "-c", pipeline])

    version = apt.show(package, suite).get("Version", "")
    if not version:
        raise LauncherError(Exit.PACKAGES, f"Debian's archive has no package {package}")
    return cache.entry("checkpatch", cache.key(package, version, *_SCRIPTS), extract) / _CHECKPATCH


def kernel_doc(kernel: Kernel, files: list[Path]) -> list[str]:
    """Findings of kernel-doc in all files; the build checks only the files that it compiles."""
    scripts = sorted(kernel.folder.glob("usr/src/linux-headers-*-common/scripts/kernel-doc"))
    if not scripts:
        raise LauncherError(Exit.BUILD_FAILED, f"the headers of Linux {kernel.release} have no kernel-doc")
    done = subprocess.run(["perl", str(scripts[0]), "-none", *map(str, files)], capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL)
    return [line for line in done.stderr.splitlines() if _FINDING.search(line)]


def compile_and_sparse(kernel: Kernel, folder: Path, target: str = "modules") -> tuple[list[str], set[str]]:
    """Findings of `make W=1 C=2`, and the names of the files that sparse has checked."""
    if shutil.which("sparse") is None:
        raise LauncherError(Exit.PACKAGES, "sparse is missing: apt-get install sparse")
    done = subprocess.run(["make", "-C", str(kernel.headers), f"M={folder}", "-j2", "W=1", "C=2", target],
                          capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                          env=process.merged_environment(None))
    lines = (done.stdout + done.stderr).splitlines()
    findings = [line for line in lines if _FINDING.search(line)]
    if done.returncode != 0 and not findings:
        raise LauncherError(Exit.BUILD_FAILED, "make failed:\n" + "\n".join(lines[-10:]))
    checked = {Path(match[1]).name for line in lines if (match := re.match(r"\s*CHECK\s+(\S+)", line))}
    return findings, checked
