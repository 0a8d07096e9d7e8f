# SPDX-License-Identifier: MIT
"""The command line of ./kvcpu: sub-commands, their options, their help."""

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from . import bench, build, demo, doctor, run, setup, sim, testing, tree
from .errors import Exit, exit_code_table, usage_message
from .initramfs import HOME
from .kernel import DEFAULT_SELECTOR, SELECTORS
from .machine import MAX_DEVICES, Time

_DESCRIPTION = """\
KV-CPU: a PCIe device that keeps an LLM server's KV-cache blocks in two memory tiers, its Linux driver, and a VM that
boots with both.

  demo and test do all set-up themselves, packages included; a second call rebuilds nothing.
"""
_EPILOG = f"""\
exit codes (run and shell return the guest command's own otherwise):
{exit_code_table()}

Everything that is fetched or built is kept in $KVCPU_CACHE, $XDG_CACHE_HOME/kvcpu or ~/.cache/kvcpu, in this order;
the native build folder is build/. Logs are in the cache's folder logs/.
"""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help that ends the text of each option that takes a value with the option's default."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=30, width=118)

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        if action.nargs in (0, argparse.PARSER, argparse.REMAINDER) or "(default: " in text:
            return text
        if action.required:
            return f"{text} (required)"
        return f"{text} (none by default)" if action.default in (None, []) else f"{text} (default: %(default)s)"


class _Parser(argparse.ArgumentParser):
    """A parser whose message about a wrong option is short: one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(Exit.USAGE, f"{self.prog}: {usage_message(message)}\n")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Options of a command line; `run` in them is the function that carries it out."""
    parser = _Parser(prog="kvcpu", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=_Formatter)
    commands = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND", title="commands")
    _add_setup(commands)
    _add_build(commands)
    _add_demo(commands)
    _add_sim(commands)
    _add_bench(commands)
    _add_test(commands)
    _add_run(commands)
    _add_shell(commands)
    _add_command(commands, "doctor", doctor.doctor, "check the host: what is installed, missing, working",
                 "./kvcpu doctor")
    return parser.parse_args(argv)


def _add_command(commands: argparse._SubParsersAction, name: str,
                 function: Callable[[argparse.Namespace], int], summary: str,
                 examples: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".",
                                 epilog=f"examples:\n{_indented(examples)}\n\n`./kvcpu --help` lists the exit codes.",
                                 formatter_class=_Formatter)
    parser.set_defaults(run=function)
    return parser


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _whole(what: str, low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers; its error names the number and its range."""
    def parse_number(text: str) -> int:
        value = int(text) if re.fullmatch(r"[0-9]{1,20}", text) else -1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not {what} from {low} to {high}")
        return value
    return parse_number


def _real(what: str, low: float, high: float) -> Callable[[str], float]:
    """A parser of numbers; its error names the number and its range."""
    def parse_number(text: str) -> float:
        value = float(text) if re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", text) else low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not {what} from {low:g} to {high:g}")
        return value
    return parse_number


_blocks = _whole("a number of blocks", 1, 1 << 31)
_seconds = _whole("a number of seconds", 1, 10**6)
_seed = _whole("a seed", 0, (1 << 32) - 1)


def _add_setup(commands: argparse._SubParsersAction) -> None:
    parser = _add_command(commands, "setup", setup.setup,
                          "install missing Debian packages and fetch the guest kernels",
                          "./kvcpu setup\n./kvcpu setup --refresh    # newer kernels, if the archive has any")
    parser.add_argument("--refresh", action="store_true", help="renew the package lists that are kept in the cache")


def _add_build(commands: argparse._SubParsersAction) -> None:
    parser = _add_command(commands, "build", setup.build_all,
                          "build QEMU with the device, the native parts and the guest images",
                          "./kvcpu build\n./kvcpu build --kernel 6.12\n"
                          "./kvcpu build --kernel debug    # some minutes, once")
    parser.add_argument("--kernel", choices=build.KERNELS, nargs="+", default=list(SELECTORS), metavar="KERNEL",
                        help=f"guest kernels to make images for: {' '.join(build.KERNELS)} "
                        f"(default: {' '.join(SELECTORS)})")
    parser.add_argument("--tools-only", action="store_true", help="build only the tools of the native parts")


def _add_machine_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the machine")
    group.add_argument("--kernel", choices=build.KERNELS, default=DEFAULT_SELECTOR,
                       help="guest kernel; debug has checkers for memory, locks and DMA, is slow, and looks for leaks "
                       "when the command has ended")
    group.add_argument("--time", choices=[str(time) for time in Time], default=str(Time.REAL),
                       help="virtual: repeatable to the nanosecond, one CPU; real: several CPUs")
    group.add_argument("--cpus", type=_whole("a number of CPUs", 1, 255), metavar="N",
                       help="number of guest CPUs (default: 1 in virtual time, 2 in real time)")
    group.add_argument("--memory", type=_whole("a number of MiB", 64, 1 << 20), default=1024, metavar="MIB",
                       help="guest memory in MiB")
    group.add_argument("--device", action="append", default=[], metavar="KEY=VALUE",
                       help="property of the KV-CPU: block-size=64K, policy=hepc, ...; repeatable")
    group.add_argument("--iommu", action="store_true", help="put an emulated IOMMU between devices and memory")
    group.add_argument("--devices", type=_whole("a number of devices", 1, MAX_DEVICES), default=1, metavar="N",
                       help="number of KV-CPUs")
    group.add_argument("--seed", type=_seed, default=1, metavar="N", help="seed of the guest's entropy")
    group.add_argument("--no-modules", dest="modules", action="store_false",
                       help="boot without loading the driver (it is /lib/modules/*/kvcpu.ko)")
    group.add_argument("--file", action="append", default=[], metavar="HOST[:GUEST]",
                       help=f"file to put into the guest, as the path GUEST or into {HOME}; repeatable")
    group.add_argument("--prebuilt", action="store_true", help="use what was built last; build nothing")


def _add_run(commands: argparse._SubParsersAction) -> None:
    parser = _add_command(
        commands, "run", run.run, "boot a VM with the driver loaded, run a command in it, return its status",
        "./kvcpu run -- kvctl info\n"
        "./kvcpu run --kernel 6.12 --devices 2 -- sh -c 'ls /dev/kvcpu*'\n"
        "./kvcpu run --time virtual --device policy=hepc --file trace.jsonl -- kvcpu-replay trace.jsonl\n"
        f"./kvcpu run --file ./my-client -- {HOME}/my-client")
    _add_machine_options(parser)
    parser.add_argument("--timeout", type=_seconds, default=600, metavar="S",
                        help="seconds of the host's clock after which the guest counts as hung")
    parser.add_argument("--console", action="store_true", help="show the guest's console on stderr too")
    parser.add_argument("command", nargs="+", metavar="CMD", help="the command and its arguments, after --")


def _add_shell(commands: argparse._SubParsersAction) -> None:
    parser = _add_command(commands, "shell", run.shell, "boot a VM with the driver loaded, and a shell on its console",
                          "./kvcpu shell\n./kvcpu shell --kernel 6.12 --device block-size=64K")
    _add_machine_options(parser)
    parser.set_defaults(timeout=0)


def _add_sim(commands: argparse._SubParsersAction) -> None:
    parser = _add_command(
        commands, "sim", sim.sim, "replay a request trace on simulated devices, without a VM, and compare policies",
        "./kvcpu sim compare --trace conversation_trace.jsonl\n"
        "./kvcpu sim run --trace conversation_trace.jsonl --policy next-use --json -\n"
        "./kvcpu sim compare --help")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="arguments of kvcpu-sim")


def _add_bench(commands: argparse._SubParsersAction) -> None:
    hints = _add_command(
        commands, "bench", bench.hints, "measure the cost of hints: in a guest that gives them, or in the device",
        "./kvcpu bench hints\n./kvcpu bench hints --json hints.json\n./kvcpu bench core")
    which = hints.add_subparsers(dest="bench", required=True, metavar="WHAT", title="what")
    guest = _add_command(which, "hints", bench.hints, "measure guest instructions and ns for each hint, by ioctl and "
                         "by ring, in virtual time: the same table each time", "./kvcpu bench hints --json hints.json")
    guest.add_argument("--kernel", choices=SELECTORS, default=DEFAULT_SELECTOR, help="guest kernel")
    core = _add_command(which, "core", bench.core, "measure the hints per second that the device's core takes on one "
                        "core of this machine, and their limit", "./kvcpu bench core --seconds 5")
    core.add_argument("--seconds", type=_real("a number of seconds", 0.01, 3600), default=2, metavar="S",
                      help="seconds for each row")
    for parser in (guest, core):
        parser.add_argument("--json", type=Path, metavar="FILE", help="file for the rows, as JSON")


def _add_test(commands: argparse._SubParsersAction) -> None:
    parser = _add_command(commands, "test", testing.test, "build everything and run the tests",
                          "./kvcpu test\n./kvcpu test core docs\n./kvcpu test --list\n"
                          "KVCPU_TRACE=conversation_trace.jsonl ./kvcpu test lib tools"
                          "    # and compare with what was published on it")
    parser.add_argument("suite", nargs="*", metavar="SUITE", help="test suites to run (default: all)")
    parser.add_argument("--list", action="store_true", help="list the suites and their tests, and run none")


def _add_demo(commands: argparse._SubParsersAction) -> None:
    parser = _add_command(
        commands, "demo", demo.demo,
        "replay a request trace under several placement policies, a VM each, and compare them",
        "./kvcpu demo\n"
        "./kvcpu demo --trace conversation_trace.jsonl --json out.json\n"
        "./kvcpu demo --requests 200 --fast-blocks 500 --policy hepc")
    parser.add_argument("--trace", type=Path, default=tree.SAMPLE_TRACE, metavar="FILE",
                        help="JSON lines of timestamp, input_length, output_length, hash_ids (default: the sample)")
    parser.add_argument("--requests", type=_whole("a number of requests", 1, (1 << 32) - 1), metavar="N",
                        help="replay only this number of requests (default: all requests)")
    parser.add_argument("--policy", action="append", metavar="NAME",
                        help=f"a policy to replay under, repeatable (default: {', '.join(demo.DEFAULT_POLICIES)})")
    parser.add_argument("--fast-blocks", type=_blocks, metavar="F",
                        help="blocks of the fast tier (default: chosen from the trace)")
    parser.add_argument("--slow-blocks", type=_blocks, metavar="S",
                        help="blocks of the slow tier (default: as many as the trace needs)")
    parser.add_argument("--scale", type=_real("a number", 0.001, 1000), default=demo.STUDY_SCALE, metavar="X",
                        help="factor by which arrival times are divided: more is more load")
    parser.add_argument("--seed", type=_seed, default=1, metavar="N", help="seed of the arrivals")
    parser.add_argument("--without", default="none", metavar="KINDS",
                        help="kinds of hints to withhold, for an ablation: none, or a list of "
                        "step,hot,prefetch,evictable,release,share")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for the figures, parameters and versions")
    parser.add_argument("--report", type=Path, default=demo.DEFAULT_REPORT, metavar="FILE",
                        help="file for the page with pictures, or `none` (default: build/demo.html)")
    parser.add_argument("--kernel", choices=SELECTORS, default=DEFAULT_SELECTOR, help="guest kernel")
    parser.add_argument("--timeout", type=_seconds, default=3600, metavar="S",
                        help="seconds of the host's clock after which a guest counts as hung")
