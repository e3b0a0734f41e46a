"""What is run on a node, tried on this machine: `docker exec` runs it here, `ctr` lists processes
of the test's own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator

import pytest
from kecs_server.engines.kubernetes import nodes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nodes run Linux")

FakeTool = Callable[[str, str], None]
Contains = Callable[[str], None]
ID = "containerd://abc"


@pytest.fixture
def contains(fake_tool: FakeTool) -> Contains:
    """Say what `ctr task ps` prints of the container."""
    fake_tool("docker", 'shift 2; exec "$@"')

    def contains(lines: str) -> None:
        fake_tool("ctr", f"test \"$5\" = abc || exit 1; printf 'PID INFO\\n{lines}\\n'")

    return contains


@pytest.fixture
def programs() -> Iterator[list[subprocess.Popen[bytes]]]:
    """A shell with a child of its own, and another."""
    script = ["sh", "-c", "sleep 100 & echo; wait"]
    started = [subprocess.Popen(script, stdout=subprocess.PIPE) for _ in range(2)]
    for program in started:
        assert program.stdout is not None
        program.stdout.readline()
    yield started
    for program in started:
        with program:
            children(program, "KILL")
            program.kill()


def children(program: subprocess.Popen[bytes], signal: str) -> bool:
    """Send a signal to a program's children; whether there are any."""
    return (
        subprocess.run(["pkill", f"-{signal}", "-P", str(program.pid)], check=False).returncode == 0
    )


def test_who_listens(contains: Contains, programs: list[subprocess.Popen[bytes]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        contains(f"{os.getpid()} -")
        assert nodes.is_listener("node", ID, port) is True
        contains(f"{programs[0].pid} -")
        assert nodes.is_listener("node", ID, port) is False
    assert nodes.is_listener("node", ID, port) is None


def test_a_command_is_found_by_its_age(
    contains: Contains, programs: list[subprocess.Popen[bytes]]
) -> None:
    first, second = programs
    begun = time.monotonic()
    # One has an id in the words of containerd 1, the other is the container's own process.
    contains(f"{first.pid} &ProcessDetails{{ExecID:5e,}}\\n{second.pid} -")

    nodes.kill_command("node", ID, 60)
    assert first.poll() is None

    nodes.kill_command("node", ID, time.monotonic() - begun)
    assert first.wait(10) == -9
    assert not children(first, "0")
    assert second.poll() is None
    assert children(second, "0")
