"""Tasks on the process engine: how soon the user's code runs, how soon its end is seen."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import ExitStack
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import ours
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure
from benchmarks.figures import Peer
from benchmarks.figures import Row
from benchmarks.figures import limited
from benchmarks.plan import Plan
from benchmarks.rounds import interleaved
from benchmarks.witness import Witness
from benchmarks.witness import witness

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

_FAMILY = "benchmark"
_SEEN_MS = 20.0
# Long enough for the waiter to be waiting when the command ends.
_RUN_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Moments of one command, in seconds of `time.perf_counter`."""

    called: float
    answered: float
    running: float
    ended: float
    seen: float

    def times(self) -> Mapping[str, float]:
        """Milliseconds: of the call, until the command ran, and from its end until it was seen."""
        return {
            "call": 1000 * (self.answered - self.called),
            "running": 1000 * (self.running - self.called),
            "seen": 1000 * (self.seen - self.ended),
        }


def measure(plan: Plan) -> list[Row]:
    with ExitStack() as stack:
        environment = stack.enter_context(ours.environment())
        clock = stack.enter_context(witness(plan.directory))
        command = [
            "/bin/sh",
            "-c",
            f"echo running > {clock.fifo}; sleep {_RUN_SECONDS}; echo ended > {clock.fifo}",
        ]
        client = environment.ecs()
        _register(client, command)
        subjects = {
            "RunTask": partial(_run_task, client, clock),
            "Popen": partial(_popen, command, clock),
        }
        with suppress(BenchmarkError):  # where no network namespace can be made
            other = stack.enter_context(ours.environment(netns=True)).ecs()
            _register(other, command)
            subjects["netns"] = partial(_run_task, other, clock)
        figures = interleaved(subjects, plan.tasks, discarded=2)
        rows = _rows(figures["RunTask"], figures["Popen"])
        if "netns" in figures:
            rows.append(_netns_row(figures["netns"], figures["RunTask"]))
        return rows


def _netns_row(own: Mapping[str, Figure], shared: Mapping[str, Figure]) -> Row:
    return Row(
        group="tasks",
        name="RunTask to the command running, with kecs_netns",
        unit="ms",
        ours=own["running"],
        peer=Peer(name="without", figure=shared["running"]),
        ratio=own["running"].median / shared["running"].median,
    )


def _rows(task: Mapping[str, Figure], popen: Mapping[str, Figure]) -> list[Row]:
    limit = task["call"].median + 2 * popen["running"].median
    return [
        Row(
            group="tasks",
            name="RunTask to the command running",
            unit="ms",
            ours=task["running"],
            peer=Peer(name="Popen", figure=popen["running"]),
            ratio=task["running"].median / popen["running"].median,
            aim=f"<= call + 2 Popen = {limit:.2f} ms",
            met=task["running"].median <= limit,
            note=f"the call alone {task['call'].median:.2f} ms",
        ),
        limited(
            "tasks",
            "exit to STOPPED seen by a boto3 waiter",
            "ms",
            task["seen"],
            below=_SEEN_MS,
            peer=Peer(name="Popen.wait", figure=popen["seen"]),
        ),
    ]


def _register(client: ECSClient, command: Sequence[str]) -> None:
    client.create_cluster(clusterName="default")
    client.register_task_definition(
        family=_FAMILY,
        containerDefinitions=[
            {"name": "app", "image": "app", "memory": 64, "command": list(command)}
        ],
    )


def _run_task(client: ECSClient, clock: Witness) -> Mapping[str, float]:
    called = time.perf_counter()
    [task] = client.run_task(taskDefinition=_FAMILY)["tasks"]
    answered = time.perf_counter()
    running = clock.saw("running")
    client.get_waiter("tasks_stopped").wait(tasks=[task["taskArn"]])
    seen = time.perf_counter()
    course = Course(
        called=called, answered=answered, running=running, ended=clock.saw("ended"), seen=seen
    )
    return course.times()


def _popen(command: Sequence[str], clock: Witness) -> Mapping[str, float]:
    called = time.perf_counter()
    with subprocess.Popen(command) as process:
        answered = time.perf_counter()
        running = clock.saw("running")
        process.wait()
        seen = time.perf_counter()
    course = Course(
        called=called, answered=answered, running=running, ended=clock.saw("ended"), seen=seen
    )
    return course.times()
