# SPDX-License-Identifier: MIT
"""Debian packages and sources from an apt configuration of our own.

The system's apt configuration is read (mirror, proxy) and never changed. Ours lives in the cache: a sources list
with the release's own suites and its backports, binary and source, and a state folder. What is downloaded is
extracted where it is needed, not installed.
"""

import hashlib
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import cache, process
from .errors import Exit, LauncherError

NEXT_RELEASE = "trixie"
_DEFAULT_MIRROR = "http://deb.debian.org/debian"
_DEFAULT_SECURITY_MIRROR = "http://deb.debian.org/debian-security"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_URI_LINE = re.compile(r"^'(?P<uri>[^']+)' (?P<name>\S+) (?P<size>\d+) (?:(?P<hash>\w+):(?P<digest>\w+))?")
_NETWORK_WORDS = ("Could not resolve", "Temporary failure resolving", "Could not connect", "Connection timed out",
                  "Connection failed", "Unable to connect", "Network is unreachable", "Could not handshake",
                  "Connection refused", "connection timed out", "503 ", "502 ")


@dataclass(frozen=True)
class RemoteFile:
    """A file that apt would download: its name, size in bytes, and digest as apt verified it by signature."""

    name: str
    size: int
    algorithm: str
    digest: str


def codename() -> str:
    """The release's code name (bookworm)."""
    for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise LauncherError(Exit.PACKAGES, "/etc/os-release names no VERSION_CODENAME; this launcher needs Debian 12")


def backports() -> str:
    """The name of the release's backports suite."""
    return f"{codename()}-backports"


def system_mirrors(etc: Path = Path("/etc/apt")) -> dict[str, str]:
    """URI by suite, of the binary sources that the system's apt is configured with."""
    mirrors: dict[str, str] = {}
    for file in sorted([etc / "sources.list", *(etc / "sources.list.d").glob("*.list")]):
        if file.is_file():
            for line in file.read_text(encoding="utf-8").splitlines():
                match = re.match(r"\s*deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", line)
                if match:
                    mirrors.setdefault(match[2], match[1].rstrip("/"))
    for file in sorted((etc / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", file.read_text(encoding="utf-8")):
            fields = _fields(stanza)
            if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
                continue
            for suite in fields.get("suites", "").split():
                for uri in fields.get("uris", "").split():
                    mirrors.setdefault(suite, uri.rstrip("/"))
    return mirrors


def _fields(stanza: str) -> dict[str, str]:
    """Fields of a deb822 stanza by their names in small letters; a line that begins with a blank goes on."""
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1] in (" ", "\t"):
            fields[name] = f"{fields.get(name, '')} {line.strip()}"
        elif ":" in line and not line.startswith("#"):
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def sources_list() -> str:
    """The text of our sources list."""
    release = codename()
    known = system_mirrors()
    mirror = known.get(release, _DEFAULT_MIRROR)
    # apt takes ftp, http, https, file and copy alike; a cdrom is of no use for what we look for.
    if mirror.startswith("cdrom"):
        mirror = _DEFAULT_MIRROR
    security = known.get(f"{release}-security", _DEFAULT_SECURITY_MIRROR)
    suites = [(mirror, release), (mirror, f"{release}-updates"), (security, f"{release}-security"),
              (mirror, backports())]
    lines = [f"{kind} [signed-by={_KEYRING}] {uri} {suite} main\n"
             for uri, suite in suites for kind in ("deb", "deb-src")]
    # Of the next release only sources: backports are made from them, and at times lack a file.
    return "".join(lines) + f"deb-src [signed-by={_KEYRING}] {mirror} {NEXT_RELEASE} main\n"


def _folder() -> Path:
    return cache.root() / "apt"


def _configuration() -> Path:
    """Write our apt.conf (if it differs from what is there) and make the folders that it names."""
    folder = _folder()
    text = f"""\
Dir::State "{folder}/state";
Dir::State::status "{folder}/state/status";
Dir::Cache "{folder}/cache";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "-";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "";
APT::Get::List-Cleanup "true";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Acquire::GzipIndexes "false";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""
    with cache.reporting_disk_errors(folder):
        for name in ("state/lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "state/status").touch()
        configuration = folder / "apt.conf"
        if not configuration.is_file() or configuration.read_text(encoding="utf-8") != text:
            configuration.write_text(text, encoding="utf-8")
    return configuration


def _apt(tool: str, *arguments: str) -> list[str]:
    # Read by -c and not by APT_CONFIG: only what comes after the system's configuration can clear its hooks.
    return [tool, "-c", str(_configuration()), "-q", *arguments]


def index_stamp() -> Path:
    """A file that is renewed with the package lists."""
    return _folder() / "index-of"


def ensure_index(*, refresh: bool = False) -> None:
    """Have package lists: fetched when there are none, when the sources changed, or when `refresh` is asked for."""
    if not _KEYRING.is_file():
        raise LauncherError(Exit.PACKAGES, f"{_KEYRING} is missing: apt-get install debian-archive-keyring")
    folder = _folder()
    with cache.lock(folder / ".index.lock"):
        configuration = _configuration()
        stamp = index_stamp()
        wanted = sources_list()
        known = stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted
        if known and not refresh:
            return
        # Lists of the same sources stay good when newer ones cannot be had.
        if not known:
            stamp.unlink(missing_ok=True)
        with cache.reporting_disk_errors(folder):
            (folder / "sources.list").write_text(wanted, encoding="utf-8")
            argv = ["apt-get", "-c", str(configuration), "-q", "update", "--error-on=any"]
            _run_online(argv, "Debian package lists")
            stamp.write_text(wanted, encoding="utf-8")


def _run_online(argv: list[str], title: str, cwd: Path | None = None) -> None:
    """Run apt where it uses the network: an unreachable archive has its own message and exit code."""
    try:
        process.run_logged(argv, title, "apt", code=Exit.NETWORK, cwd=cwd)
    except LauncherError as error:
        if error.code == Exit.NETWORK and any(word in error.message for word in _NETWORK_WORDS):
            mirror = sources_list().split()[2]
            raise LauncherError(
                Exit.NETWORK, f"Debian's archive ({mirror}) cannot be reached. Check the network, or the proxy in "
                f"/etc/apt/apt.conf.d; what is in the cache already stays usable.\n{error.message}",
                error.log) from error
        raise


def _remote_files(argv: list[str]) -> list[RemoteFile]:
    """What `argv` with --print-uris would fetch; an empty list where apt knows no such package."""
    done = subprocess.run([*argv, "--print-uris"], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, env=process.merged_environment(None))
    if done.returncode != 0:
        return []
    found = []
    for line in done.stdout.splitlines():
        match = _URI_LINE.match(line)
        if match:
            found.append(RemoteFile(match["name"], int(match["size"]), match["hash"] or "", match["digest"] or ""))
    return found


def _is_complete(folder: Path, remote: RemoteFile) -> bool:
    path = folder / remote.name
    return path.is_file() and path.stat().st_size == remote.size


def _verify(path: Path, remote: RemoteFile) -> None:
    algorithm = {"SHA256": "sha256", "SHA512": "sha512", "MD5Sum": "md5"}.get(remote.algorithm)
    if algorithm and hashlib.new(algorithm, path.read_bytes(), usedforsecurity=False).hexdigest() != remote.digest:
        raise LauncherError(Exit.NETWORK, f"{remote.name}: the archive delivered other bytes than its index promises")


def _fetch(action: list[str], package: str, suite: str | None, kind: str) -> tuple[Path, list[RemoteFile]]:
    """Download what `apt-get ACTION PACKAGE/SUITE` names into the cache; a stale index is renewed once."""
    wanted = f"{package}/{suite}" if suite else package
    for attempt in ("index as it is", "index renewed"):
        ensure_index(refresh=attempt == "index renewed")
        argv = _apt("apt-get", *action, wanted)
        files = _remote_files(argv)
        if not files:
            continue
        folder = _folder() / kind
        with cache.lock(_folder() / f".{kind}-{package}.lock"), cache.reporting_disk_errors(folder):
            folder.mkdir(exist_ok=True)
            if all(_is_complete(folder, remote) for remote in files):
                return folder, files
            partial = folder / f".partial-{package}"
            cache.remove(partial)
            partial.mkdir()
            try:
                megabytes = sum(remote.size for remote in files) / 1e6
                _run_online(argv, f"download {wanted} ({megabytes:.1f} MB)", cwd=partial)
                for remote in files:
                    _verify(partial / remote.name, remote)
                    (partial / remote.name).rename(folder / remote.name)
                return folder, files
            except LauncherError as error:
                # A package that left the archive since the index was made answers 404; the next try renews it.
                if attempt == "index renewed" or "404" not in error.message:
                    raise
            finally:
                cache.remove(partial)
    raise LauncherError(Exit.PACKAGES, f"Debian's archive has no {kind} package {wanted}; the sources looked at "
                        f"are in {_folder() / 'sources.list'}")


def download(package: str, suite: str | None = None) -> Path:
    """The .deb of a package, from `suite` where one is given; downloaded if the cache has it not."""
    folder, files = _fetch(["download"], package, suite, "binary")
    return folder / files[0].name


def source(package: str, suite: str | None = None) -> Path:
    """The .dsc of a source package, with its tarballs beside it; downloaded if the cache has them not."""
    folder, files = _fetch(["source", "--download-only"], package, suite, "source")
    return folder / next(remote.name for remote in files if remote.name.endswith(".dsc"))


def unpack(deb: Path, destination: Path) -> None:
    """Extract a .deb's files below `destination`."""
    destination.mkdir(parents=True, exist_ok=True)
    process.capture(["dpkg-deb", "-x", deb, destination])


def unpack_source(dsc: Path, destination: Path) -> None:
    """Extract a source package, Debian's patches applied, as the folder `destination` (which must not exist)."""
    if shutil.which("dpkg-source") is None:
        raise LauncherError(Exit.PACKAGES, "dpkg-source is missing: apt-get install dpkg-dev")
    process.run_logged(["dpkg-source", "--no-check", "-x", dsc, destination], f"extract {dsc.name}", "apt")


def show(package: str, suite: str | None = None) -> dict[str, str]:
    """The index's fields of a package (Version, Depends, ...); empty where the index has no such package."""
    ensure_index()
    wanted = f"{package}/{suite}" if suite else package
    done = subprocess.run(_apt("apt-cache", "--no-all-versions", "show", wanted), capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL, env=process.merged_environment(None))
    if done.returncode != 0:
        return {}
    stanza = done.stdout.split("\n\n")[0]
    return dict(re.findall(r"^(\S+): (.*)$", stanza, re.MULTILINE))


def source_version(package: str, suite: str | None = None) -> str | None:
    """The version of the source package that `source` would get, from the index alone; None where it has none."""
    ensure_index()
    wanted = f"{package}/{suite}" if suite else package
    files = _remote_files(_apt("apt-get", "source", "--download-only", wanted))
    name = next((remote.name for remote in files if remote.name.endswith(".dsc")), None)
    return name.removesuffix(".dsc").partition("_")[2] if name else None
