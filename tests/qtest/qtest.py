# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU under qtest: no guest; the test makes the accesses, and steps the virtual clock."""

import collections
import json
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

_CONNECT_TIMEOUT_S = 60.0
_PRODUCTS = Path(__file__).resolve().parents[2] / "build" / "kvcpu-products.json"


def qemu() -> Path:
    """The executable: $KVCPU_QEMU, else what the launcher's build left in the build folder."""
    if os.environ.get("KVCPU_QEMU"):
        return Path(os.environ["KVCPU_QEMU"])
    products = Path(os.environ.get("KVCPU_PRODUCTS", _PRODUCTS))
    if not products.is_file():
        raise FileNotFoundError(f"{products} is not there: ./kvcpu build makes it; KVCPU_QEMU names a QEMU directly")
    return Path(json.loads(products.read_text(encoding="utf-8"))["qemu"])


class StartFailed(Exception):
    """QEMU refused its command line; the message is QEMU's."""


class Refused(Exception):
    """QEMU answered a QMP command with an error."""


class Machine:
    """A q35 machine without a guest, as a context manager."""

    def __init__(self, *arguments: str):
        self._folder = Path(tempfile.mkdtemp(prefix="kvcpu-qtest-"))
        self._qtest_pending = b""
        self._qmp_pending = b""
        self._events: collections.deque[dict[str, Any]] = collections.deque()
        listeners = [self._listen(name) for name in ("qtest", "qmp")]
        self._errors = self._folder / "stderr"
        self._process = self._start(arguments)
        try:
            self._qtest, self._qmp = (self._accept(listener) for listener in listeners)
            self._qmp_message()
            self.qmp("qmp_capabilities")
        except BaseException:
            self.close()
            raise
        finally:
            for listener in listeners:
                listener.close()

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends QEMU. If QEMU has ended before, this is an error, as no guest action may end it."""
        status = self._process.poll()
        if status is None:
            self._process.terminate()
            self._process.wait()
        said = self._errors.read_text(encoding="utf-8", errors="replace")
        shutil.rmtree(self._folder)
        for connection in (getattr(self, "_qtest", None), getattr(self, "_qmp", None)):
            if connection is not None:
                connection.close()
        if status is not None and status != 0:
            raise StartFailed(said.strip() or f"QEMU ended with status {status}")

    def quit(self) -> None:
        """Ends QEMU in the regular way, as when a user quits."""
        self.qmp("quit")
        self._process.wait()

    def _start(self, arguments: tuple[str, ...]) -> subprocess.Popen:
        argv = [str(qemu()), "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-m", "64M",
                "-accel", "qtest", "-qtest", f"unix:{self._folder}/qtest", "-qtest-log", "none",
                "-chardev", f"socket,path={self._folder}/qmp,id=qmp", "-mon", "chardev=qmp,mode=control", *arguments]
        with open(self._errors, "wb") as errors:
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)

    def _listen(self, name: str) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._folder / name))
        listener.listen(1)
        listener.settimeout(0.05)
        return listener

    def _accept(self, listener: socket.socket) -> socket.socket:
        for _ in range(int(_CONNECT_TIMEOUT_S / 0.05)):
            try:
                connection, _ = listener.accept()
                connection.settimeout(_CONNECT_TIMEOUT_S)
                return connection
            except TimeoutError:
                if self._process.poll() is not None:
                    raise StartFailed(self._errors.read_text(encoding="utf-8", errors="replace").strip()) from None
        raise StartFailed("QEMU did not connect")

    # -- QMP -----------------------------------------------------------------

    def qmp(self, command: str, **arguments: Any) -> Any:
        """Executes a QMP command; events before its answer are kept for wait_event."""
        request = {"execute": command, "arguments": {key.replace("_", "-"): value for key, value in arguments.items()}}
        self._qmp.sendall(json.dumps(request).encode() + b"\n")
        while True:
            message = self._qmp_message()
            if "error" in message:
                raise Refused(message["error"]["desc"])
            if "return" in message:
                return message["return"]
            self._events.append(message)

    def wait_event(self, name: str) -> dict[str, Any]:
        """The next QMP event of a name, which may have arrived already; earlier other events are discarded."""
        while True:
            message = self._events.popleft() if self._events else self._qmp_message()
            if message.get("event") == name:
                return message

    def get(self, path: str, name: str) -> Any:
        """A QOM property."""
        return self.qmp("qom-get", path=path, property=name)

    def reset(self) -> None:
        """Resets the machine, and returns when the reset is done."""
        self.qmp("system_reset")
        self.wait_event("RESET")

    def _qmp_message(self) -> dict[str, Any]:
        while b"\n" not in self._qmp_pending:
            self._qmp_pending += self._receive(self._qmp)
        line, _, self._qmp_pending = self._qmp_pending.partition(b"\n")
        return json.loads(line)

    def _receive(self, connection: socket.socket) -> bytes:
        try:
            data = connection.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            self._process.wait()
            raise StartFailed(f"QEMU ended with status {self._process.returncode}: "
                              f"{self._errors.read_text(encoding='utf-8', errors='replace').strip()}")
        return data

    # -- The qtest protocol --------------------------------------------------

    def _ask(self, *words: object) -> list[str]:
        self._qtest.sendall(" ".join(map(str, words)).encode() + b"\n")
        while True:
            while b"\n" not in self._qtest_pending:
                self._qtest_pending += self._receive(self._qtest)
            line, _, self._qtest_pending = self._qtest_pending.partition(b"\n")
            answer = line.decode().split()
            if answer[0] == "OK":
                return answer[1:]
            if answer[0] != "IRQ":
                raise AssertionError(f"qtest {words[0]}: {line.decode()}")

    def clock_step(self, nanoseconds: int) -> int:
        """Advances virtual time; timers that become due run at their own times."""
        return int(self._ask("clock_step", nanoseconds)[0])

    def out(self, port: int, value: int, size: int) -> None:
        """An I/O port write of 1, 2 or 4 bytes."""
        self._ask(f"out{' bw l'[size]}", hex(port), hex(value))

    def in_(self, port: int, size: int) -> int:
        """An I/O port read of 1, 2 or 4 bytes."""
        return int(self._ask(f"in{' bw l'[size]}", hex(port))[0], 0)

    def store(self, address: int, value: int, size: int = 8) -> None:
        """One store of 1, 2, 4 or 8 bytes, little-endian."""
        self._ask(f"write{' bw l   q'[size]}", hex(address), hex(value))

    def load(self, address: int, size: int = 8) -> int:
        """One load of 1, 2, 4 or 8 bytes, little-endian."""
        return int(self._ask(f"read{' bw l   q'[size]}", hex(address))[0], 0)

    def write(self, address: int, data: bytes) -> None:
        """Write memory."""
        self._ask("write", hex(address), len(data), "0x" + data.hex())

    def read(self, address: int, size: int) -> bytes:
        """Read memory."""
        return bytes.fromhex(self._ask("read", hex(address), size)[0][2:])
