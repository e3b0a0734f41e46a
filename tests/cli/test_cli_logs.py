"""`kecs logs` and `kecs events`, as a person at a shell runs them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING
from typing import Any

import pytest

if TYPE_CHECKING:
    from conftest import Command
    from mypy_boto3_ecs import ECSClient

ClientOf = Callable[[dict[str, str]], AbstractContextManager["ECSClient"]]
Run = Callable[..., str]
SECONDS = 60


@pytest.fixture(scope="module")
def client(kecs_of_module: Command, client_of: ClientOf) -> Iterator[ECSClient]:
    """A client of an environment that all tests share. The command's variables name its account."""
    with kecs_of_module.serve() as served, client_of(served.variables) as client:
        kecs_of_module.environ.update(served.variables)
        client.create_cluster()
        yield client


@pytest.fixture
def kecs(kecs_of_module: Command) -> Command:
    return kecs_of_module


@pytest.fixture
def run(client: ECSClient) -> Iterator[Run]:
    """Run a task of shell scripts, one for each container; returns its id."""
    tasks = []

    def run(*, wait: bool = False, **scripts: str) -> str:
        containers: Any = [
            {"name": name, "image": "busybox", "memory": 64, "command": ["sh", "-c", script]}
            for name, script in scripts.items()
        ]
        client.register_task_definition(family="app", containerDefinitions=containers)
        task = client.run_task(taskDefinition="app")["tasks"][0]["taskArn"]
        tasks.append(task)
        if wait:
            client.get_waiter("tasks_stopped").wait(tasks=[task])
        return task

    yield run
    for task in tasks:
        client.stop_task(task=task)


@pytest.fixture(scope="module")
def ended(client: ECSClient) -> str:
    """A task of a container `app` that has ended."""
    container: Any = {"name": "app", "image": "busybox", "memory": 64, "command": ["true"]}
    client.register_task_definition(family="ended", containerDefinitions=[container])
    task = client.run_task(taskDefinition="ended")["tasks"][0]["taskArn"]
    client.get_waiter("tasks_stopped").wait(tasks=[task])
    return task


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_what_a_task_wrote(kecs: Command, run: Run) -> None:
    script = "echo one; sleep 0.3; printf '\\377\\n' >&2; sleep 0.3; printf end"
    task = run(wait=True, app=script)
    for name in (task, task.rpartition("/")[2]):
        assert kecs("logs", name).stdout == "one\n\ufffd\nend"
    assert kecs("logs", task, "app", "--tail", "2").stdout == "\ufffd\nend"
    assert kecs("logs", task, "--stream", "stdout").stdout == "one\nend"
    assert kecs("logs", task, "--since", "1h").stdout == "one\n\ufffd\nend"
    assert kecs("logs", task, "--since", "2100-01-01T00:00:00Z").stdout == ""
    stamped = kecs("logs", task, "--timestamps").stdout
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    found = re.fullmatch(rf"({stamp}) one\n{stamp} \ufffd\n({stamp}) end", stamped)
    assert found
    assert kecs("logs", task, "--since", found[2]).stdout == "end"
    assert kecs("logs", "--follow", task).stdout == "one\n\ufffd\nend"


def test_several_containers_are_named(kecs: Command, run: Run) -> None:
    task = run(wait=True, one="sleep 0.2; printf a", two="sleep 0.6; echo b; exec sleep 1000")
    assert kecs("logs", task).stdout in ("one | a", "one | a\ntwo | b\n")
    assert kecs("logs", task, "one").stdout == "a"


def test_follow_gives_lines_at_once_and_ends_with_the_task(kecs: Command, run: Run) -> None:
    task = run(app="echo one; sleep 1; echo two")
    with kecs.start("logs", "-f", task) as process:
        assert line(process) == "one\n"
        assert line(process) == "two\n"
        assert process.communicate(timeout=SECONDS) == ("", "")
    assert process.returncode == 0


def test_ctrl_c_is_clean(kecs: Command, run: Run) -> None:
    task = run(app="echo one; exec sleep 1000")
    with kecs.start("logs", "-f", task) as process:
        assert line(process) == "one\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=SECONDS) == ("", "")
    assert process.returncode == 130


def test_a_reader_that_goes_is_clean(kecs: Command, run: Run) -> None:
    task = run(wait=True, app="seq 100000")
    command = f"'{sys.executable}' -m pytest_kecs.cli logs -f {task} | head -n 1"
    done = kecs.shell(command)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_output_that_is_no_terminal_takes_every_character(kecs: Command, run: Run) -> None:
    task = run(wait=True, app="printf 'gr\\303\\274n\\n'")
    done = kecs("logs", task, PYTHONIOENCODING="ascii")
    assert (done.stdout, done.stderr) == ("gr?n\n", "")


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["no-such-task"], 1, "there is no task no-such-task"),
        (["TASK", "other"], 1, "the task has no container 'other'; it has app"),
        (["TASK", "--tail", "-1"], 2, "'-1' is not a number of lines"),
        (["TASK", "--tail", "many"], 2, "'many' is not a number of lines"),
        (["TASK", "--since", "yesterday"], 2, "'yesterday' is not a time"),
        (["TASK", "--since", "0001-01-01"], 2, "'0001-01-01' is not a time"),
        (["TASK", "--stream", "stdin"], 2, "invalid choice: 'stdin'"),
        ([], 2, "TASK"),
    ],
)
def test_refused(kecs: Command, ended: str, arguments: list[str], status: int, text: str) -> None:
    done = kecs("logs", *(ended if word == "TASK" else word for word in arguments))
    assert (done.returncode, done.stdout) == (status, "")
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_variables_of_another_service(kecs: Command) -> None:
    names = ("AWS_ENDPOINT_URL_ECS", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    done = kecs("logs", "task", **dict.fromkeys(names, ""))
    assert (done.returncode, done.stdout) == (2, "")
    assert "AWS_ENDPOINT_URL_ECS is not set" in done.stderr
    done = kecs("logs", "task", **dict.fromkeys(names, "http://127.0.0.1:1"))
    assert done.returncode == 2
    assert "is not a key of a kecs environment" in done.stderr


def test_events(kecs: Command, run: Run) -> None:
    task = run(wait=True, app="exit 3")
    lines = kecs("events", task, "--type", "ECS Task State Change").stdout.splitlines()
    name = task.split(":", 5)[-1]
    assert lines[-1].endswith(f"Z [ECS Task State Change] {name} STOPPED STOPPED")
    assert all(name in line for line in lines)
    events = [json.loads(line) for line in kecs("events", "--json").stdout.splitlines()]
    assert {event["source"] for event in events} == {"aws.ecs"}
    last = [event for event in events if event["resources"] == [task]][-1]
    assert last["detail"]["containers"][0]["exitCode"] == 3
    wrong = kecs("events", "--type", "Task State Change")
    assert wrong.returncode == 2
    assert "did you mean 'ECS Task State Change'?" in wrong.stderr


def test_events_are_followed(kecs: Command, run: Run) -> None:
    task = run(app="sleep 600")
    with kecs.start("events", "--follow", task) as process:
        while not line(process).endswith("RUNNING RUNNING\n"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=SECONDS)[1] == ""
    assert process.returncode == 130
