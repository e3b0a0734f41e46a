"""API calls with boto3: ours, moto's, and an answer that is known beforehand."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING
from typing import Any

from benchmarks import ours
from benchmarks.canned import canned_server
from benchmarks.figures import Peer
from benchmarks.figures import Row
from benchmarks.figures import less_floor
from benchmarks.moto import free_port
from benchmarks.moto import moto_server
from benchmarks.ours import aws_client
from benchmarks.plan import Plan
from benchmarks.rounds import interleaved
from benchmarks.start import MOTO_CREDENTIALS
from benchmarks.start import wait_for_moto

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

_TASKS = 10
_AIM = 0.5
_DEFINITION: dict[str, Any] = {
    "family": "benchmark",
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [
        {"name": "app", "image": "app", "cpu": 256, "memory": 512, "essential": True}
    ],
}

Call = Callable[[], Any]


def measure(plan: Plan) -> list[Row]:
    with ExitStack() as stack:
        environment = stack.enter_context(ours.environment())
        moto = stack.enter_context(moto_server(free_port()))
        wait_for_moto(moto)
        subnet = aws_client("ec2", moto.endpoint, MOTO_CREDENTIALS).describe_subnets()
        moto_client = aws_client("ecs", moto.endpoint, MOTO_CREDENTIALS)
        moto_tasks = fill(moto_client, subnet["Subnets"][0]["SubnetId"])
        client = environment.ecs()
        tasks = fill(client, "subnet-1")
        # moto's need no waiting: they change state whenever somebody looks.
        client.get_waiter("tasks_running").wait(tasks=tasks)
        canned = stack.enter_context(
            canned_server(answers_of(client, calls_of(client, tasks).values()))
        )
        canned_client = aws_client("ecs", canned, environment.credentials)
        subjects = {
            "ours": calls_of(client, tasks),
            "moto_server": calls_of(moto_client, moto_tasks),
            "canned answer": calls_of(canned_client, tasks),
        }
        return [_row(name, subjects, plan.calls) for name in subjects["ours"]]


def fill(client: ECSClient, subnet: str) -> list[str]:
    """A cluster with ten tasks; their ARNs."""
    client.create_cluster(clusterName="default")
    client.register_task_definition(**_DEFINITION)
    network: Any = {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": ["sg-1"]}}
    started = client.run_task(
        taskDefinition=_DEFINITION["family"],
        count=_TASKS,
        launchType="FARGATE",
        networkConfiguration=network,
    )
    return [task["taskArn"] for task in started["tasks"]]


def calls_of(client: ECSClient, tasks: list[str]) -> dict[str, Call]:
    return {
        "ListClusters": client.list_clusters,
        "RegisterTaskDefinition": partial(client.register_task_definition, **_DEFINITION),
        "DescribeTasks": partial(client.describe_tasks, tasks=tasks),
    }


def answers_of(client: ECSClient, calls: Iterable[Call]) -> dict[str, bytes]:
    """Operation to the bytes that our server answers it with in these calls."""
    answers: dict[str, bytes] = {}

    def keep(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
        answers[operation_model.name] = response_dict["body"]

    client.meta.events.register("before-parse.ecs.*", keep)
    try:
        for call in calls:
            call()
    finally:
        client.meta.events.unregister("before-parse.ecs.*", keep)
    return answers


def _row(name: str, subjects: Mapping[str, Mapping[str, Call]], rounds: int) -> Row:
    calls = {subject: partial(timed, calls[name]) for subject, calls in subjects.items()}
    figures = interleaved(calls, rounds, discarded=10)
    return less_floor(
        "API calls",
        f"{name} ({_TASKS} tasks)" if name == "DescribeTasks" else name,
        figures["ours"]["call"],
        Peer(name="moto_server", figure=figures["moto_server"]["call"]),
        figures["canned answer"]["call"],
        at_most=_AIM,
    )


def timed(call: Call) -> Mapping[str, float]:
    """Milliseconds of the `call`."""
    began = time.perf_counter()
    call()
    return {"call": 1000 * (time.perf_counter() - began)}
