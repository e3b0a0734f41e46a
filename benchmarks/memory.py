"""What an idle server holds of the machine's memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import psutil

from benchmarks import ours
from benchmarks.figures import Figure
from benchmarks.figures import Peer
from benchmarks.figures import Row
from benchmarks.figures import limited
from benchmarks.moto import free_port
from benchmarks.moto import moto_server
from benchmarks.plan import Plan
from benchmarks.rounds import interleaved
from benchmarks.start import wait_for_moto
from pytest_kecs import registry

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

_LIMIT_MIB = 60.0
_TASKS = 10
_FAMILY = "benchmark"


def measure(plan: Plan) -> list[Row]:
    figures = interleaved({"ours": _ours, "moto": _moto}, min(plan.starts, 3), discarded=0)
    mine, moto = figures["ours"], Peer(name="moto_server", figure=figures["moto"]["rss"])
    return [
        _row("idle server after its start", "", mine, moto),
        _row(f"idle server after {_TASKS} tasks", " after", mine, None),
    ]


def _row(name: str, when: str, mine: Mapping[str, Figure], peer: Peer | None) -> Row:
    more = [
        f"{label} {mine[kind + when].median:.1f}"
        for kind, label in (("uss", "USS"), ("pss", "PSS"), ("supervisor", "its supervisor's RSS"))
        if kind + when in mine
    ]
    ours_rss = mine["rss" + when]
    return limited(
        "memory",
        f"{name}, RSS",
        "MiB",
        ours_rss,
        below=_LIMIT_MIB,
        peer=peer,
        note=", ".join(more),
    )


def _ours() -> Mapping[str, float]:
    with ours.environment() as environment:
        process = psutil.Process(registry.read(environment.launcher.name).server_pid)
        client = environment.ecs()
        client.list_clusters()
        before = _memory_with_children(process)
        _run_tasks(client)
        after = _memory_with_children(process)
        return {**before, **{f"{name} after": value for name, value in after.items()}}


def _moto() -> Mapping[str, float]:
    with moto_server(free_port()) as moto:
        wait_for_moto(moto)
        return _memory(psutil.Process(moto.process.pid))


def _run_tasks(client: ECSClient) -> None:
    client.create_cluster(clusterName="default")
    client.register_task_definition(
        family=_FAMILY,
        containerDefinitions=[{"name": "app", "image": "app", "memory": 64, "command": ["true"]}],
    )
    started = client.run_task(taskDefinition=_FAMILY, count=_TASKS)["tasks"]
    client.get_waiter("tasks_stopped").wait(tasks=[task["taskArn"] for task in started])


def _memory_with_children(process: psutil.Process) -> dict[str, float]:
    children = [_memory(child)["rss"] for child in process.children()]
    return {**_memory(process), "supervisor": sum(children)}


def _memory(process: psutil.Process) -> dict[str, float]:
    """MiB, by kind; which kinds there are is the system's choice, RSS is always there."""
    found = process.memory_full_info()._asdict()
    return {kind: found[kind] / 2**20 for kind in ("rss", "uss", "pss") if kind in found}
