#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sweep-parallel: the results equal those of one process, locally and over ssh to a server that the test starts.

usage: test_parallel.py SWEEP_PARALLEL KVCPU_SIM SAMPLE_TRACE
"""

import getpass
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from machines import Daemons, free_port, need

SCRIPT, SIM, SAMPLE = Path(), Path(), Path()
SWEEP = ["--requests", "100", "--fast-blocks", "300", "--slow-blocks", "everything", "--policy", "lru,next-use",
         "--seed", "1,2,3"]


def results(path: Path) -> dict[str, dict]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    found = {line["point"]: line for line in lines}
    assert len(found) == len(lines), "a point was run twice"
    return found


class Parallel(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = self.folder / "results.jsonl"

    def sweep(self, *options: str, environment: dict[str, str] | None = None) -> str:
        done = subprocess.run([SCRIPT, SIM, self.out, *options, "--", "--trace", SAMPLE, *SWEEP], capture_output=True,
                              text=True, check=False, timeout=200, stdin=subprocess.DEVNULL,
                              env={**os.environ, "HOME": str(self.folder), **(environment or {})})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def expected(self) -> dict[str, dict]:
        path = self.folder / "expected.jsonl"
        subprocess.run([SIM, "sweep", "--trace", SAMPLE, *SWEEP, "--out", path, "--quiet"], check=True, timeout=120)
        return results(path)

    def test_here(self):
        self.assertIn("6 points to run", self.sweep("--jobs", "2"))
        self.assertEqual(results(self.out), self.expected())

    def test_it_goes_on_where_it_was_cut_off(self):
        self.sweep("--jobs", "2")
        text = self.out.read_text(encoding="utf-8")
        self.out.write_text(text[:len(text) // 2], encoding="utf-8")
        kept = self.out.read_text(encoding="utf-8").count("\n")
        self.assertIn(f"{6 - kept} points to run", self.sweep("--jobs", "2"))
        self.assertEqual(results(self.out), self.expected())
        self.assertIn("0 points to run", self.sweep())

    def test_over_ssh(self):
        need({"sshd": "openssh-server", "ssh": "openssh-client", "rsync": "rsync"})
        daemons = Daemons(self.folder)
        self.addCleanup(daemons.stop)
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / key], check=True)
        port = free_port()
        (self.folder / "user.pub").rename(self.folder / "authorized")
        (self.folder / "sshd_config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {self.folder}/authorized\nStrictModes no\nPasswordAuthentication no\n"
            "PermitRootLogin yes\nMaxStartups 100\n", encoding="utf-8")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        daemons.start("/usr/sbin/sshd", "-D", "-e", "-f", self.folder / "sshd_config")
        # The settings for ssh and rsync, instead of the user's own settings.
        command = (f"ssh -F none -p {port} -i {self.folder}/user -o StrictHostKeyChecking=no -o BatchMode=yes "
                   f"-o UserKnownHostsFile={self.folder}/known -o LogLevel=ERROR")
        login = f"{getpass.getuser()}@127.0.0.1"
        daemons.wait_for("sshd", lambda: subprocess.run([*command.split(), login, "true"], check=False,
                                                        capture_output=True).returncode == 0)
        said = self.sweep("--sshlogin", f"2/{command} {login}", environment={"PARALLEL_SSH": command})
        self.assertIn("6 points to run", said)
        self.assertEqual(results(self.out), self.expected())

    def test_usage(self):
        done = subprocess.run([SCRIPT], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("usage: sweep-parallel", done.stderr)
        done = subprocess.run([SCRIPT, SIM, self.out, "--", "--seed", "1"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--trace", done.stderr)


if __name__ == "__main__":
    SCRIPT, SIM, SAMPLE = (Path(sys.argv.pop(1)).resolve() for _ in range(3))
    need({"parallel": "parallel"})
    unittest.main()
