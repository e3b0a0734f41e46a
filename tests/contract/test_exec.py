"""Commands in running containers: how they end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from steps import wait_for

from pytest_kecs.kecs import ExecResult
from pytest_kecs.kecs import Kecs


def test_code_and_output(kecs: Kecs, register: Any) -> None:
    task = kecs.wait_running(kecs.run_task(register(app="sleep 600")))
    ended = kecs.exec(task, "echo out; echo err >&2; exit 3")
    # Both streams are in it; which comes first is not known where they come by themselves.
    assert (ended.exit_code, ended.reason) == (3, None)
    assert sorted(ended.output.split()) == ["err", "out"]


def test_a_command_that_takes_too_long(kecs: Kecs, register: Any) -> None:
    task = kecs.wait_running(kecs.run_task(register(app="sleep 600")))
    late = kecs.exec(task, "echo begun; sleep 600", timeout=0.5)
    assert late == ExecResult(
        exit_code=None, output="begun\n", reason="it did not end within 0.5 s"
    )


@pytest.mark.parametrize(
    ("program", "code", "why"),
    [
        ("no-such-program", 127, "executable file not found"),
        ("/no/such", 127, "no such file or directory"),
        ("/etc/passwd", 126, "permission denied"),
    ],
)
def test_what_cannot_be_executed(
    kecs: Kecs, register: Any, program: str, code: int, why: str
) -> None:
    task = kecs.wait_running(kecs.run_task(register(app="sleep 600")))
    ended = kecs.exec(task, [program])
    assert (ended.exit_code, ended.reason) == (code, None)
    assert ended.output.startswith("OCI runtime exec failed: exec failed: ")
    assert program in ended.output
    assert why in ended.output


def test_a_container_that_stops_takes_its_commands_along(
    kecs: Kecs, register: Any, ecs_client: Any
) -> None:
    app = {"command": "trap 'exit 0' TERM; while :; do sleep 0.1; done", "stopTimeout": 2}
    task = kecs.wait_running(kecs.run_task(register(app=app)))
    with ThreadPoolExecutor() as pool:
        ending = pool.submit(kecs.exec, task, "echo here > begun; echo said; sleep 600")
        wait_for(lambda: kecs.exec(task, "cat begun").output == "here\n", "it never began")
        ecs_client.stop_task(cluster=task["clusterArn"], task=task.arn)
        assert ending.result(60) == ExecResult(exit_code=137, output="said\n", reason=None)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_no_time_at_all(kecs: Kecs, timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout is a number of seconds above 0"):
        kecs.exec("any", "true", timeout=timeout)
