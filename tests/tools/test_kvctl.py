#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kvctl on a loopback device, and on files that are not a device.

usage: test_kvctl.py KVCTL
"""

import json
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

from tool import ToolTest  # noqa: E402 (the line above comes first)


class Looks(ToolTest):
    def test_info(self):
        info = json.loads(self.output("--loopback", "--json", "info"))
        self.assertEqual(info["device"], "loopback")
        self.assertEqual((info["block_size"], info["blocks"], info["fast_slots"]), (4096, 65536, 1024))
        self.assertEqual(info["policy"], "next-use")
        self.assertIn("hepc", info["policies"].split())
        lines = self.output("--loopback", "info").splitlines()
        self.assertEqual([line.split()[0] for line in lines], list(info))

    def test_counters(self):
        counters = json.loads(self.output("--loopback", "--json", "counters"))
        self.assertEqual(counters["COMMANDS"], 0)
        self.assertIn("STATUS_NO_SPACE", counters)

    def test_block(self):
        block = json.loads(self.output("--loopback", "--json", "block", 65535))
        self.assertEqual((block["block"], block["state"], block["slot"], block["flags"]), (65535, "FREE", None, []))
        self.assertIn("block 65536",
                      self.refusal(1, "--loopback", "block", 65536))

    def test_an_empty_directory(self):
        self.assertEqual(json.loads(self.output("--loopback", "--json", "directory")), [])
        self.assertIn("0 of 16 blocks", self.output("--loopback", "directory", 100, 16))
        self.assertIn("block 65536", self.refusal(1, "--loopback", "directory", 65000, 537))

    def test_self_test(self):
        self.assertIn("both tiers", self.output("--loopback", "self-test"))

    def test_policy(self):
        self.assertEqual(self.output("--loopback", "policy"), "next-use\n")
        self.assertEqual(self.output("--loopback", "policy", "hepc"), "")
        self.assertIn("lru,hepc", self.refusal(2, "--loopback", "policy", "best"))

    def test_weights(self):
        self.assertEqual(self.output("--loopback", "weights", 1, 2, 3, 4, 5, "0x10"), "")
        self.assertIn("PREFETCH_THRESH", self.refusal(2, "--loopback", "weights", 1, 2, 3, 4, 5))
        self.refusal(2, "--loopback", "weights", 1, 2, 3, 4, 5, 1 << 32)


class Script(ToolTest):
    def script(self, *lines: str, status: int = 0) -> tuple[str, str]:
        done = self.run_tool("--loopback", "script", text="\n".join(lines))
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout, done.stderr

    def directory(self, *lines: str) -> list[dict]:
        done = self.run_tool("--loopback", "--json", "script", text="\n".join([*lines, "directory"]))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout[done.stdout.rindex("\n[\n"):])

    def test_commands_share_a_context(self):
        rows = self.directory("alloc 4", "fill 0 2 --byte 7", "pin 0", "policy hepc", "seal 1", "release 2 2")
        self.assertEqual([row["block"] for row in rows], [0, 1, 2, 3])
        self.assertEqual([row["state"] for row in rows], ["FAST", "SLOW", "SLOW", "SLOW"])
        self.assertEqual([row["class"] for row in rows], ["PINNED", "UNHINTED", "RELEASED", "RELEASED"])
        self.assertEqual([row["tier"] for row in rows], ["fast", "slow", "slow", "slow"])
        self.assertEqual(rows[0]["claims"], 1)
        self.assertEqual(rows[1]["flags"], ["allocated", "written", "sealed"])
        self.assertEqual(rows[3]["flags"], ["allocated"])
        self.assertTrue(all(row["owner"] == 1 for row in rows))

    def test_blocks_given_back_are_gone(self):
        self.assertEqual([row["block"] for row in self.directory("alloc 4", "pin 0 4", "unpin 0 4", "free 1 2")
                          if row["state"] != "SCRUBBING"], [0, 3])

    def test_hints_say_what_became_of_them(self):
        said, _ = self.script("alloc 2", "policy lru", "hint hot 0 2", "policy hepc", "hint hot 0 2 --step 9",
                              "hint hot 0 4", "hint touch 9", "hint evictable 0 --now")
        outcomes = [line.split()[1] for line in said.splitlines() if line.startswith("outcome")]
        self.assertEqual(outcomes, ["ignored", "accepted", "clipped", "ignored", "accepted"])
        reasons = [line.split()[1] for line in said.splitlines() if line.startswith("reason")]
        self.assertEqual(reasons, ["POLICY:", "NONE:", "FOREIGN:", "FOREIGN:", "NONE:"])

    def test_comments_and_empty_lines(self):
        self.assertEqual(self.script("# nothing", "", "   ", "policy"), ("next-use\n", ""))

    def test_it_ends_with_the_line_that_fails(self):
        said, complaint = self.script("policy", "free 9", "policy", status=1)
        self.assertEqual(said, "next-use\n")
        self.assertIn("line 2: free 9: ", complaint)
        self.assertIn("NOT_OWNER", complaint)
        said, complaint = self.script("policy", "fre 9", status=2)
        self.assertIn("line 2: fre 9: ", complaint)

    def test_refusals_name_command_and_status(self):
        for lines, says in ((("alloc 1", "free 0 0"), "BAD_RANGE"), (("alloc 1", "pin 0 2"), "pin 0 2: NOT_OWNER"),
                            (("alloc 1", "seal 0", "fill 0"), "fill: block 0: SEALED"),
                            (("alloc 1", "unpin 0"), "NOT_PINNED"), (("alloc 1", "pin 0", "free 0"), "PINNED"),
                            (("alloc 1100", "pin 0 1024", "pin 1024 --deadline 5"), "TIMED_OUT")):
            with self.subTest(lines=lines):
                self.assertIn(says, self.script(*lines, status=1)[1])


class Refusals(ToolTest):
    def test_a_device_that_is_not_there_is_named(self):
        for command in (["info"], ["hot", 0, 1], ["script"], ["self-test"]):
            with self.subTest(command=command):
                said = self.refusal(1, "-d", "/dev/kvcpu-none", *command, text="info\n")
                self.assertIn("/dev/kvcpu-none: No such file or directory", said)

    def test_a_file_that_is_no_device_is_named(self):
        self.assertIn("/dev/null: INFO: ", self.refusal(1, "-d", "/dev/null", "info"))
        self.assertIn("/dev/null: STEP_ADVANCE: ", self.refusal(1, "-d", "/dev/null", "step", 1))
        self.assertIn("/dev/null: prefetch: ", self.refusal(1, "-d", "/dev/null", "prefetch", 0, 4096, 1))

    def test_the_reference_interface_needs_a_node(self):
        self.assertIn("reference interface", self.refusal(1, "--loopback", "step", 1))

    def test_wrong_use(self):
        for arguments in ([], ["no-such"], ["block"], ["block", "x"], ["hot", 0], ["--no-such", "info"],
                          ["prefetch", 0, 1], ["hint", "hott", 0], ["fill", 0, "--byte", 256], ["info", "extra"]):
            with self.subTest(arguments=arguments):
                self.refusal(2, "--loopback", *arguments)

    def test_help(self):
        said = self.output("--help")
        for command in ("info", "step", "hot", "evict", "prefetch", "share", "seal", "release", "weights", "policy",
                        "telemetry", "directory", "why", "top"):
            self.assertRegex(said, rf"(?m)^  {command} ")
        self.assertIn("Exit status:", said)
        self.assertIn("FIRST", self.output("seal", "--help"))


if __name__ == "__main__":
    ToolTest.tool = Path(sys.argv.pop(1))
    unittest.main()
