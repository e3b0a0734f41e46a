from __future__ import annotations

import json
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
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

SECRET = """
import boto3
ecs = boto3.client("ecs")
ecs.create_cluster()
secret = {"name": "A", "valueFrom": "/a"}
container = {"name": "app", "image": "busybox", "memory": 64, "secrets": [secret]}
ecs.register_task_definition(family="f", executionRoleArn="role", containerDefinitions=[container])
task = ecs.run_task(taskDefinition="f")["tasks"][0]["taskArn"]
ecs.get_waiter("tasks_stopped").wait(tasks=[task])
print(ecs.describe_tasks(tasks=[task])["tasks"][0]["stoppedReason"])
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
    assert (ended.returncode, ended.stderr) == (0, "")
    environ = json.loads(ended.stdout)
    assert environ["AWS_ENDPOINT_URL_ECS"] == environ["AWS_ENDPOINT_URL_STS"]
    assert environ["AWS_ACCESS_KEY_ID"].startswith("KECS")
    assert environ["AWS_SECRET_ACCESS_KEY"]
    assert environ["AWS_REGION"] == environ["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert environ["AWS_DATA_PATH"].endswith(":/models")
    assert "AWS_SESSION_TOKEN" not in environ
    assert environ["PATH"]


def test_auto_says_which_engine_it_takes_and_why(kecs: Any) -> None:
    ended = kecs(
        *("run", "--engine", "auto", "--kind-image", "node", "--"),
        *(sys.executable, "-c", RUN_A_TASK),
        PATH="/usr/bin:/bin",
    )
    assert ended.stderr == "kecs: engine process (auto: kind is not installed)\n"
    assert (ended.returncode, ended.stdout) == (5, "123456789012\n")


def test_auto_takes_kind_where_docker_answers(kecs: Any, tmp_path: Path) -> None:
    for name, script in (("docker", "exit 0"), ("kind", "echo no cluster today >&2; exit 1")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    ended = kecs("serve", "--engine", "auto", PATH=f"{tmp_path}:/usr/bin:/bin")
    assert ended.stderr.startswith(
        "kecs: engine kind (auto: kind is installed and docker answers)\n"
    )
    assert "no cluster today" in ended.stderr
    assert ended.returncode == 1


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


def test_killing_the_command_itself_ends_everything(kecs: Any, tmp_path: Path) -> None:
    # One is below the program, one is a daemon, and one is a daemon that cleared its variables.
    script = (
        f"cd {shlex.quote(str(tmp_path))}; touch pids; "
        "setsid sh -c 'sleep 1001 & echo $! >> pids; exec sleep 1002' & "
        "setsid sh -c 'env -i sleep 1003 & echo $! >> pids; exec sleep 1004' & "
        "sleep 1005 & echo $! >> pids; "
        "while [ $(wc -l < pids) != 3 ]; do sleep 0.01; done; echo ready; wait"
    )
    with kecs.start("run", "--", "sh", "-c", script) as process:
        assert process.stdout.readline() == "ready\n"
        (name,) = kecs.left()
        server = kecs.server(name)
        pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
        started = [psutil.Process(pid) for pid in pids]
        started += [one for one in kecs.children(process.pid) if one != server]
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs([server, *started], timeout=SECONDS)
        for one in alive:
            one.kill()
        assert alive == []
        process.communicate(timeout=SECONDS)
    assert kecs.left() == []


def test_what_the_program_leaves_on_purpose_is_left(kecs: Any, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    ended = kecs("run", "--", "sh", "-c", f"sleep 1001 > /dev/null 2>&1 & echo $! > '{pid}'")
    assert ended.returncode == 0
    left = psutil.Process(int(pid.read_text()))
    assert left.is_running()
    left.kill()
    left.wait(SECONDS)


def test_prune_ends_the_program_of_a_command_that_was_killed_with_its_server(kecs: Any) -> None:
    with kecs.start("run", "--", "sh", "-c", "echo ready; exec sleep 1000") as process:
        assert process.stdout.readline() == "ready\n"
        (name,) = kecs.left()
        server = kecs.server(name)
        [sleeper] = [one for one in psutil.Process(process.pid).children() if one != server]
        server.suspend()
        process.kill()
        process.wait()
        server.kill()
        server.wait(SECONDS)
        assert sleeper.is_running()
        assert "killed" in kecs("prune").stdout
        assert psutil.wait_procs([sleeper], timeout=SECONDS)[1] == []
        process.communicate(timeout=SECONDS)
    assert kecs.left() == []


def test_the_rest_of_aws(kecs: Any) -> None:
    ended = kecs("run", "--aws-endpoint", "http://127.0.0.1:9", "--", sys.executable, "-c", SECRET)
    assert 'Could not connect to the endpoint URL: "http://127.0.0.1:9/"' in ended.stdout


def test_an_endpoint_that_cannot_be(kecs: Any) -> None:
    ended = kecs("run", "--aws-endpoint", "moto", "--", "true")
    assert ended.returncode == 2
    assert "argument --aws-endpoint: 'moto' is neither http://HOST:PORT nor aws" in ended.stderr
