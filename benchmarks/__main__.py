"""`python -m benchmarks`: measure, show the table, write the JSON file."""

from __future__ import annotations

import argparse
import importlib.metadata
import signal
import sys
import tempfile
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks import calls
from benchmarks import kind
from benchmarks import loads
from benchmarks import machine
from benchmarks import memory
from benchmarks import moto
from benchmarks import planner
from benchmarks import pytest_runs
from benchmarks import recorder
from benchmarks import sizes
from benchmarks import start
from benchmarks import table
from benchmarks import tasks
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Row
from benchmarks.plan import Plan
from pytest_kecs.errors import KecsError

_GROUPS: Mapping[str, Callable[[Plan], list[Row]]] = {
    "start": start.measure,
    "plugin": pytest_runs.measure,
    "calls": calls.measure,
    "recorder": recorder.measure,
    "sizes": sizes.measure,
    "tasks": tasks.measure,
    "loads": loads.measure,
    "planner": planner.measure,
    "memory": memory.measure,
    "kind": kind.measure,
}
_NEED_MOTO = frozenset({"start", "calls", "sizes", "memory"})
_SCRATCH = Path(__file__).resolve().parent.parent / ".tmp"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _run(options)
    except (BenchmarkError, KecsError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmarks: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Timings of pytest-kecs beside those of its peers, in one run.",
    )
    parser.add_argument("--quick", action="store_true", help="a few rounds: does it all work?")
    parser.add_argument(
        "--kind",
        action="store_true",
        help="also on a kind cluster; needs Docker, kind, kubectl, KECS_KIND_IMAGE (a node image) "
        "and KECS_TEST_IMAGE (an image with a shell, in the local Docker)",
    )
    parser.add_argument(
        "--only", nargs="+", choices=_GROUPS, metavar="GROUP", help=f"of {', '.join(_GROUPS)}"
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=_SCRATCH / "bench.json",
        metavar="FILE",
        help="all figures; .tmp/bench.json unless given",
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="the table once more")
    return parser


def _run(options: argparse.Namespace) -> None:
    groups = _chosen(options)
    versions = {name: importlib.metadata.version(name) for name in ("pytest-kecs", "boto3")}
    if _NEED_MOTO.intersection(groups):
        versions["moto"] = moto.install()
    rows, noise = _measure(groups, quick=options.quick)
    about = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": options.quick,
        "machine": machine.description(),
        "noise": noise,
        "versions": versions,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(table.as_json(rows, about))
    _show(rows, about)
    if options.markdown is not None:
        options.markdown.write_text(table.markdown_table(rows) + "\n")
    if "kind" not in groups:
        print("Not measured: tasks on kind (--kind).")


def _chosen(options: argparse.Namespace) -> list[str]:
    groups = options.only or [name for name in _GROUPS if name != "kind" or options.kind]
    if "kind" in groups and (lacking := kind.missing()):
        raise BenchmarkError(f"nothing can be measured on kind: {lacking}")
    return [name for name in _GROUPS if name in groups]


def _measure(groups: Sequence[str], *, quick: bool) -> tuple[list[Row], dict[str, Any]]:
    rows: list[Row] = []
    quiet = machine.Quiet()
    _SCRATCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=_SCRATCH) as name:
        directory = Path(name)
        plan = Plan.quick(directory) if quick else Plan(directory=directory)
        quiet.look()
        for group in groups:
            print(f"measuring: {group}", file=sys.stderr)
            rows += _GROUPS[group](plan)
            quiet.look()
    return rows, quiet.report()


def _show(rows: Sequence[Row], about: Mapping[str, Any]) -> None:
    print(machine_line(about))
    if about["quick"]:
        print("--quick: too few rounds for the figures to mean anything.")
    print("Median (10th-90th percentile); a ratio is ours to the peer's.\n")
    print(table.text_table(rows))
    print(f"\n{table.verdict(rows)}.")


def machine_line(about: Mapping[str, Any]) -> str:
    """The machine, the versions, and whether the machine was left alone."""
    box, noise = about["machine"], about["noise"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    text = (
        f"{box['system']}, {box['cores']} cores, {box['memory_gib']} GiB,"
        f" Python {box['python']}; {versions}"
    )
    if not noise["noisy"]:
        return text
    return (
        f"{text}\nNOISY: others had {noise['taken']:.0%} of a processor between the measurements,"
        f" and equal work took up to {noise['sway']} times as long; measure again on a quiet one."
    )


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
