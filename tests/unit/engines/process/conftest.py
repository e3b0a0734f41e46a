from __future__ import annotations

import os
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from engine_driver import Driver
from engine_driver import Fifo
from kecs_server.engines.process.engine import ProcessEngine
from kecs_server.prune import leftover_processes


@pytest.fixture
def environment_name() -> str:
    return f"kecs-{uuid.uuid4().hex[:6]}"


@pytest.fixture
def no_leaks(environment_name: str) -> Iterator[None]:
    """After the test there are no more processes, threads and descriptors than before."""
    before = resources()
    yield
    assert leftover_processes(environment_name) == []
    assert resources() == before


@pytest.fixture
def fifo(no_leaks: None, tmp_path: Path) -> Iterator[Fifo]:
    fifo = Fifo(tmp_path / "fifo")
    yield fifo
    fifo.close()


@pytest.fixture
def driver(no_leaks: None, environment_name: str, tmp_path: Path) -> Iterator[Driver]:
    rootdir = tmp_path / "rootdir"
    rootdir.mkdir()
    engine = ProcessEngine(
        environment_name=environment_name,
        directory=tmp_path / "environment",
        interpreter=sys.executable,
        rootdir=str(rootdir),
    )
    driver = Driver(engine)
    engine.open(driver.observe, lambda phase: None)
    yield driver
    engine.close()


def resources() -> tuple[set[str], set[int], int]:
    threads = {thread.name for thread in threading.enumerate()}
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    return threads, children, len(os.listdir("/dev/fd"))
