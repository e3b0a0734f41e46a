"""What a container gets: command, variables, directory; and what it leaves: logs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_kecs.kecs import Kecs

SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]))"

VALUES = {
    "DOLLAR": "$HOME $$ $(HOME) ${HOME} $$(HOME) costs 5$",
    "LINES": "one\ntwo\n",
    "EQUALS": "a=b=c",
    "QUOTES": "'single' \"double\" \\back",
    "UNICODE": "søster 日本 🦭",
    "EMPTY": "",
    "SPACES": "  a  b  ",
}


@pytest.fixture
def shown(kecs: Kecs, ecs_client: Any, python: tuple[str, str]) -> Any:
    """Run a container that tells its arguments, variables and directory."""
    image, interpreter = python

    def run(overrides: Any = None, **definition: Any) -> Any:
        container = {"name": "app", "image": image, "memory": 64, **definition}
        if "command" not in container:
            container["command"] = [interpreter, "-c", SHOW]
        container["command"] = [
            {"SHOW": SHOW, "PYTHON": interpreter}.get(word, word) for word in container["command"]
        ]
        container["entryPoint"] = [
            {"SHOW": SHOW, "PYTHON": interpreter}.get(word, word)
            for word in container.get("entryPoint", [])
        ]
        if not container["entryPoint"]:
            del container["entryPoint"]
        ecs_client.register_task_definition(family="show", containerDefinitions=[container])
        task = kecs.run_task("show", overrides=overrides)
        kecs.assert_stopped(task, exit_code=0)
        return json.loads(kecs.logs(task))

    return run


def test_variables_arrive_to_the_letter(shown: Any) -> None:
    environment = [{"name": name, "value": value} for name, value in VALUES.items()]
    _, variables, _ = shown(environment=environment)
    assert {name: variables[name] for name in VALUES} == VALUES


def test_variables_that_ecs_adds(shown: Any, monkeypatch: pytest.MonkeyPatch, network: str) -> None:
    monkeypatch.setenv("ONLY_IN_THE_TEST", "1")
    _, variables, _ = shown()
    assert variables["AWS_EXECUTION_ENV"] == "AWS_ECS_EC2"
    assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] == "us-east-1"
    ours = "http://127.0.0.1:" if network == "machine" else "http://169.254.170.2"
    assert variables["AWS_ENDPOINT_URL"].startswith(ours)
    assert variables["HOME"]
    assert "ONLY_IN_THE_TEST" not in variables
    assert "AWS_SECRET_ACCESS_KEY" not in variables


def test_arguments_arrive_to_the_letter(shown: Any) -> None:
    words = ["$HOME", "$$", "$(HOME)", "a b", "", "søster", "--x=$1"]
    arguments, _, _ = shown(command=["PYTHON", "-c", "SHOW", *words])
    assert arguments == words


def test_entry_point_comes_before_the_command(shown: Any) -> None:
    arguments, _, _ = shown(entryPoint=["PYTHON", "-c", "SHOW"], command=["one", "two"])
    assert arguments == ["one", "two"]


def test_overrides(shown: Any) -> None:
    overrides = {
        "containerOverrides": [
            {
                "name": "app",
                "command": ["other"],
                "environment": [
                    {"name": "OLD", "value": "overridden"},
                    {"name": "NEW", "value": "added"},
                ],
            }
        ]
    }
    arguments, variables, _ = shown(
        overrides,
        entryPoint=["PYTHON", "-c", "SHOW"],
        command=["one", "two"],
        environment=[{"name": "OLD", "value": "old"}, {"name": "KEPT", "value": "kept"}],
    )
    assert arguments == ["other"]
    assert (variables["OLD"], variables["NEW"], variables["KEPT"]) == (
        "overridden",
        "added",
        "kept",
    )


def test_working_directory(shown: Any) -> None:
    _, _, directory = shown(workingDirectory="/tmp")
    assert directory == "/tmp"


def test_working_directory_is_made(shown: Any) -> None:
    _, _, directory = shown(workingDirectory="/made/for/this")
    assert directory.endswith("/made/for/this")


@pytest.mark.parametrize("name", ["App", "my_app", "a" * 255, "A-_9"])
def test_container_names(kecs: Kecs, register: Any, name: str) -> None:
    task = kecs.run_task(register(**{name: "echo my name; exit 6"}))
    kecs.assert_stopped(task, exit_code=6, container=name)
    assert kecs.logs(task, name) == "my name\n"


def test_logs_of_both_streams(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(register(app="echo out; echo err >&2; printf 'no newline'"))
    kecs.assert_stopped(task, exit_code=0)
    assert kecs.logs(task, stream="stdout") == "out\nno newline"
    assert kecs.logs(task, stream="stderr") == "err\n"


def test_logs_of_each_container(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(register(one="echo 1", two={"command": "echo 2", "essential": False}))
    kecs.wait_stopped(task)
    assert kecs.logs(task, "one") == "1\n"


def test_logs_while_it_runs_and_of_one_that_says_much(kecs: Kecs, register: Any) -> None:
    script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"
    task = kecs.run_task(register(app=script))
    kecs.assert_stopped(task, exit_code=0)
    lines = kecs.logs(task).splitlines()
    assert len(lines) == 20000
    assert lines[-1] == "line 19999"


def test_a_container_that_ends_at_once(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(register(app={"command": ["true"]}))
    stopped = kecs.assert_stopped(task, exit_code=0)
    assert stopped["startedAt"]
