# SPDX-License-Identifier: MIT
"""Exit codes of the launcher, and the exception that carries one."""

import enum
import re

# A longer word of a message about options is shortened to its beginning.
_WORD_MAX = 80
_WORD_SHOWN = 40


class Exit(enum.IntEnum):
    """Every way in which ./kvcpu ends, in one list; --help prints it.

    Codes from 80 up are the launcher's own, so that `./kvcpu run -- CMD` can return what CMD returned.
    """

    def __new__(cls, value: int, meaning: str):
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    OK = 0, "done"
    TESTS_FAILED = 1, "the command ran, and a test or a check of it failed"
    USAGE = 2, "an option or an argument is wrong"
    PACKAGES = 80, "Debian packages are missing and cannot be installed from here"
    NETWORK = 81, "Debian's archive cannot be reached"
    DISK_FULL = 82, "no space left on the disk"
    NO_KERNEL = 83, "a needed guest kernel is unavailable"
    BUILD_FAILED = 84, "a part of the project does not build"
    GUEST_HUNG = 85, "the guest made no progress, or ran past --timeout"
    GUEST_PANIC = 86, "the guest kernel panicked"
    GUEST_SILENT = 87, "the guest powered off without reporting a status"
    QEMU_DIED = 88, "QEMU ended by itself, or refused to start"
    BAD_TRACE = 89, "the trace is malformed, truncated or empty"
    BAD_SIZES = 91, "the sizes asked for do not fit"
    BAD_RESULT = 92, "a replay finished, and its result is wrong (data lost, or not JSON)"
    CACHE = 93, "the cache folder cannot be used"
    GUEST_COMPLAINED = 94, "the command succeeded, and the guest kernel reported an error (BUG, WARNING, KASAN, leak)"
    OUTPUT = 95, "an output file cannot be written"
    INTERRUPTED = 130, "interrupted"
    PIPE = 141, "output pipe closed"


class LauncherError(Exception):
    """A failure that ends the launcher: what happened, what to do, and with which code to exit."""

    def __init__(self, code: Exit, message: str, log=None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.log = log

    def __str__(self) -> str:
        return f"{self.message}\n  full log: {self.log}" if self.log else self.message


def usage_message(text: str) -> str:
    """The text of an error about options, with every long word shortened."""
    words = re.split(r"(\s)", text)
    return "".join(f"{word[:_WORD_SHOWN]}..." if len(word) > _WORD_MAX else word for word in words)


def exit_code_table() -> str:
    """The list of exit codes as --help shows it."""
    return "\n".join(f"  {int(code):3d}  {code.meaning}" for code in Exit)
