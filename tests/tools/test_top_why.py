#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kvctl why and top on a loopback device: their output, and the terminal's settings after top.

usage: test_top_why.py KVCTL
"""

import errno
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

from tool import ToolTest  # noqa: E402 (the line above comes first)

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
PATIENCE_S = 60


class Why(ToolTest):
    def why(self, block: int, *script: str, last: int = 50) -> dict:
        """The output for a block after some commands under hepc, with thresholds that move no block."""
        text = "\n".join(["policy hepc", "weights 1 1 2 200 0 65535", "alloc 2048", "fill 0 2048 --byte 1", *script])
        # In a script the option --json applies to the whole program.
        said = self.output("--loopback", "--json", "script", text=f"{text}\nwhy {block} --last {last}\n")
        decoder, found, at = json.JSONDecoder(), {}, 0
        while at < len(said):
            found, at = decoder.raw_decode(said, at)
            at += len(said[at:]) - len(said[at:].lstrip())
        return found

    def test_a_block_that_was_never_asked_for(self):
        said = self.why(3)
        self.assertIn("allocated", said["why"])
        self.assertEqual([record["event"] for record in said["history"]], ["RESET", "POLICY", "ALLOC", "WRITE"])

    def test_a_block_that_was_fetched(self):
        self.assertIn("PIN", self.why(3, "pin 0 8", "unpin 0 8")["why"])

    def test_a_block_that_left_for_another(self):
        said = self.why(0, "pin 0 1024", "unpin 0 1024", "pin 2000 1", last=6)
        # The last block of the range was unpinned first.
        self.assertEqual(said["block"]["tier"], "fast")
        said = self.why(1023, "pin 0 1024", "unpin 0 1024", "pin 2000 1", last=6)
        self.assertEqual(said["block"]["tier"], "slow")
        self.assertIn("block 2000", said["why"])
        self.assertIn("UNHINTED", said["why"])
        chosen, = (record for record in said["history"] if record["event"] == "CHOSEN")
        self.assertEqual((chosen["policy"], chosen["class"], chosen["cause"], chosen["wanted_by"]),
                         ("hepc", "UNHINTED", "PIN", 2000))
        self.assertEqual(len(said["history"]), 6)

    def test_a_block_that_a_hint_sent_away(self):
        said = self.why(5, "pin 5 1", "unpin 5 1", "hint evictable 5 1 --now")
        self.assertIn("EVICTABLE", said["why"])
        self.assertIn("EVICTABLE of block 5: ACCEPTED", [record["what"] for record in said["history"]])

    def test_a_block_that_was_freed(self):
        self.assertIn("freed by its owner", self.why(7, "free 7 1")["why"])

    def test_for_people(self):
        said = self.output("--loopback", "script", text="alloc 4\npin 0 2\nwhy 1\n").splitlines()
        self.assertTrue(any(line.startswith("block 1: FAST") and "PINNED" in line for line in said), said)
        self.assertTrue(any(line.startswith("why:") and "zeroed" in line for line in said), said)

    def test_no_such_block(self):
        self.assertIn("block 65536", self.refusal(1, "--loopback", "why", 65536))
        self.refusal(2, "--loopback", "why")


class Top(ToolTest):
    def test_once_is_all_since_the_reset(self):
        said = self.output("--loopback", "script", text="alloc 8\nfill 0 8 --byte 1\npin 0 2\ntop --once\n")
        rows = {line.split()[0]: line for line in said.splitlines() if line.strip()}
        self.assertIn("at_once 0", rows["hits"])
        self.assertIn("in_demand 2", rows["traffic"])
        self.assertRegex(rows["slow"], r"slow 6 .*free 65528 .*blocks 65536")
        self.assertIn("pinned 2 ", rows["pinned"])
        self.assertNotIn("\x1b", said)

    def test_intervals_as_json_lines(self):
        said = self.output("--loopback", "--json", "top", "-n", 3, "-i", 0.5)
        lines = [json.loads(line) for line in said.splitlines()]
        self.assertEqual([line["interval_ns"] for line in lines], [500_000_000] * 3)
        for line in lines:
            self.assertEqual(line["fast"]["free"], line["fast"]["slots"])
            self.assertEqual(sum(line["traffic"].values()), 0)

    def test_differences_between_intervals(self):
        said = self.output("--loopback", "script", text="alloc 8\nfill 0 8 --byte 1\npin 0 2\ntop -n 1\n")
        rows = {line.split()[0]: line for line in said.splitlines() if line.strip()}
        self.assertIn("in_demand 0", rows["traffic"])
        self.assertIn("done 0", rows["commands"])

    def on_a_terminal(self, end: signal.Signals | None, *options: str) -> tuple[bytes, int, bool]:
        """Its output on a terminal, its status, and whether the terminal's settings are unchanged."""
        ours, its = pty.openpty()
        before = termios.tcgetattr(its)
        process = subprocess.Popen([self.tool, "--loopback", "top", "-i", "0.05", *options], stdin=its, stdout=its,
                                   stderr=its, start_new_session=True)
        said, deadline = b"", time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 0.05)[0]:
                try:
                    said += os.read(ours, 65536)
                except OSError as error:
                    self.assertEqual(error.errno, errno.EIO)
                    break
            elif process.poll() is not None:
                break
            if end is not None and said.count(b"device time") >= 2:
                process.send_signal(end)
                end = None
        status = process.wait(PATIENCE_S)
        same = termios.tcgetattr(its) == before
        os.close(its)
        os.close(ours)
        return said, status, same

    def test_the_terminal_is_given_back(self):
        for end in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, None):
            with self.subTest(end=end):
                said, status, same = self.on_a_terminal(end, *([] if end else ["-n", "2"]))
                self.assertEqual((said.count(ENTER), said.count(LEAVE), status, same), (1, 1, 0, True))
                self.assertTrue(said.endswith(b"\x1b[?25h" + LEAVE), said[-40:])
                self.assertGreaterEqual(said.count(b"device time"), 2)

    def test_batch_leaves_a_terminal_alone(self):
        said, status, _ = self.on_a_terminal(None, "--batch", "-n", "1")
        self.assertEqual((status, said.count(b"\x1b")), (0, 0))
        self.assertIn(b"traffic", said)

    def test_wrong_use(self):
        for options in (["-i", 0], ["-i", "soon"], ["-n", -1]):
            self.refusal(2, "--loopback", "top", *options)
        said = self.run_tool("--device", "/dev/kvcpu-none", "top", "--once")
        self.assertEqual((said.returncode, said.stdout), (1, ""))
        self.assertIn("/dev/kvcpu-none", said.stderr)


if __name__ == "__main__":
    ToolTest.tool = Path(sys.argv.pop(1))
    unittest.main()
