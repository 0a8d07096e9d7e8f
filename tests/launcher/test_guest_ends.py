#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The ends of a guest, and the exit codes of ./kvcpu. TAP."""

import contextlib
import hashlib
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

from harness import KVCPU, LauncherTest, kvcpu
from launcher import apt, build, cache, driver, initramfs, kernel, machine, process, tree
from launcher.errors import Exit, LauncherError
from launcher.guest import Guest
from support import tap

SERIES = kernel.DEFAULT_SELECTOR


def run(command: str, *options: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """`./kvcpu run` of a shell command."""
    return kvcpu("run", "--prebuilt", *options, "--", "sh", "-c", command, timeout=timeout)


class Orderly(LauncherTest):
    """The command ends on its own."""

    def test_information_of_the_device(self) -> None:
        started = time.monotonic()
        done = kvcpu("run", "--", "kvctl", "info")
        print(f"# ./kvcpu run -- kvctl info took {time.monotonic() - started:.1f} s")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^fast_slots +\d+$")

    def test_statuses_are_passed_on(self) -> None:
        for command, status in (("exit 7", 7), ("kill -9 $$", 128 + signal.SIGKILL), ("exec no-such-command", 127)):
            with self.subTest(command=command):
                self.assertEqual(run(command).returncode, status)

    def test_output_is_passed_on_byte_by_byte(self) -> None:
        command = "head -c 100000 /dev/urandom >/tmp/x; sha256sum </tmp/x >&2; cat /tmp/x"
        done = subprocess.run([KVCPU, "run", "--prebuilt", "--", "sh", "-c", command], capture_output=True, check=True)
        self.assertEqual(len(done.stdout), 100000)
        self.assertEqual(done.stderr.split()[0].decode(), hashlib.sha256(done.stdout).hexdigest())

    def test_files_and_no_modules(self) -> None:
        script = self.folder / "script"
        script.write_text("#!/bin/sh\nls /dev/kvcpu*; echo \"$0 $1\"\n", encoding="ascii")
        script.chmod(0o755)
        done = kvcpu("run", "--prebuilt", "--no-modules", "--file", f"{script}:/opt/named", "--", "/opt/named", "a b")
        self.assertEqual(done.stdout, "/opt/named a b\n")
        self.assertIn("No such file", done.stderr)

    def test_shell(self) -> None:
        ours, theirs = pty.openpty()
        with subprocess.Popen([KVCPU, "shell", "--prebuilt"], stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL,
                              start_new_session=True) as process_, open(ours, "r+b", buffering=0) as terminal:
            self.addCleanup(process_.kill)
            os.close(theirs)
            said = b""
            while b"# " not in said:
                said += terminal.read(4096)
            # A job control shell on its own terminal, so that an interrupt ends the command and not the shell.
            terminal.write(b"sleep 1000\n")
            time.sleep(0.5)
            terminal.write(b"\x03")
            terminal.write(b"ls /dev/kvcpu0 && exit 5\n")
            with contextlib.suppress(OSError):
                while data := terminal.read(4096):
                    said += data
            self.assertEqual(process_.wait(60), 5, said)
            self.assertIn(b"\n/dev/kvcpu0", said)

    def test_doctor(self) -> None:
        done = kvcpu("doctor")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for word in ("system", "packages", "cache", "guest kernel", "QEMU", "KVM", "ready"):
            self.assertIn(word, done.stdout)

    def test_several_devices(self) -> None:
        done = run("ls /dev/kvcpu*", "--devices", "3", "--kernel", "6.12")
        self.assertEqual(done.stdout.split(), [f"/dev/kvcpu{number}" for number in range(3)])

    def test_a_reader_that_goes(self) -> None:
        script = f"{KVCPU} run --prebuilt -- sh -c 'seq 100000' | head -n 1 >&2; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["/bin/bash", "-c", script], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (Exit.PIPE, "1\n"))


class Disorderly(LauncherTest):
    """The guest does not end on its own."""

    def check(self, done: subprocess.CompletedProcess[str], code: Exit, *words: str) -> None:
        """Checks the launcher's exit code, and that its message has these words."""
        self.assertEqual(done.returncode, code, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_hung_command(self) -> None:
        # Long enough to boot on a busy host; a guest that is still booting is the subject of the next test.
        self.check(run("echo started; sleep 1000", "--timeout", "15"), Exit.GUEST_HUNG, "15 s", "full log")

    def test_hang_at_boot(self) -> None:
        script = self.folder / "init"
        script.write_text("#!/bin/sh\nwhile :; do :; done\n", encoding="ascii")
        script.chmod(0o755)
        done = kvcpu("run", "--prebuilt", "--timeout", "8", "--file", f"{script}:/init", "--", "true")
        self.check(done, Exit.GUEST_HUNG, "hangs at boot, before its init ran", "end of its console")

    def test_panic(self) -> None:
        for series in kernel.SELECTORS:
            with self.subTest(series=series):
                self.check(run("echo c >/proc/sysrq-trigger", "--kernel", series), Exit.GUEST_PANIC,
                           "Kernel panic - not syncing: sysrq triggered crash")

    def test_complaint_of_the_kernel(self) -> None:
        complains = "echo 'BUG: of a test' >/dev/kmsg"
        self.check(run(complains), Exit.GUEST_COMPLAINED, "BUG: of a test", "full log")
        done = run(f"{complains}; exit 7")
        self.assertEqual(done.returncode, 7)
        self.assertIn("BUG: of a test", done.stderr)

    def test_silent_end(self) -> None:
        self.check(run("poweroff -f"), Exit.GUEST_SILENT, "guest-shutdown", "reported no status")
        self.check(run("reboot -f"), Exit.GUEST_SILENT, "guest-reset", "reported no status")

    def test_module_that_does_not_load(self) -> None:
        order = self.folder / "order"
        order.write_text("/bin/busybox\n", encoding="ascii")
        done = kvcpu("run", "--prebuilt", "--file", f"{order}:/lib/modules/load-order", "--", "true")
        self.check(done, Exit.GUEST_SILENT, "could not run the command", "insmod /bin/busybox")

    def test_property_that_is_refused(self) -> None:
        for setting, said in (("block-size=3000", "block-size: 3000 is not in 4096..2097152"),
                              ("dma-channels=0", "dma-channels: 0 is not in 1..16"),
                              ("nonsense=1", "nonsense")):
            with self.subTest(setting=setting):
                self.check(run("true", "--device", setting), Exit.QEMU_DIED, "refused to start", said)

    def test_sizes_that_do_not_fit_the_host(self) -> None:
        self.check(run("true", "--memory", "1048576"), Exit.QEMU_DIED, "memory")

    def started(self, command: str, *options: str) -> tuple[subprocess.Popen[str], int]:
        """A launcher whose guest already executes a command, and the process id of its QEMU."""
        argv = [KVCPU, "run", "--prebuilt", *options, "--", "sh", "-c", f"echo started; {command}"]
        process_ = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process_.kill)
        self.assertEqual(process_.stdout.readline(), "started\n")
        children = Path(f"/proc/{process_.pid}/task/{process_.pid}/children").read_text(encoding="ascii").split()
        return process_, int(children[0])

    def finished(self, process_: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
        """The ends of a launcher that is killed."""
        stdout, stderr = process_.communicate(timeout=60)
        return subprocess.CompletedProcess(process_.args, process_.returncode, stdout, stderr)

    def test_a_guest_that_was_stopped_is_not_hung(self) -> None:
        launcher, qemu = self.started("sleep 5; exit 6", "--timeout", "30")
        os.kill(qemu, signal.SIGSTOP)
        time.sleep(32)
        os.kill(qemu, signal.SIGCONT)
        self.assertEqual(self.finished(launcher).returncode, 6)

    def test_killed_qemu(self) -> None:
        launcher, qemu = self.started("sleep 1000")
        os.kill(qemu, signal.SIGKILL)
        self.check(self.finished(launcher), Exit.QEMU_DIED, "killed by SIGKILL")

    def test_nothing_is_left_of_a_launcher_that_ends(self) -> None:
        for number, code in ((signal.SIGTERM, Exit.INTERRUPTED), (signal.SIGINT, Exit.INTERRUPTED),
                             (signal.SIGKILL, -signal.SIGKILL)):
            with self.subTest(signal=number):
                launcher, qemu = self.started("sleep 1000")
                launcher.send_signal(number)
                self.assertEqual(self.finished(launcher).returncode, code)
                deadline = time.monotonic() + 30
                while Path(f"/proc/{qemu}/exe").exists() and time.monotonic() < deadline:
                    time.sleep(0.05)
                self.assertFalse(Path(f"/proc/{qemu}/exe").exists(), "QEMU still runs")


class Disk(LauncherTest):
    """A full disk, for a guest and for a build."""

    def cache_on(self, disk: Path, *shared: str) -> None:
        """A cache on a small disk, with links to the entries of the real cache; nothing is downloaded."""
        real = cache.root()
        apt.ensure_index()
        chosen = kernel.kernel(SERIES)
        built = build.image(SERIES, build.products_as_built())
        self.assertTrue(built.initramfs.is_file())
        root = self.own_cache(disk / "cache")
        for name in shared:
            (root / name).symlink_to(real / name)
        (root / "apt").mkdir(exist_ok=True)
        apt.index_stamp().write_text(apt.sources_list(), encoding="utf-8")
        (root / "kernels").mkdir()
        (root / "kernels" / f"{SERIES}.current").write_text(f"{chosen.folder} {chosen.release}\n", encoding="utf-8")

    def test_full_while_the_driver_is_built(self) -> None:
        self.cache_on(self.small_disk(1024))
        done = run("true")
        self.assertEqual(done.returncode, Exit.DISK_FULL, done.stderr)
        # Each program has its own message; the last one is that of the kernel's fixdep.
        self.assertRegex(done.stderr, "No space left on device|no space left on the disk|not all data was written")
        self.assertEqual([path for path in (cache.root() / "driver").iterdir() if path.suffix != ".lock"], [])

    def test_full_while_the_guest_writes(self) -> None:
        archive = build.image(SERIES, build.products_as_built()).initramfs.stat().st_size
        self.cache_on(self.small_disk(archive // 1024 + 1024), "driver", "initramfs")
        done = run("seq 400000")
        self.assertEqual(done.returncode, Exit.DISK_FULL, done.stderr)
        self.assertIn("no space left on the disk", done.stderr)

    def test_too_full_to_start(self) -> None:
        self.cache_on(self.small_disk(4096), "driver", "initramfs")
        done = run("true")
        self.assertEqual(done.returncode, Exit.DISK_FULL, done.stderr)
        self.assertEqual(list(cache.root().rglob("initramfs.cpio")), [])


class Build(LauncherTest):
    """Files for a guest that cannot be created."""

    def test_driver_that_does_not_compile(self) -> None:
        chosen = kernel.kernel(SERIES)
        self.own_cache()
        sources = self.folder / "tree" / "guest-driver"
        sources.parent.mkdir()
        process.capture(["cp", "-r", tree.DRIVER, sources])
        process.capture(["mkdir", "-p", self.folder / "tree" / "qemu-device"])
        process.capture(["cp", "-r", tree.HARDWARE_INCLUDE, self.folder / "tree" / "qemu-device" / "include"])
        with open(sources / "kvcpu_pci.c", "a", encoding="ascii") as file:
            file.write("int kvcpu_broken(void) { return no_such_name; }\n")
        self.patch(tree, "TOP", self.folder / "tree")
        self.patch(tree, "DRIVER", sources)
        self.patch(tree, "HARDWARE_INCLUDE", self.folder / "tree" / "qemu-device" / "include")
        with self.assertRaises(LauncherError) as caught:
            driver.module(chosen)
        self.assertEqual(caught.exception.code, Exit.BUILD_FAILED)
        # The message names the file to edit, and not the compiled copy.
        self.assertRegex(caught.exception.message, rf"{sources}/kvcpu_pci\.c:\d+:\d+: error: .*no_such_name")
        self.assertEqual([path for path in (cache.root() / "driver").iterdir() if path.suffix != ".lock"], [])

    def test_kernel_that_is_none(self) -> None:
        built = build.products_as_built()
        image = build.image(SERIES, built)
        broken = self.folder / "vmlinuz"
        broken.write_bytes(b"")
        guest = Guest(qemu=built.qemu, kernel=broken, initramfs=initramfs.with_command(image.initramfs, ["true"], {}),
                      machine=machine.Machine(time=machine.Time.REAL), folder=self.folder / "guest", timeout_s=15)
        with self.assertRaises(LauncherError) as caught, guest:
            guest.wait()
        self.assertEqual(caught.exception.code, Exit.QEMU_DIED)
        self.assertIn("kernel", caught.exception.message)


if __name__ == "__main__":
    tap.main()
