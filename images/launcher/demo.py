# SPDX-License-Identifier: MIT
"""`demo`: one request trace under several placement policies, a guest each, side by side; one table."""

import argparse
import json
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import build, initramfs, output, packages, process, progress, tree
from .errors import Exit, LauncherError
from .guest import Guest, Outcome
from .machine import Machine, Time

DEFAULT_POLICIES = ("lru", "hepc", "next-use")
DEFAULT_REPORT = tree.BUILD / "demo.html"
_NO_REPORT = "none"
# The hints that each policy gets. `lru` ignores hints, so it gets none and is the baseline.
_HINTS = {"lru": "none"}
_ALL_HINTS = "all"
# The published thresholds move everything out at every step and promote nothing ("Placement" in docs/device-spec.md).
# With these the score never demotes, and promotes a shared prefix that was used lately.
_EVICT_THRESH = 0
_PREFETCH_THRESH = 0xC800
_GUEST_TRACE = f"{initramfs.HOME}/trace.jsonl"
_POLL_S = 0.2
_PROGRESS = re.compile(r"progress (\d+) (\d+)")
STUDY_SCALE = 0.4
_STUDY_FAST_BLOCKS = 3000
# Exit statuses of kvcpu-replay that mean what they mean here.
_PASSED_ON = (Exit.BAD_TRACE, Exit.BAD_SIZES, Exit.BAD_RESULT)


@dataclass
class Replay:
    """A policy's guest while it runs."""

    policy: str
    guest: Guest
    ended: bool = False

    def progress(self) -> str:
        """What share of the requests is done."""
        found = _PROGRESS.findall(self.guest.stderr_so_far())
        if not found:
            return f"{self.policy} boots"
        done, total = map(int, found[-1])
        return f"{self.policy} {100 * done // total} %"


def demo(options: argparse.Namespace) -> int:
    """`./kvcpu demo`: the table, and the JSON file where one is asked for."""
    policies = options.policy or list(DEFAULT_POLICIES)
    for name in policies:
        if name not in tree.policies():
            raise LauncherError(Exit.USAGE, f"--policy {name}: no such policy; there are: "
                                f"{', '.join(tree.policies())}")
    for name, path in (("--json", options.json), ("--report", options.report)):
        if path not in (None, DEFAULT_REPORT, Path(_NO_REPORT)):
            output.check(name, path)
    if not os.path.isfile(options.trace):  # False also for a path that is too long
        raise LauncherError(Exit.BAD_TRACE, f"--trace {options.trace}: there is no such file")
    packages.ensure()
    # An error in the options or the trace is reported before the long work.
    plan = _plan(build.tool("kvcpu-replay"), options)
    built = build.products()
    image = build.image(options.kernel, built)
    _print_plan(options, plan)
    outcomes = _run_all(options, policies, plan, built, image)
    runs = [_result(options, policy, outcome) for policy, outcome in outcomes.items()]
    print(_table(runs))
    document = _document(options, plan, built, image, outcomes, runs)
    if options.json is not None:
        _write_json(options.json, document)
        progress.say(f"figures: {options.json}")
    status = _verdict(outcomes, runs)
    if options.report != Path(_NO_REPORT):
        _write_report(options, document)
    return status


def _plan(replay: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Sizes for the trace, as kvcpu-replay chooses them; it finds a bad trace before any guest boots."""
    argv = [str(replay), str(options.trace), "--plan", "--without", options.without, *_trace_arguments(options)]
    if options.fast_blocks:
        argv += ["--fast-blocks", str(options.fast_blocks)]
    if options.slow_blocks:
        argv += ["--slow-blocks", str(options.slow_blocks)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode in _PASSED_ON:
        raise LauncherError(Exit(done.returncode), done.stderr.strip())
    if done.returncode == Exit.USAGE:
        raise LauncherError(Exit.USAGE, done.stderr.strip().removeprefix("kvcpu-replay: "))
    if done.returncode != 0:
        raise process.failure(argv, done.returncode, done.stderr.splitlines(), Exit.USAGE)
    return json.loads(done.stdout)


def _trace_arguments(options: argparse.Namespace) -> list[str]:
    return ["--requests", str(options.requests or 0), "--scale", str(options.scale), "--seed", str(options.seed)]


def _print_plan(options: argparse.Namespace, plan: dict[str, Any]) -> None:
    small = "" if plan["fast_blocks"] == _STUDY_FAST_BLOCKS else \
        f" (a small trace: the study's is {_STUDY_FAST_BLOCKS})"
    everything = "" if options.slow_blocks else " (everything)"
    print(f"{options.trace.name}: {plan['requests']} requests, {plan['block_uses']} block uses of "
          f"{plan['distinct_blocks']} blocks\n"
          f"fast tier {plan['fast_blocks']} blocks{small}, slow tier {plan['slow_blocks']}{everything}, "
          f"scale {plan['scale']}, seed {plan['seed']}, virtual time", flush=True)


def _command(policy: str, options: argparse.Namespace) -> list[str]:
    return ["kvcpu-replay", _GUEST_TRACE, *_trace_arguments(options), "--hints", _HINTS.get(policy, _ALL_HINTS),
            "--without", options.without if policy not in _HINTS else "none",
            "--evict-thresh", str(_EVICT_THRESH), "--prefetch-thresh", str(_PREFETCH_THRESH),
            "--json", "-", "--progress"]


def _machine(policy: str, plan: dict[str, Any]) -> Machine:
    properties = dict(setting.split("=", 1) for setting in plan["device"].split(","))
    return Machine(time=Time.VIRTUAL, devices=({**properties, "policy": policy},))


def _run_all(options: argparse.Namespace, policies: list[str], plan: dict[str, Any], built: build.Products,
             image: build.Image) -> dict[str, Outcome]:
    """The outcome by policy; as many guests at once as there are processors."""
    waiting = list(dict.fromkeys(policies))
    running: list[Replay] = []
    outcomes: dict[str, Outcome] = {}
    at_once = max(1, os.cpu_count() or 1)
    with progress.phase(f"replay under {', '.join(waiting)}") as step:
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    running.append(_start(options, waiting.pop(0), plan, built, image))
                for replay in list(running):
                    if replay.guest.poll(_POLL_S):
                        outcomes[replay.policy] = replay.guest.outcome()
                        running.remove(replay)
                        replay.guest.__exit__()
                step.note = ", ".join(replay.progress() for replay in running)
        finally:
            for replay in running:
                replay.guest.__exit__()
    return {policy: outcomes[policy] for policy in dict.fromkeys(policies)}


def _start(options: argparse.Namespace, policy: str, plan: dict[str, Any], built: build.Products,
           image: build.Image) -> Replay:
    archive = initramfs.with_command(image.initramfs, _command(policy, options), {_GUEST_TRACE: options.trace})
    guest = Guest(qemu=built.qemu, kernel=image.kernel.vmlinuz, initramfs=archive, machine=_machine(policy, plan),
                  folder=progress.log_folder() / policy, timeout_s=options.timeout, title=f"guest under {policy}")
    guest.__enter__()
    return Replay(policy, guest)


def _result(options: argparse.Namespace, policy: str, outcome: Outcome) -> dict[str, Any]:
    """What the replay reported; its own complaint where it reported nothing."""
    try:
        run = json.loads(outcome.stdout)
    except json.JSONDecodeError as error:
        said = "\n".join(f"  | {line}" for line in outcome.stderr.splitlines() if not _PROGRESS.match(line))
        code = Exit(outcome.status) if outcome.status in map(int, _PASSED_ON) else Exit.BAD_RESULT
        raise LauncherError(code, f"the replay under {policy} ended with status {outcome.status} and without "
                            f"figures:\n{said}", outcome.console) from error
    run["event_log_sha256"] = outcome.event_log_sha256[0]
    run["trace"] = options.trace.name
    run["everything"] = not options.slow_blocks
    return run


def _table(runs: list[dict[str, Any]]) -> str:
    """The figures of all runs, a column each, by their JSON names."""
    uses = runs[0]["block_uses"] or 1
    rows: list[list[str]] = [["", *(run["policy"] for run in runs)],
                             ["hints", *(" ".join(name[:4] for name in run["hints"]) or "none" for run in runs)]]
    for name in ("requests", "block_uses"):
        rows.append([name, *(f"{run[name]:,}" for run in runs)])
    for name in ("fast", "slow", "recomputed"):
        rows.append([name, *(f"{run[name]:,} ({run[name] / uses:.4f})" for run in runs)])
    for name in ("stall_ns_total", "stall_ns_mean", "stall_ns_p99", "ttft_ns_mean", "ttft_ns_p99"):
        rows.append([name, *(f"{run[name] / 1e6:,.1f} ms" for run in runs)])
    for name in ("blocks_in", "blocks_out"):
        rows.append([name, *(f"{run[name]:,}" for run in runs)])
    rows.append(["hint_outcomes", *("/".join(str(count) for count in run["hint_outcomes"].values()) for run in runs)])
    for name in ("hints_given", "hint_system_calls"):
        rows.append([name, *(f"{run[name]:,}" for run in runs)])
    rows.append(["verification_failures", *(str(run["verification_failures"]) for run in runs)])
    rows.append(["event_log_sha256", *(run["event_log_sha256"][:16] for run in runs)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells))
    return "\n".join(["", *lines, "hint_outcomes: accepted/deferred/clipped/ignored"])


def _document(options: argparse.Namespace, plan: dict[str, Any], built: build.Products, image: build.Image,
              outcomes: dict[str, Outcome], runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The JSON file; docs/experiments.md describes it."""
    qemu = process.capture([built.qemu, "--version"]).splitlines()[0]
    return {
        "parameters": {**plan, "trace": options.trace.name, "evict_thresh": _EVICT_THRESH,
                       "prefetch_thresh": _PREFETCH_THRESH, "time": str(Time.VIRTUAL)},
        "versions": {"kvcpu": tree.version(), "qemu": qemu, "linux": image.kernel.release,
                     "python": platform.python_version()},
        "host": {"cpus": os.cpu_count(),
                 "seconds": {policy: round(outcome.seconds, 1) for policy, outcome in outcomes.items()}},
        "runs": runs,
    }


def _write_json(path: Path, document: dict[str, Any]) -> None:
    output.write(path, json.dumps(document, indent=2) + "\n")


def _write_report(options: argparse.Namespace, document: dict[str, Any]) -> None:
    """Write the page: these runs, and simulations of other sizes, policies and hints."""
    simulator = build.tool("kvcpu-sim")
    runs = progress.log_folder() / "demo-runs.json"
    _write_json(runs, document)
    argv = [simulator, "report", "--in", runs, "--out", options.report, "--trace", options.trace,
            *_trace_arguments(options)]
    if options.slow_blocks:
        argv += ["--slow-blocks", f"everything,{options.slow_blocks}"]
    process.run_logged([str(part) for part in argv], "report, with other sizes simulated", "report")
    progress.say(f"report: {options.report}")


def _verdict(outcomes: dict[str, Outcome], runs: list[dict[str, Any]]) -> int:
    for (policy, outcome), run in zip(outcomes.items(), runs, strict=True):
        progress.say(f"{policy}: {outcome.seconds:.1f} s")
        if run["verification_failures"] or outcome.status != 0:
            raise LauncherError(Exit.BAD_RESULT, f"under {policy}, {run['verification_failures']} blocks did not hold "
                                f"what was written to them (status {outcome.status})", outcome.console)
        if outcome.complaints:
            raise LauncherError(Exit.BAD_RESULT, f"under {policy} the guest kernel complained: {outcome.complaints[0]}",
                                outcome.console)
    return Exit.OK
