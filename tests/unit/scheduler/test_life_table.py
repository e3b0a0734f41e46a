"""Whole lives on a manual clock: what happens at which second, and what the task then says.

A script is one word or two a second: `up` (the sandbox is there), `start X`, `exit X CODE`,
`fail X` (could not be started), `check X CODE`, `stop` (StopTask), `lost`, `+N` (N seconds pass).
The engine's part is told by hand; what the agent says to it is checked at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import Any

import pytest
from kecs_server.domain.task import want_stopped
from kecs_server.engines.base import HealthChecked
from kecs_server.engines.base import Provisioned
from kecs_server.engines.base import TaskLost
from kecs_server.scheduler.agent import StartContainer
from kecs_server.scheduler.agent import StopContainers
from kecs_server.scheduler.agent import look_again_at
from lives import Life
from lives import after

APP = {"name": "app"}
SIDE = {"name": "side", "essential": False}
CHECK = {"command": ["CMD", "x"], "interval": 5, "retries": 2}
PULL = "CannotPullContainerError: no such image"


@dataclass(frozen=True)
class Row:
    """`told`: what the engine was told to start and stop, `+x` and `-x`. `codes` in the order of
    the containers. `times`: started, stopping, execution stopped, stopped.
    """

    script: str
    state: str
    told: str
    containers: tuple[dict[str, Any], ...] = (APP,)
    awsvpc: bool = False
    codes: tuple[int | None, ...] = (None,)
    code: str | None = None
    reason: str | None = None
    times: tuple[float | None, ...] = (None, None, None, None)
    version: int = 0
    health: str = "UNKNOWN"
    because: dict[str, str] = field(default_factory=dict)


ENDED = "Essential container in task exited"
DIES = "EssentialContainerExited"
NEVER = "TaskFailedToStart"
WAITS = {**APP, "dependsOn": after("side", "HEALTHY")}
CHECKED = {**SIDE, "healthCheck": CHECK}
GRAPH = "CannotStartContainerError: dependency graph: "

ROWS = {
    "a process that ends": Row(
        "up,start app,exit app 3",
        "STOPPED",
        "+app",
        codes=(3,),
        code=DIES,
        reason=ENDED,
        times=(2, 3, 3, 3),
        version=5,
    ),
    "awsvpc": Row(
        "up,start app,exit app 0",
        "STOPPED",
        "+app",
        awsvpc=True,
        codes=(0,),
        code=DIES,
        reason=ENDED,
        times=(2, 3, 3, 3),
        version=6,
    ),
    "stopped before its sandbox is there": Row(
        "stop",
        "STOPPED",
        "",
        code="UserInitiated",
        reason="why",
        times=(None, 1, None, 1),
    ),
    "stopped while it starts": Row(
        "up,stop,start app,exit app 143",
        "STOPPED",
        "+app -app",
        codes=(143,),
        code="UserInitiated",
        reason="why",
        times=(None, 2, 4, 4),
    ),
    "stopped while it waits for another": Row(
        "up,start side,stop,exit side 143",
        "STOPPED",
        "+side -side",
        containers=(WAITS, CHECKED),
        codes=(None, 143),
        code="UserInitiated",
        reason="why",
        times=(None, 3, None, 4),
    ),
    "stopped twice": Row(
        "up,start app,stop,stop,exit app 137",
        "STOPPED",
        "+app -app",
        codes=(137,),
        code="UserInitiated",
        reason="why",
        times=(2, 3, 5, 5),
    ),
    "it ends by itself while it is stopped": Row(
        "up,start app,stop,exit app 0",
        "STOPPED",
        "+app -app",
        codes=(0,),
        code="UserInitiated",
        reason="why",
        times=(2, 3, 4, 4),
    ),
    "an image that is nowhere": Row(
        "up,fail app",
        "STOPPED",
        "+app",
        code=NEVER,
        reason="Task failed to start",
        times=(None, 2, 2, 2),
        because={"app": PULL},
    ),
    "an image that is nowhere, on Fargate": Row(
        "up,fail app",
        "STOPPED",
        "+app",
        awsvpc=True,
        code=NEVER,
        reason=PULL,
        times=(None, 2, 2, 2),
        because={"app": PULL},
    ),
    "the sandbox is lost": Row(
        "up,start app,lost",
        "STOPPED",
        "+app",
        code="TerminationNotice",
        reason="gone",
        times=(2, 3, None, 3),
    ),
    "the sandbox is never there": Row(
        "lost", "STOPPED", "", code=NEVER, reason="gone", times=(None, 1, None, 1)
    ),
    "an essential container takes the others along": Row(
        "up,start app,start side,exit app 1,exit side 143",
        "STOPPED",
        "+app +side -side",
        containers=(APP, SIDE),
        codes=(1, 143),
        code=DIES,
        reason=ENDED,
        times=(3, 4, 4, 5),
    ),
    "one that is not essential goes alone": Row(
        "up,start app,start side,exit side 1",
        "RUNNING",
        "+app +side",
        containers=(APP, SIDE),
        codes=(None, 1),
        times=(3, None, None, None),
    ),
    "SUCCESS that failed": Row(
        "up,start side,exit side 2",
        "STOPPED",
        "+side",
        containers=({**APP, "dependsOn": after("side", "SUCCESS")}, SIDE),
        codes=(None, 2),
        code=NEVER,
        reason="Task failed to start",
        times=(None, 3, None, 3),
        because={
            "app": f"{GRAPH}failed to resolve container ordering dependency [side] for target "
            "[app] as dependency did not exit successfully."
        },
    ),
    "HEALTHY lets the next one start": Row(
        "up,start side,check side 1,check side 0,start app",
        "RUNNING",
        "+side +app",
        containers=(WAITS, CHECKED),
        codes=(None, None),
        times=(5, None, None, None),
    ),
    "startTimeout while waiting for HEALTHY": Row(
        "up,start side,check side 1,+7,check side 1,exit side 143",
        "STOPPED",
        "+side -side",
        containers=(WAITS, {**CHECKED, "startTimeout": 5}),
        codes=(None, 143),
        code=NEVER,
        reason="Task failed to start",
        times=(None, 7, None, 12),
        because={
            "app": f"{GRAPH}container ordering dependency [side] for target [app] has timed out."
        },
    ),
    "failures count after the first interval": Row(
        "up,start app,check app 1,+5,check app 1,+5,check app 1",
        "RUNNING",
        "+app",
        containers=({**APP, "healthCheck": CHECK},),
        times=(2, None, None, None),
        health="UNHEALTHY",
    ),
    "one failure is not enough": Row(
        "up,start app,check app 0,+5,check app 1",
        "RUNNING",
        "+app",
        containers=({**APP, "healthCheck": CHECK},),
        times=(2, None, None, None),
        health="HEALTHY",
    ),
    "restarted after long enough": Row(
        "up,start app,+60,exit app 1,start app,exit app 1",
        "STOPPED",
        "+app +app",
        containers=({**APP, "restartPolicy": {"enabled": True, "restartAttemptPeriod": 60}},),
        codes=(1,),
        code=DIES,
        reason=ENDED,
        times=(2, 65, 65, 65),
    ),
    "stopped between two lives": Row(
        "up,start app,+60,exit app 1,stop,start app,exit app 143",
        "STOPPED",
        "+app +app -app",
        containers=({**APP, "restartPolicy": {"enabled": True, "restartAttemptPeriod": 60}},),
        codes=(143,),
        code="UserInitiated",
        reason="why",
        times=(2, 64, 66, 66),
    ),
    "an ignored exit code": Row(
        "up,start app,+60,exit app 7",
        "STOPPED",
        "+app",
        containers=(
            {
                **APP,
                "restartPolicy": {
                    "enabled": True,
                    "restartAttemptPeriod": 60,
                    "ignoredExitCodes": [7],
                },
            },
        ),
        codes=(7,),
        code=DIES,
        reason=ENDED,
        times=(2, 63, 63, 63),
    ),
}


def live(row: Row) -> tuple[Life, list[str]]:
    life = Life(*row.containers, awsvpc=row.awsvpc)
    told = life.advance(0)
    for words in row.script.split(","):
        what, *rest = words.split()
        if what.startswith("+"):
            told += life.advance(float(what[1:]))
            continue
        life.now += 1
        if what == "stop":
            want_stopped(life.task, "UserInitiated", "why", life.now)
        elif what == "up":
            life.notice(Provisioned, address="10.0.0.1")
        elif what == "lost":
            life.notice(TaskLost, reason="gone")
        elif what == "start":
            life.notice_start(rest[0])
        elif what == "exit":
            life.notice_stop(rest[0], int(rest[1]))
        elif what == "fail":
            life.notice_stop(rest[0], None, PULL)
        else:
            life.notice(HealthChecked, container=rest[0], exit_code=int(rest[1]), output="")
        told += life.advance(0)
    return life, told


def spoken(commands: list[Any]) -> str:
    words = []
    for command in commands:
        if isinstance(command, StartContainer):
            words.append(f"+{command.name}")
        elif isinstance(command, StopContainers):
            words += [f"-{name}" for name in command.names]
    return " ".join(words)


@pytest.mark.parametrize("name", ROWS)
def test_life(name: str) -> None:
    row = ROWS[name]
    life, commands = live(row)
    task = life.task
    assert life.state == row.state
    assert spoken(commands) == row.told
    assert tuple(life.codes.values()) == row.codes
    assert (task.stop_code, task.stopped_reason) == (row.code, row.reason)
    assert (
        task.started_at,
        task.stopping_at,
        task.execution_stopped_at,
        task.stopped_at,
    ) == row.times
    assert task.health_status == row.health
    assert row.version in (0, task.version)
    reasons = {c.name: c.reason for c in task.containers if c.reason is not None}
    assert reasons == row.because
    if task.is_stopped:
        assert look_again_at(task) == (task.stopped_at or 0) + 3600


def test_a_check_that_fails_is_told_once_until_it_fails_otherwise() -> None:
    row = Row(
        "up,start app,check app 1,check app 1,check app 2,check app 0,check app 2,+5",
        "RUNNING",
        "+app",
        containers=({**APP, "healthCheck": CHECK},),
    )
    life, _ = live(row)
    assert [text for _, text in life.task.news if "app" in text and "(" not in text] == [
        "container app RUNNING",
        "container app fails its health check: exit code 1",
        "container app fails its health check: exit code 2",
        "container app HEALTHY",
        "container app fails its health check: exit code 2",
    ]
    life.notice(HealthChecked, container="app", exit_code=None, output="partial\n")
    told = [text for _, text in life.task.news]
    assert told[-2:] == [
        "container app fails its health check: did not end in time: partial",
        "container app UNHEALTHY",
    ]
