"""Inner pytest runs with environments of their own, and the processes that they have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

SLOW_END_SECONDS = 20.0


def run(inner: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest in a process of its own."""
    return inner.runpytest_subprocess(*arguments, timeout=100)


class Processes:
    """The processes of the environments in one home: servers, supervisors, containers."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def now(self) -> list[psutil.Process]:
        names = {path.name for path in self._home.iterdir()} if self._home.exists() else set()
        return [process for process in psutil.process_iter() if self._belongs(process, names)]

    def _belongs(self, process: psutil.Process, names: set[str]) -> bool:
        try:
            variables = process.environ()
            is_server = any(part.startswith("kecs_server") for part in process.cmdline())
        except psutil.Error:
            return False
        if variables.get("KECS_ENVIRONMENT") in names:
            return True
        return is_server and variables.get("KECS_HOME") == str(self._home)


def assert_gone(processes: list[psutil.Process]) -> None:
    """Wait for the processes' end, which may take a moment after their owner's."""
    _, alive = psutil.wait_procs(processes, timeout=SLOW_END_SECONDS)
    assert alive == []


class Run:
    """A pytest that runs beside the test; its output is read line by line."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self.popen = popen
        self.lines: list[str] = []

    def read_until(self, text: str) -> str:
        """The first line that has `text` in it.

        :raises AssertionError: the run ended without it.
        """
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError("".join(self.lines))

    def rest(self) -> str:
        """All output, when the run has ended."""
        assert self.popen.stdout is not None
        self.lines += self.popen.stdout.readlines()
        self.popen.wait(SLOW_END_SECONDS)
        return "".join(self.lines)


class Start:
    """Starts pytest runs beside the test, and ends those that are left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.runs: list[Run] = []

    def __call__(self, *arguments: str) -> Run:
        popen = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.runs.append(Run(popen))
        return self.runs[-1]
