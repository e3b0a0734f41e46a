"""What a container finds around itself, and commands and containers that make it hard."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from steps import on_term
from steps import wait_health
from steps import wait_ready

from pytest_kecs.kecs import Kecs


@pytest.fixture
def becomes(engine: str) -> Callable[[int, int], tuple[int, int]]:
    """Who a container runs as that wants these ids: on the process engine only root can choose."""
    if engine != "process" or os.geteuid() == 0:
        return lambda uid, gid: (uid, gid)
    return lambda uid, gid: (os.getuid(), os.getgid())


def output(kecs: Kecs, family: str, **fields: Any) -> str:
    """What a task of one container writes, which must end well."""
    task = kecs.run_task(family, **fields)
    kecs.assert_stopped(task, exit_code=0)
    return kecs.logs(task)


@pytest.mark.parametrize(("user", "ids"), [("1234", (1234, 0)), ("1234:4321", (1234, 4321))])
def test_user_by_number(
    kecs: Kecs, register: Any, becomes: Any, user: str, ids: tuple[int, int]
) -> None:
    script = "echo $(id -u) $(id -g); echo text > /tmp/kecs-$$ && rm /tmp/kecs-$$"
    uid, gid = becomes(*ids)
    assert output(kecs, register(app={"command": script, "user": user})) == f"{uid} {gid}\n"


def test_user_and_his_commands(kecs: Kecs, register: Any, becomes: Any) -> None:
    uid, _ = becomes(1234, 0)
    health = {"command": ["CMD-SHELL", f"test $(id -u) = {uid}"], "interval": 5}
    app = {"command": on_term("exit 0"), "user": "1234", "healthCheck": health}
    task = kecs.run_task(register(app=app))
    wait_health(kecs, task, "HEALTHY")


def test_unknown_user(kecs: Kecs, register: Any, engine: str) -> None:
    if engine != "process":
        pytest.skip("Kubernetes takes numbers only")
    task = kecs.run_task(register(app={"command": "exit 0", "user": "no-such"}))
    stopped = kecs.assert_stopped(task, stop_code="TaskFailedToStart")
    text = "unable to find user no-such: no matching entries in passwd file"
    reason = f"CannotStartContainerError: Error response from daemon: {text}"
    assert stopped["containers"][0]["reason"] == reason


def test_memory_file_system(kecs: Kecs, register: Any) -> None:
    """At its path on Kubernetes, below the working directory on the process engine."""
    tmpfs = {"containerPath": "/cache", "size": 16}
    script = "cd cache 2>/dev/null || cd /cache; ls; echo x > file; cat file"
    app = {"command": script, "linuxParameters": {"tmpfs": [tmpfs]}}
    assert output(kecs, register(app=app)) == "x\n"


def test_standard_input_is_empty(kecs: Kecs, register: Any) -> None:
    assert output(kecs, register(app="cat; echo end")) == "end\n"


def test_standard_input_stays_open(kecs: Kecs, register: Any) -> None:
    app = {"command": "echo ready; cat; exit 3", "interactive": True, "stopTimeout": 2}
    task = kecs.run_task(register(app=app))
    wait_ready(kecs, task)
    kecs.assert_running(task)


def test_pseudo_terminal(kecs: Kecs, register: Any) -> None:
    script = "test -t 0 && test -t 1 && test -t 2 && echo terminal"
    app = {"command": script, "pseudoTerminal": True}
    assert output(kecs, register(app=app)).strip() == "terminal"


def test_init_process(kecs: Kecs, register: Any) -> None:
    """The code is the program's, and signals arrive."""
    linux = {"linuxParameters": {"initProcessEnabled": True}}
    task = kecs.run_task(register(app={"command": "exit 7", **linux}))
    kecs.assert_stopped(task, exit_code=7)


def test_program_that_is_garbage(kecs: Kecs, register: Any) -> None:
    """Docker's code for it is 255, or 1 with older runtimes."""
    write = r"printf '\177ELF\000\001\377 garbage' > program && chmod 755 program"
    points = [{"sourceVolume": "programs", "containerPath": "/in"}]
    writer = {
        "command": f'cd "${{KECS_VOLUME_PROGRAMS:-/in}}" && {write}',
        "mountPoints": points,
        "essential": False,
    }
    app = {
        "command": ["in/program"],
        "mountPoints": points,
        "dependsOn": [{"containerName": "writer", "condition": "SUCCESS"}],
    }
    volumes = [{"name": "programs"}]
    task = kecs.run_task(register("garbage", {"volumes": volumes}, writer=writer, app=app))
    stopped = kecs.wait_stopped(task)
    assert stopped.exit_codes["app"] in (1, 255)
    assert "exec format error" in kecs.logs(task, "app")


@pytest.mark.parametrize(
    ("program", "text"),
    [("/etc", "directory|permission denied"), ("/etc/passwd", "permission denied")],
)
def test_program_that_nobody_can_execute(
    kecs: Kecs, register: Any, program: str, text: str
) -> None:
    task = kecs.run_task(register(app={"command": [program]}))
    stopped = kecs.assert_stopped(task, stop_code="TaskFailedToStart")
    [container] = stopped["containers"]
    assert "exitCode" not in container
    assert container["reason"].startswith("CannotStartContainerError: ")
    assert program in container["reason"]
    assert re.search(text, container["reason"])


def test_output_without_a_newline(kecs: Kecs, register: Any) -> None:
    assert output(kecs, register(app="printf 'no newline'")) == "no newline"


def test_output_that_is_no_text(kecs: Kecs, register: Any) -> None:
    """The whole of it is kept; what is no UTF-8 shows as the replacement character."""
    text = output(kecs, register(app=r"printf 'a\000b\377\376c\n'"))
    assert text.startswith("a\0b")
    assert text.endswith("c\n")
    assert "\ufffd" in text


def test_one_that_closes_its_streams(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    script = on_term("exit 6").replace("echo ready;", "echo ready; exec 0<&- 1>&- 2>&-;")
    task = kecs.run_task(register(app=script))
    wait_ready(kecs, task)
    kecs.wait_running(task)
    ecs_client.stop_task(task=task.arn)
    assert kecs.wait_stopped(task).exit_codes["app"] == 6


def test_children_that_leave_their_parent(kecs: Kecs, register: Any) -> None:
    """The container ends with its first process, whatever lives on and holds its output."""
    script = "setsid sleep 600 & (sleep 600 &) ; sleep 600 & echo end; exit 5"
    task = kecs.run_task(register(app=script))
    stopped = kecs.assert_stopped(task, exit_code=5)
    assert kecs.logs(task) == "end\n"
    assert (stopped["stoppedAt"] - stopped["startedAt"]).total_seconds() < 20


def test_many_that_end_at_once(kecs: Kecs, register: Any) -> None:
    containers = {f"c{n}": {"command": ["true"], "essential": n == 0} for n in range(10)}
    task = kecs.run_task(register(**containers))
    stopped = kecs.wait_stopped(task)
    assert stopped.exit_codes["c0"] == 0
    assert stopped.stop_code == "EssentialContainerExited"


def test_ten_containers_in_a_chain(kecs: Kecs, register: Any) -> None:
    """As many dependencies as ten containers can have."""
    containers: dict[str, Any] = {}
    for number in range(10):
        before = [
            {"containerName": f"c{n}", "condition": "SUCCESS" if n == number - 1 else "COMPLETE"}
            for n in range(number)
        ]
        containers[f"c{number}"] = {
            "command": f"echo {number}",
            "essential": number == 9,
            "dependsOn": before,
        }
    task = kecs.run_task(register(**containers))
    stopped = kecs.wait_stopped(task)
    assert stopped.exit_codes == {f"c{number}": 0 for number in range(10)}
    assert [kecs.logs(task, f"c{number}") for number in range(10)] == [
        f"{number}\n" for number in range(10)
    ]
