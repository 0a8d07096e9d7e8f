#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sweep-slurm: an array job on a cluster of one node, which the test creates in a folder of its own.

usage: test_slurm.py SWEEP_SLURM KVCPU_SIM SAMPLE_TRACE
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from machines import Daemons, free_port, need

SCRIPT, SIM, SAMPLE = Path(), Path(), Path()
SWEEP = ["--requests", "100", "--fast-blocks", "300", "--slow-blocks", "everything", "--policy", "lru,next-use",
         "--seed", "1,2,3"]


def configuration(folder: Path) -> str:
    """The configuration of a cluster of this machine, with all files in one folder."""
    host = socket.gethostname().split(".")[0]
    user = "root"
    return f"""\
ClusterName=sweep
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs={min(os.cpu_count() or 1, 2)} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class Slurm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        for name in ("state", "spool"):
            (cls.folder / name).mkdir()
        (cls.folder / "slurm.conf").write_text(configuration(cls.folder), encoding="utf-8")
        key = cls.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        cls.environment = {**os.environ, "SLURM_CONF": str(cls.folder / "slurm.conf"), "SWEEP_TASKS": "4"}
        daemons = Daemons(cls.folder)
        cls.addClassCleanup(daemons.stop)
        daemons.start("/usr/sbin/munged", "--foreground", "--force", *(
            f"--{what}={cls.folder}/munge.{end}" for what, end in (
                ("key-file", "key"), ("socket", "socket"), ("pid-file", "pid"), ("seed-file", "seed"),
                ("log-file", "log"))))
        daemons.wait_for("munged", (cls.folder / "munge.socket").exists)
        for program in ("slurmctld", "slurmd"):
            daemons.start(f"/usr/sbin/{program}", "-D", env=cls.environment)
        daemons.wait_for("an idle node", lambda: "idle" in subprocess.run(
            ["sinfo", "--noheader", "--format=%T"], env=cls.environment, capture_output=True, text=True,
            check=False).stdout)

    def sweep(self, out: Path) -> str:
        done = subprocess.run([SCRIPT, SIM, out, "--wait", "--", "--trace", SAMPLE, *SWEEP], env=self.environment,
                              capture_output=True, text=True, check=False, timeout=200, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def test_an_array_job_and_what_was_missing(self):
        out = self.folder / "results"
        self.sweep(out)
        files = sorted(out.glob("*.jsonl"))
        found = [json.loads(path.read_text(encoding="utf-8")) for path in files]
        expected = self.folder / "expected.jsonl"
        subprocess.run([SIM, "sweep", "--trace", SAMPLE, *SWEEP, "--out", expected, "--quiet"], check=True, timeout=120)
        self.assertEqual(sorted(map(str, found)),
                         sorted(str(json.loads(line)) for line in expected.read_text(encoding="utf-8").splitlines()))
        self.assertEqual(len(found), 6)
        # Simulates a node that failed during the last points.
        files[-1].write_bytes(files[-1].read_bytes()[:-100])
        self.sweep(out)
        self.assertEqual([json.loads(path.read_text(encoding="utf-8")) for path in sorted(out.glob("*.jsonl"))], found)
        self.assertIn("already", self.sweep(out))


if __name__ == "__main__":
    SCRIPT, SIM, SAMPLE = (Path(sys.argv.pop(1)).resolve() for _ in range(3))
    need({"sbatch": "slurm-client", "slurmctld": "slurmctld", "slurmd": "slurmd", "munged": "munge"})
    if os.geteuid() != 0:
        print("SKIP: slurmd wants to be root")
        sys.exit(77)
    unittest.main()
