"""What the plugin costs pytest: a run that does not use it, and a test that does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure
from benchmarks.figures import Peer
from benchmarks.figures import Row
from benchmarks.figures import compared
from benchmarks.figures import limited
from benchmarks.plan import Plan
from benchmarks.rounds import interleaved

_IMPORT_MS = 30.0
_WARM_TESTS = 5
# Within pytest, whose own import hook loads plugins: slower than Python's.
_STOPWATCH = """
import time
from importlib.metadata import EntryPoint
from pathlib import Path

load = EntryPoint.load


def timed(self):
    began = time.perf_counter()
    loaded = load(self)
    if self.group == "pytest11" and self.name == "kecs":
        Path("import_seconds").write_text(str(time.perf_counter() - began))
    return loaded


EntryPoint.load = timed
"""
# All hooks of pytest and of its plugins lie between the starts of two tests.
_CONFTEST = """
import json
import time
from pathlib import Path

import pytest

starts = []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logstart():
    starts.append(time.perf_counter())


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish():
    Path("starts.json").write_text(json.dumps(starts))
"""
_EMPTY = """
def test_empty():
    pass
"""
_SUITE = """
import pytest


@pytest.fixture
def nothing():
    return None


@pytest.mark.parametrize("number", range({count}))
def test_empty(number, {fixture}):
    pass
"""


def measure(plan: Plan) -> list[Row]:
    return [_unused_row(plan), _import_row(plan), _fixture_row(plan)]


def _unused_row(plan: Plan) -> Row:
    folder = _suite(plan.directory / "unused", _EMPTY)
    subjects = {
        "with": partial(_timed_run, folder),
        "without": partial(_timed_run, folder, "-p", "no:kecs"),
    }
    figures = interleaved(subjects, plan.runs)
    ours, peer = figures["with"]["run"], figures["without"]["run"]
    return compared(
        "plugin",
        "a run of pytest without an ECS test",
        "ms",
        ours,
        Peer(name="-p no:kecs", figure=peer),
        note=f"{ours.median - peer.median:+.1f} ms",
    )


def _import_row(plan: Plan) -> Row:
    folder = _suite(plan.directory / "import", _EMPTY)
    (folder / "stopwatch.py").write_text(_STOPWATCH)
    figures = interleaved({"import": partial(_import_time, folder)}, plan.runs)
    return limited(
        "plugin", "import of the plugin", "ms", figures["import"]["import"], below=_IMPORT_MS
    )


def _fixture_row(plan: Plan) -> Row:
    """One round is a whole suite; its sample is the time from one test's start to the next's."""
    text = {
        fixture: _SUITE.format(count=plan.suite_tests, fixture=fixture)
        for fixture in ("ecs_client", "nothing")
    }
    folders = {name: _suite(plan.directory / name, text[name], _CONFTEST) for name in text}
    samples: dict[str, list[float]] = {name: [] for name in folders}
    for _ in range(plan.suites):
        for name, folder in folders.items():
            samples[name] += _test_times(folder)
    ours, peer = (Figure.of(samples[name]) for name in ("ecs_client", "nothing"))
    return compared(
        "plugin",
        "an empty test with ecs_client",
        "ms",
        ours,
        Peer(name="a fixture that does nothing", figure=peer),
        note=f"{ours.median - peer.median:+.2f} ms a test",
    )


def _suite(folder: Path, tests: str, conftest: str = "") -> Path:
    folder.mkdir()
    # Else pytest would take the project's own settings for the suite's.
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_suite.py").write_text(tests)
    (folder / "conftest.py").write_text(conftest)
    return folder


def _timed_run(folder: Path, *options: str) -> Mapping[str, float]:
    began = time.perf_counter()
    _run(folder, *options)
    return {"run": 1000 * (time.perf_counter() - began)}


def _import_time(folder: Path) -> Mapping[str, float]:
    _run(folder, "-p", "stopwatch")
    return {"import": 1000 * float((folder / "import_seconds").read_text())}


def _test_times(folder: Path) -> list[float]:
    """Milliseconds of each test but the first few, which also start things."""
    _run(folder)
    starts = json.loads((folder / "starts.json").read_text())[_WARM_TESTS:]
    return [1000 * (end - start) for start, end in pairwise(starts)]


def _run(folder: Path, *options: str) -> None:
    """Run pytest as if this run's own settings for pytest were not there."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkError(f"a run of pytest failed:\n{done.stdout}{done.stderr}")
