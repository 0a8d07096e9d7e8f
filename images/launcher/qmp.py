# SPDX-License-Identifier: MIT
"""A client of the QEMU Machine Protocol, as small as the launcher's needs: commands, and the events between them."""

import json
import select
import socket
from typing import Any

_COMMAND_TIMEOUT_S = 30.0


class Closed(Exception):
    """QEMU closed the connection: it has ended, or is about to."""


class Refused(Exception):
    """QEMU answered a command with an error."""


class Client:
    """One connection. `events` collects what QEMU reports, oldest first; the caller takes from it."""

    def __init__(self, connection: socket.socket):
        self.events: list[dict[str, Any]] = []
        self._socket = connection
        self._pending = b""

    def negotiate(self) -> None:
        """Wait for the greeting, and leave the negotiation mode."""
        greeting = self._next_message(_COMMAND_TIMEOUT_S)
        if greeting is None or "QMP" not in greeting:
            raise Closed("no QMP greeting")
        self.command("qmp_capabilities")

    def command(self, name: str, **arguments: Any) -> Any:
        """Execute a command and return its result."""
        request = {"execute": name, "arguments": {key.replace("_", "-"): value for key, value in arguments.items()}}
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise Closed(str(error)) from error
        while True:
            message = self._next_message(_COMMAND_TIMEOUT_S)
            if message is None:
                raise Closed(f"no answer to {name} within {_COMMAND_TIMEOUT_S:.0f} s")
            if "event" in message:
                self.events.append(message)
            elif "error" in message:
                raise Refused(f"{name}: {message['error'].get('desc', message['error'])}")
            else:
                return message["return"]

    def poll(self, timeout: float) -> None:
        """Collect events, waiting for one at most `timeout` seconds."""
        message = self._next_message(timeout)
        while message is not None:
            self.events.append(message)
            message = self._next_message(0)

    def _next_message(self, timeout: float) -> dict[str, Any] | None:
        """The next message; None where none comes in time."""
        while b"\n" not in self._pending:
            if not select.select([self._socket], [], [], timeout)[0]:
                return None
            try:
                received = self._socket.recv(65536)
            except ConnectionResetError as error:
                raise Closed(str(error)) from error
            if not received:
                raise Closed("end of the connection")
            self._pending += received
        line, _, self._pending = self._pending.partition(b"\n")
        return json.loads(line)
