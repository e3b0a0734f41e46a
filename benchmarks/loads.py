"""Many containers on the process engine: in a chain, in a crowd, and all at once."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from collections.abc import Sequence
from functools import partial
from tempfile import TemporaryFile
from typing import TYPE_CHECKING
from typing import Any

import psutil

from benchmarks import ours
from benchmarks.figures import Figure
from benchmarks.figures import Peer
from benchmarks.figures import Row
from benchmarks.figures import compared
from benchmarks.figures import limited
from benchmarks.plan import Plan
from benchmarks.rounds import interleaved
from pytest_kecs import registry

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

_CHAIN = 10
_LINK_MS = 10.0
_CONTAINERS = 3
_CROWDS = {
    "a Python program": [sys.executable, "-c", "print('done')"],
    "a shell that sleeps 0.1 s": ["sh", "-c", "echo started; sleep 0.1; echo ended"],
}
"""What containers of a crowd do, and Popen beside them: what users run, and next to nothing."""
_MEANT = "a Python program"
"""The crowd that has an aim; the other shows what a container costs by itself."""
_SLOWER = 2.0
_LIMIT_MIB = 150.0
_AT_ONCE = 10
"""Tasks of one RunTask, the most that ECS takes."""
_DESCRIBED = 100


def measure(plan: Plan) -> list[Row]:
    with ours.environment() as environment:
        client = environment.ecs()
        client.create_cluster(clusterName="default")
        _register(client, "chain", [_link(number) for number in range(_CHAIN)])
        chains = interleaved(
            {"ours": partial(_run_chain, client), "Popen": _popen_chain}, plan.chains
        )
        crowds = [_measure_crowd(client, plan, what) for what in _CROWDS]
        after_crowds = _memory_with(environment, client, plan.long_tasks)
        ended = len(_CROWDS) * (1 + plan.crowds) * plan.crowd
    with ours.environment() as environment:
        memory = _memory_with(environment, environment.ecs(), plan.long_tasks)
    return [
        _chain_row(chains["ours"]["ms"], chains["Popen"]["ms"]),
        *crowds,
        limited(
            "loads",
            f"server with {plan.long_tasks} tasks running, RSS",
            "MiB",
            Figure.of([memory["server"]]),
            below=_LIMIT_MIB,
            note=f"its supervisor {memory['supervisor']:.1f}; {after_crowds['server']:.1f} in one "
            f"where {ended} tasks of {_CONTAINERS} containers have ended",
        ),
    ]


def _measure_crowd(client: ECSClient, plan: Plan, what: str) -> Row:
    command = _CROWDS[what]
    containers = [_container(f"c{n}", command, essential=n == 0) for n in range(_CONTAINERS)]
    _register(client, "crowd", containers)
    figures = interleaved(
        {
            "ours": partial(_run_crowd, client, plan.crowd),
            "Popen": partial(_popen_crowd, plan.crowd, command),
        },
        plan.crowds,
    )
    count = plan.crowd * _CONTAINERS
    return compared(
        "loads",
        f"{plan.crowd} tasks of {_CONTAINERS} containers, each {what}, to all ends seen",
        "ms",
        figures["ours"]["ms"],
        Peer(name=f"Popen and wait, {count} times", figure=figures["Popen"]["ms"]),
        at_most=_SLOWER if what == _MEANT else None,
    )


def _chain_row(mine: Figure, popen: Figure) -> Row:
    link = (mine.median - popen.median) / _CHAIN
    return Row(
        group="loads",
        name=f"dependsOn chain of {_CHAIN} containers, RunTask to STOPPED seen",
        unit="ms",
        ours=mine,
        peer=Peer(name="Popen and wait, one after another", figure=popen),
        ratio=mine.median / popen.median,
        aim=f"<= {_LINK_MS:g} ms a link over Popen",
        met=link <= _LINK_MS,
        note=f"{link:.1f} ms a link",
    )


def _container(name: str, command: Sequence[str], **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "app", "memory": 8, "command": list(command), **more}


def _link(number: int) -> dict[str, Any]:
    """The last one is essential, each of the others must have succeeded before the next starts."""
    before = [{"containerName": f"c{number - 1}", "condition": "SUCCESS"}] if number else []
    return _container(f"c{number}", ["true"], essential=number == _CHAIN - 1, dependsOn=before)


def _register(client: ECSClient, family: str, containers: list[Any]) -> None:
    client.register_task_definition(family=family, containerDefinitions=containers)


def _run(client: ECSClient, family: str, count: int) -> list[str]:
    arns: list[str] = []
    while len(arns) < count:
        more = min(_AT_ONCE, count - len(arns))
        tasks = client.run_task(taskDefinition=family, count=more)["tasks"]
        arns += [task["taskArn"] for task in tasks]
    return arns


def _wait(client: ECSClient, waiter: Any, arns: Sequence[str]) -> None:
    for first in range(0, len(arns), _DESCRIBED):
        client.get_waiter(waiter).wait(tasks=list(arns[first : first + _DESCRIBED]))


def _run_chain(client: ECSClient) -> Mapping[str, float]:
    began = time.perf_counter()
    _wait(client, "tasks_stopped", _run(client, "chain", 1))
    return {"ms": 1000 * (time.perf_counter() - began)}


def _popen_chain() -> Mapping[str, float]:
    began = time.perf_counter()
    for _ in range(_CHAIN):
        subprocess.run(["true"], check=True)
    return {"ms": 1000 * (time.perf_counter() - began)}


def _run_crowd(client: ECSClient, count: int) -> Mapping[str, float]:
    began = time.perf_counter()
    _wait(client, "tasks_stopped", _run(client, "crowd", count))
    return {"ms": 1000 * (time.perf_counter() - began)}


def _popen_crowd(count: int, command: Sequence[str]) -> Mapping[str, float]:
    """As many processes, started without a wait between them."""
    began = time.perf_counter()
    with TemporaryFile() as log:
        processes = [
            subprocess.Popen(command, stdout=log, stderr=log) for _ in range(count * _CONTAINERS)
        ]
        for process in processes:
            process.wait()
    return {"ms": 1000 * (time.perf_counter() - began)}


def _memory_with(environment: ours.Ours, client: ECSClient, count: int) -> Mapping[str, float]:
    """MiB of the server and its supervisor while so many tasks run."""
    client.create_cluster(clusterName="default")
    _register(client, "long", [_container("app", ["sleep", "3600"])])
    server = psutil.Process(registry.read(environment.launcher.name).server_pid)
    _wait(client, "tasks_running", _run(client, "long", count))
    supervisors = server.children()
    return {
        "server": server.memory_info().rss / 2**20,
        "supervisor": sum(child.memory_info().rss for child in supervisors) / 2**20,
    }
