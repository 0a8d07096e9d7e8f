# SPDX-License-Identifier: MIT
"""A running guest: started, watched, asked about its device at the end, and never left behind."""

import ctypes
import enum
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import cache, machine, process, qmp
from .errors import Exit, LauncherError

_POLL_S = 0.05
_BOOT_TIMEOUT_S = 120.0
# The most that a look at the guest counts for: a launcher that was stopped meanwhile (Ctrl-Z, a frozen container) does
# not hold its own absence against the guest.
_LOOK_MAX_S = 2.0
_QUIT_TIMEOUT_S = 10.0
_UNPLUG_TIMEOUT_S = 60.0
_CONSOLE_TAIL = 8
_PROBE_BYTES = 65536
_PANIC = re.compile(r"Kernel panic - not syncing.*")
# The last three are the debug kernel's: of DMA mappings (but not what it says of itself at boot), of leaks as the init
# prints them, and of what keeps the init from looking for any.
_COMPLAINT = re.compile(r"(\bBUG[: ]|WARNING:|Oops|general protection fault|Call Trace|INFO: task .* blocked|"
                        r"rcu: .*stall|UBSAN|KASAN|DMA-API: (?!preallocated|debugging)|unreferenced object|"
                        r"init: cannot look for leaks).*")
_PR_SET_PDEATHSIG = 1


class Channel(enum.IntEnum):
    """The guest's serial ports, by number."""

    CONSOLE = 0
    STDOUT = 1
    STDERR = 2
    STATUS = 3


@dataclass(frozen=True)
class Outcome:
    """How a command in a guest ended."""

    status: int
    stdout: str
    stderr: str
    seconds: float
    console: Path
    # What the kernel complained about on the console; a clean run has none.
    complaints: tuple[str, ...]
    # The digest of each device's event log, as the device itself computed it; in virtual time alone.
    event_log_sha256: tuple[str, ...]


@dataclass
class Guest:
    """One machine in a folder of its own. Use it as a context manager: leaving ends QEMU."""

    qemu: Path
    kernel: Path
    initramfs: bytes
    machine: machine.Machine
    folder: Path
    timeout_s: float
    title: str = "guest"
    interactive: bool = False
    on_output: Callable[[Channel, bytes], None] | None = None
    _offsets: dict[Channel, int] = field(default_factory=dict)
    # Seconds in which the guest could run, and when that was last looked at.
    _given_s: float = 0.0
    _looked: float = 0.0

    def path(self, channel: Channel) -> Path:
        """The file that a channel's bytes go to."""
        return self.folder / f"{channel.name.lower()}.log"

    def __enter__(self) -> "Guest":
        self._started = self._looked = time.monotonic()
        self._fill_folder()
        self._qemu_log = open(self.folder / "qemu.log", "w+b")
        ours, theirs = socket.socketpair()
        try:
            argv = machine.arguments(
                self.machine, self.qemu, self.kernel, self.folder / "initramfs.cpio",
                [self.path(channel) for channel in Channel], theirs.fileno(), console_on_stdio=self.interactive)
            self._process = subprocess.Popen(
                argv, pass_fds=[theirs.fileno()], stdin=None if self.interactive else subprocess.DEVNULL,
                stdout=None if self.interactive else self._qemu_log, stderr=self._qemu_log,
                preexec_fn=_die_with_parent, env=process.merged_environment(None))
        finally:
            theirs.close()
        self._qmp = qmp.Client(ours)
        self._connection = ours
        try:
            self._qmp.negotiate()
            self._qmp.command("cont")
        except qmp.Closed as error:
            failure = self._qemu_failure("QEMU refused to start")
            self._release()
            raise failure from error
        return self

    def _fill_folder(self) -> None:
        archive = self.folder / "initramfs.cpio"
        with cache.reporting_disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                archive.write_bytes(self.initramfs)
                for channel in Channel:
                    # Emptied, too: the folder may be a former run's.
                    self.path(channel).write_bytes(b"")
            except OSError:
                archive.unlink(missing_ok=True)
                raise

    def unplug(self, index: int) -> None:
        """Ask the guest to let go of a KV-CPU; it is gone once the guest has."""
        self._qmp.command("device_del", id=machine.device_id(index))

    def plug(self, index: int) -> None:
        """Put a KV-CPU back in its place, new, once it is gone."""
        name = machine.device_id(index)
        deadline = time.monotonic() + _UNPLUG_TIMEOUT_S
        while not any(event["data"].get("device") == name for event in self._qmp.events
                      if event["event"] == "DEVICE_DELETED"):
            if time.monotonic() > deadline:
                raise self._error(Exit.GUEST_HUNG, f"the guest does not let go of {name}")
            self._qmp.poll(_POLL_S)
        self._qmp.events = [event for event in self._qmp.events if event["event"] != "DEVICE_DELETED"]
        self._qmp.command("device_add", driver="kvcpu", id=machine.device_id(index), bus=machine.port_id(index),
                          **self.machine.devices[index])

    def stderr_so_far(self) -> str:
        """What the command has written to its stderr until now."""
        return self._text(Channel.STDERR)

    def __exit__(self, *_exception: object) -> None:
        self._release()

    def _release(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._connection.close()
        self._qemu_log.close()
        # The archive is large and can be made again; the logs stay.
        (self.folder / "initramfs.cpio").unlink(missing_ok=True)

    def wait(self) -> Outcome:
        """Wait for the guest's end; raise where it is not an orderly one."""
        while not self.poll(_POLL_S):
            pass
        return self.outcome()

    def poll(self, timeout: float) -> bool:
        """Pass on what the guest wrote, and look whether it has ended; raise if it hangs or QEMU is gone."""
        try:
            self._qmp.poll(timeout)
        except qmp.Closed as error:
            self._pass_on_output()
            raise self._qemu_failure("QEMU ended before the guest did") from error
        self._pass_on_output()
        if any(event["event"] == "SHUTDOWN" for event in self._qmp.events):
            return True
        self._check_time()
        return False

    @property
    def elapsed(self) -> float:
        """Seconds of the host's clock since the start."""
        return time.monotonic() - self._started

    def outcome(self) -> Outcome:
        """What became of the run; to be asked once `poll` has said that the guest has ended."""
        self._check_disk()
        console = self._text(Channel.CONSOLE)
        panic = _PANIC.search(console)
        if panic:
            raise self._error(Exit.GUEST_PANIC, f"the guest kernel panicked: {panic[0].strip()}")
        status = self._reported_status()
        digests = self._digests() if self.machine.time is machine.Time.VIRTUAL else ()
        self._quit()
        return Outcome(status, self._text(Channel.STDOUT), self._text(Channel.STDERR), self.elapsed,
                       self.path(Channel.CONSOLE), complaints_in(console), digests)

    def _check_disk(self) -> None:
        """Fail if the disk is full: QEMU then drops the guest's output without an error, and it would seem complete."""
        probe = self.folder / "probe"
        with cache.reporting_disk_errors(self.folder):
            try:
                probe.write_bytes(bytes(_PROBE_BYTES))
            finally:
                probe.unlink(missing_ok=True)

    def _reported_status(self) -> int:
        for line in self._text(Channel.STATUS).splitlines():
            word, _, rest = line.partition(" ")
            if word == "exit":
                return int(rest)
            if word == "failed":
                raise self._error(Exit.GUEST_SILENT, f"the guest could not run the command: {rest}")
        reason = next(event["data"]["reason"] for event in self._qmp.events if event["event"] == "SHUTDOWN")
        raise self._error(Exit.GUEST_SILENT, f"the guest ended ({reason}) and reported no status")

    def _digests(self) -> tuple[str, ...]:
        try:
            return tuple(self._qmp.command("qom-get", path=f"/machine/peripheral/{machine.device_id(index)}",
                                           property="event-log-sha256") for index in range(len(self.machine.devices)))
        except (qmp.Closed, qmp.Refused) as error:
            raise self._error(Exit.QEMU_DIED, f"the device does not tell its event log's digest: {error}") from error

    def _quit(self) -> None:
        try:
            self._qmp.command("quit")
            self._process.wait(_QUIT_TIMEOUT_S)
        except (qmp.Closed, subprocess.TimeoutExpired) as error:
            raise self._qemu_failure("QEMU did not quit when asked to") from error
        if self._process.returncode != 0:
            raise self._qemu_failure("QEMU failed while quitting")

    def _is_stopped(self) -> bool:
        """Whether a signal or a debugger keeps QEMU from running."""
        try:
            stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] in ("T", "t")

    def _count_time(self) -> None:
        now = time.monotonic()
        if not self._is_stopped():
            self._given_s += min(now - self._looked, _LOOK_MAX_S)
        self._looked = now

    def _check_time(self) -> None:
        if self.interactive:
            return
        self._count_time()
        stages = self._text(Channel.STATUS).split()
        if "ready" not in stages and self._given_s > min(_BOOT_TIMEOUT_S, self.timeout_s):
            where = "while loading modules" if "boot" in stages else "before its init ran"
            raise self._error(Exit.GUEST_HUNG, f"the guest hangs at boot, {where} ({self._given_s:.0f} s)")
        if self._given_s > self.timeout_s:
            raise self._error(Exit.GUEST_HUNG, f"the command still runs after {self.timeout_s:.0f} s (--timeout)")

    def _pass_on_output(self) -> None:
        if self.on_output is None:
            return
        for channel in (Channel.CONSOLE, Channel.STDOUT, Channel.STDERR):
            offset = self._offsets.get(channel, 0)
            with open(self.path(channel), "rb") as file:
                file.seek(offset)
                new = file.read()
            if new:
                self._offsets[channel] = offset + len(new)
                self.on_output(channel, new)

    def _text(self, channel: Channel) -> str:
        return self.path(channel).read_text(encoding="utf-8", errors="replace")

    def _error(self, code: Exit, message: str) -> LauncherError:
        tail = [line.rstrip() for line in self._text(Channel.CONSOLE).splitlines() if line.strip()]
        shown = "".join(f"\n  | {line}" for line in tail[-_CONSOLE_TAIL:])
        return LauncherError(code, f"{self.title}: {message}\n  end of its console:{shown or ' (empty)'}",
                             self.path(Channel.CONSOLE))

    def _qemu_failure(self, what: str) -> LauncherError:
        try:
            status = self._process.wait(_QUIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        said = (self.folder / "qemu.log").read_text(encoding="utf-8", errors="replace").strip()
        message = f"{self.title}: {what} ({how})"
        if said:
            message += "".join(f"\n  | {line}" for line in said.splitlines()[-_CONSOLE_TAIL:])
        return LauncherError(Exit.QEMU_DIED, message, self.folder / "qemu.log")


def complaints_in(console: str) -> tuple[str, ...]:
    """What the kernel complains about in a console's text."""
    return tuple(match[0].strip() for match in _COMPLAINT.finditer(console))


def _die_with_parent() -> None:
    # A launcher that is killed cannot clean up; the kernel then ends its QEMU.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
