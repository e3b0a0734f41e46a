from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

SECONDS = 60
RUN_A_TASK = """
import boto3, sys
ecs = boto3.client("ecs")
ecs.create_cluster()
container = {"name": "app", "image": "busybox", "memory": 64, "command": ["sh", "-c", "exit 5"]}
ecs.register_task_definition(family="f", containerDefinitions=[container])
task = ecs.run_task(taskDefinition="f")["tasks"][0]["taskArn"]
ecs.get_waiter("tasks_stopped").wait(tasks=[task])
(task,) = ecs.describe_tasks(tasks=[task])["tasks"]
print(boto3.client("sts").get_caller_identity()["Account"])
sys.exit(task["containers"][0]["exitCode"])
"""


def test_a_program_finds_the_environment_and_its_status_is_ours(kecs: Any) -> None:
    ended = kecs("run", "--", sys.executable, "-c", RUN_A_TASK, AWS_PROFILE="nowhere")
    assert (ended.returncode, ended.stdout, ended.stderr) == (5, "123456789012\n", "")
    assert kecs.left() == []
    assert kecs.processes() == []


def test_the_variables(kecs: Any) -> None:
    show = "import json, os; print(json.dumps(dict(os.environ)))"
    ended = kecs(
        *("run", "--region", "eu-west-1", "--", sys.executable, "-c", show),
        AWS_SESSION_TOKEN="stale",
        AWS_DATA_PATH="/models",
    )
    environ = json.loads(ended.stdout)
    assert environ["AWS_ENDPOINT_URL_ECS"] == environ["AWS_ENDPOINT_URL_STS"]
    assert environ["AWS_ACCESS_KEY_ID"].startswith("KECS")
    assert environ["AWS_SECRET_ACCESS_KEY"]
    assert environ["AWS_REGION"] == environ["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert environ["AWS_DATA_PATH"].endswith(":/models")
    assert "AWS_SESSION_TOKEN" not in environ
    assert environ["PATH"]


def test_without_two_dashes(kecs: Any) -> None:
    assert kecs("run", "sh", "-c", "exit 3").returncode == 3


def test_a_program_that_is_killed(kecs: Any) -> None:
    ended = kecs("run", "--", "sh", "-c", "kill -KILL $$")
    assert ended.returncode == 128 + signal.SIGKILL
    assert kecs.left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_passed_on(kecs: Any, number: signal.Signals) -> None:
    script = f"trap 'exit 9' {number.name[3:]}; echo ready; while :; do sleep 0.01; done"
    with kecs.start("run", "--", "sh", "-c", script) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, errors) == (9, "")
    assert kecs.left() == []


def test_a_signal_that_ends_the_program(kecs: Any) -> None:
    with kecs.start("run", "--", "sh", "-c", "echo ready; exec sleep 1000") as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert kecs.left() == []


def test_a_program_that_is_not_there(kecs: Any) -> None:
    ended = kecs("run", "--", "no-such-program")
    assert ended.returncode == 127
    assert ended.stderr == "kecs: error: there is no command 'no-such-program'\n"
    assert kecs.left() == []


def test_a_file_that_is_no_program(kecs: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    ended = kecs("run", "--", str(path))
    assert ended.returncode == 126
    assert ended.stderr == f"kecs: error: cannot run {str(path)!r}: Permission denied\n"
    assert kecs.left() == []


def test_killing_the_command_itself_ends_the_environment(kecs: Any) -> None:
    with kecs.start("run", "--", "sh", "-c", "echo ready; exec sleep 1000") as process:
        assert process.stdout.readline() == "ready\n"
        (name,) = kecs.left()
        server = kecs.server(name)
        sleeper = next(child for child in kecs.children(process.pid) if child.name() == "sleep")
        process.kill()
        process.wait()
        server.wait(SECONDS)
        sleeper.kill()
        process.communicate(timeout=SECONDS)
    assert kecs.left() == []
