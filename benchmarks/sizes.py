"""Whether a page costs the same however many things there are besides those on it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING
from typing import Any

from benchmarks.calls import answers_of
from benchmarks.calls import timed
from benchmarks.canned import canned_server
from benchmarks.figures import Peer
from benchmarks.figures import Row
from benchmarks.figures import compared
from benchmarks.figures import less_floor
from benchmarks.filled import CONTAINER
from benchmarks.filled import filled_server
from benchmarks.filled import name_of
from benchmarks.moto import free_port
from benchmarks.moto import moto_server
from benchmarks.ours import aws_client
from benchmarks.plan import Plan
from benchmarks.rounds import interleaved
from benchmarks.start import MOTO_CREDENTIALS
from benchmarks.start import wait_for_moto

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

_FEW = 100
_PAGE = 50
_GROWTH = 1.5
_LARGEST = 3.0
_OF_MOTO = 0.5
_BODY = 64 * 1024 - 1024
"""Bytes of the largest definition: ECS takes 64 KiB, of which its other members need some."""

Call = Callable[[], Any]


def measure(plan: Plan) -> list[Row]:
    many = (plan.many, plan.many // 10, plan.many)
    with ExitStack() as stack:
        moto = stack.enter_context(moto_server(free_port()))
        few_client = aws_client("ecs", *stack.enter_context(filled_server(_FEW, _FEW, _FEW)))
        many_client = aws_client("ecs", *stack.enter_context(filled_server(*many)))
        wait_for_moto(moto)
        moto_client = aws_client("ecs", moto.endpoint, MOTO_CREDENTIALS)
        _fill_moto(moto_client)
        few, more = _calls(few_client), _calls(many_client)
        canned = stack.enter_context(canned_server(answers_of(few_client, few.values())))
        few_tasks = few_client.list_tasks()["taskArns"]
        canned_client = aws_client("ecs", canned, MOTO_CREDENTIALS)
        peers = {
            "moto_server": _calls(moto_client),
            "canned answer": _calls(canned_client, few_tasks),
        }
        rows = [
            row
            for name in few
            for row in _rows(name, few[name], more[name], {p: peers[p][name] for p in peers}, plan)
        ]
        middle = zip(_pages(few_client).items(), _pages(many_client).values(), strict=True)
        rows += [_growth(name, few_call, call, plan) for (name, few_call), call in middle]
        rows.append(
            _growth(
                "DescribeContainerInstances (1)",
                _instances(few_client),
                _instances(many_client),
                plan,
            )
        )
        return [*rows, _registration(few_client, plan)]


def _fill_moto(client: ECSClient) -> None:
    client.create_cluster(clusterName="default")
    for number in range(_FEW):
        containers: Any = [CONTAINER]
        client.register_task_definition(family=name_of(number), containerDefinitions=containers)
        client.create_service(
            serviceName=name_of(number), taskDefinition=name_of(0), desiredCount=0
        )
    network: Any = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    for _ in range(_FEW // 10):
        client.run_task(
            taskDefinition=name_of(0), count=10, launchType="FARGATE", networkConfiguration=network
        )


def _calls(client: ECSClient, tasks: list[str] | None = None) -> dict[str, Call]:
    """The same for every server. `tasks`: those to be described, unless it can list them."""
    described = client.list_tasks()["taskArns"][:_FEW] if tasks is None else tasks
    return {
        "ListTasks": client.list_tasks,
        "DescribeTasks (100 tasks)": partial(client.describe_tasks, tasks=described),
        "ListServices (100)": partial(client.list_services, maxResults=100),
        "DescribeServices (10)": partial(
            client.describe_services, services=[name_of(number) for number in range(10)]
        ),
        "ListTaskDefinitions": partial(client.list_task_definitions, maxResults=100),
        "DescribeTaskDefinition": partial(
            client.describe_task_definition, taskDefinition=name_of(50)
        ),
        "ListTaskDefinitionFamilies": partial(client.list_task_definition_families, maxResults=100),
        "ListClusters": client.list_clusters,
        "DescribeClusters": partial(client.describe_clusters, clusters=["default"]),
    }


def _pages(client: ECSClient) -> dict[str, Call]:
    """A page of each list that begins in its middle."""
    lists: dict[str, Callable[..., Any]] = {
        "ListTasks": client.list_tasks,
        "ListServices": client.list_services,
        "ListTaskDefinitions": client.list_task_definitions,
    }
    calls: dict[str, Call] = {}
    for name, call in lists.items():
        tokens = []
        answer = call(maxResults=_PAGE)
        while "nextToken" in answer:
            tokens.append(answer["nextToken"])
            answer = call(maxResults=_PAGE, nextToken=tokens[-1])
        token = tokens[len(tokens) // 2]
        calls[f"{name}, {_PAGE} from the middle"] = partial(call, maxResults=_PAGE, nextToken=token)
    return calls


def _instances(client: ECSClient) -> Call:
    """One, with its share of the tasks."""
    tasks = client.list_tasks(maxResults=1)["taskArns"]
    arn = client.describe_tasks(tasks=tasks)["tasks"][0]["containerInstanceArn"]
    return partial(client.describe_container_instances, containerInstances=[arn])


def _rows(name: str, few: Call, more: Call, peers: Mapping[str, Call], plan: Plan) -> list[Row]:
    subjects = {"few": few, "many": more, **peers}
    figures = interleaved(
        {subject: partial(timed, call) for subject, call in subjects.items()},
        plan.calls // 3,
        discarded=10,
    )
    few_figure = figures["few"]["call"]
    return [
        compared(
            "sizes",
            f"{name} among {plan.many:,}",
            "ms",
            figures["many"]["call"],
            Peer(name=f"ours among {_FEW}", figure=few_figure),
            at_most=_GROWTH,
        ),
        less_floor(
            "sizes",
            f"{name} among {_FEW}",
            few_figure,
            Peer(name="moto_server", figure=figures["moto_server"]["call"]),
            figures["canned answer"]["call"],
            at_most=_OF_MOTO,
        ),
    ]


def _growth(name: str, few: Call, more: Call, plan: Plan) -> Row:
    subjects = {"few": partial(timed, few), "many": partial(timed, more)}
    figures = interleaved(subjects, plan.calls // 3, discarded=10)
    return compared(
        "sizes",
        f"{name} among {plan.many:,}",
        "ms",
        figures["many"]["call"],
        Peer(name=f"ours among {_FEW}", figure=figures["few"]["call"]),
        at_most=_GROWTH,
    )


def _registration(client: ECSClient, plan: Plan) -> Row:
    register: Any = client.register_task_definition
    sizes = {"smallest": [CONTAINER], "largest": _largest()}
    figures = interleaved(
        {
            size: partial(timed, partial(register, family=size, containerDefinitions=containers))
            for size, containers in sizes.items()
        },
        plan.calls // 3,
        discarded=10,
    )
    return compared(
        "sizes",
        "RegisterTaskDefinition, 10 containers in 64 KiB",
        "ms",
        figures["largest"]["call"],
        Peer(name="the smallest", figure=figures["smallest"]["call"]),
        at_most=_LARGEST,
    )


def _largest() -> list[dict[str, Any]]:
    """Ten containers that fill the 64 KiB with variables, ports, labels and commands."""
    value = "x" * (_BODY // 10 // 16)
    return [
        {
            **CONTAINER,
            "name": f"c{number}",
            "command": ["sh", "-c", value],
            "dockerLabels": {f"label{label}": value for label in range(4)},
            "portMappings": [{"containerPort": 8000 + 10 * number + port} for port in range(8)],
            "environment": [{"name": f"NAME{each}", "value": value} for each in range(8)],
            "healthCheck": {"command": ["CMD", "true"]},
        }
        for number in range(10)
    ]
