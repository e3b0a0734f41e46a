"""A container that writes 100 MB: the server does not slow down or grow, nor the disk fill up."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from api_steps import container
from api_steps import register
from api_steps import run

from pytest_kecs.admin import AdminClient
from pytest_kecs.launcher import Launcher
from pytest_kecs.logs import LogQuery
from pytest_kecs.logs import collect

pytestmark = pytest.mark.ours

MIB = 1 << 20
LINE = 500
LINES = 200_000
CODE = f"""
line = "x" * {LINE - 9}
for number in range({LINES}):
    print(f"{{number:08}}{{line}}")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks at memory and disk as Linux has them")
def test_a_container_that_writes_100_mb(cluster: Any, admin: AdminClient, server: Launcher) -> None:
    process = psutil.Process(admin.health().pid)
    before = process.memory_info().rss
    register(cluster, "app", container(command=[sys.executable, "-c", CODE], memory=256))
    task = run(cluster, "app")["taskArn"].rpartition("/")[2]
    calls, memory = [], []
    while cluster.describe_tasks(tasks=[task])["tasks"][0]["lastStatus"] != "STOPPED":
        begun = time.monotonic()
        cluster.list_clusters()
        calls.append(time.monotonic() - begun)
        memory.append(process.memory_info().rss)
    assert statistics.median(calls) < 0.05
    assert max(memory) - before < 24 * MIB

    path = Path(server.directory, "tasks", task, "app", "stdout.log")
    assert path.stat().st_size == LINE * LINES
    assert path.stat().st_blocks * 512 < 65 * MIB

    begun = time.monotonic()
    report = admin.report(20)["logs"][task]["app"]["stdout"].splitlines()
    assert [int(line[:8]) for line in report] == list(range(LINES - 20, LINES))
    tail = collect(admin, LogQuery(task=task, tail=3))["app"]["stdout"].splitlines()
    assert [int(line[:8]) for line in tail] == list(range(LINES - 3, LINES))
    assert time.monotonic() - begun < 1

    query = LogQuery(task=task)
    pieces = list(query.text(admin))
    assert len(pieces) < 40  # each costs next to nothing but the copy, however many lines it has
    text = "".join(part.text for piece in pieces for part in piece.parts)
    first, *lines = text.splitlines()
    assert (
        first
        == f"[kecs: {LINE * (LINES - len(lines))} bytes of this log are gone; {64 * MIB} are kept]"
    )
    assert [int(line[:8]) for line in lines] == list(range(LINES - len(lines), LINES))
    assert 55 * MIB < LINE * len(lines) <= 64 * MIB
    assert process.memory_info().rss - before < 32 * MIB
