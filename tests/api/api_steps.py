"""Steps that the API tests share."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any
from typing import TypeVar

import pytest
from botocore.exceptions import ClientError

from pytest_kecs.admin import AdminClient

PATIENCE = 20.0

SLEEP = ["sleep", "1000"]

LISTEN = [
    sys.executable,
    "-SIc",
    "import os, socket, time\n"
    "listener = socket.create_server((os.environ['KECS_HOST'], 8080))\n"
    "time.sleep(1000)",
]
"""A container's command that accepts connections at its port 8080."""

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}

FARGATE = {
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
}
"""Members of a definition that Fargate accepts."""

Seen = TypeVar("Seen")
Wait = Callable[[Callable[[], object]], None]
"""What the fixture `wait_for` is."""


def container(name: str = "app", **members: Any) -> dict[str, Any]:
    """A container that does nothing until it is stopped, but for what `members` say."""
    return {"name": name, "image": "busybox:1.36", "memory": 64, **members}


def of(**members: Any) -> dict[str, Any]:
    """The member `containerDefinitions` of one container."""
    return {"containerDefinitions": [container(**members)]}


def register(ecs: Any, family: str = "app", *containers: dict[str, Any], **members: Any) -> str:
    """Register a task definition; returns its ARN."""
    definitions = list(containers) or [container()]
    answer = ecs.register_task_definition(
        family=family, containerDefinitions=definitions, **members
    )
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def register_fargate(ecs: Any, family: str = "far", **members: Any) -> str:
    return register(ecs, family, **{**FARGATE, **members})


def refusal(call: Callable[..., Any], /, **params: Any) -> tuple[str, str]:
    """The type and the message with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    return answer["Error"]["Code"], answer["Error"]["Message"]


def seen(admin: AdminClient, ask: Callable[[], Seen]) -> Seen:
    """What `ask` returns once that is true; it is asked again after each change in the realm."""
    deadline = time.monotonic() + PATIENCE
    while True:
        version = admin.wait(-1, timeout=0).version
        result = ask()
        if result:
            return result
        assert time.monotonic() < deadline, "it never came"
        admin.wait(version, timeout=PATIENCE)


def task(ecs: Any, arn: str, cluster: str = "default") -> Any:
    """A task as it is described now."""
    (described,) = ecs.describe_tasks(cluster=cluster, tasks=[arn], include=["TAGS"])["tasks"]
    return described


def service(ecs: Any, name: str, cluster: str = "default") -> Any:
    """A service as it is described now."""
    answer = ecs.describe_services(cluster=cluster, services=[name], include=["TAGS"])
    (described,) = answer["services"]
    return described


def run(ecs: Any, definition: str, **params: Any) -> Any:
    """Run one task; returns it as the answer has it."""
    (started,) = ecs.run_task(taskDefinition=definition, **params)["tasks"]
    return started


def wait_running(ecs: Any, *arns: str) -> None:
    ecs.get_waiter("tasks_running").wait(tasks=list(arns))


def wait_stopped(ecs: Any, *arns: str) -> None:
    ecs.get_waiter("tasks_stopped").wait(tasks=list(arns))


def wait_stable(ecs: Any, *names: str) -> None:
    ecs.get_waiter("services_stable").wait(services=list(names))


def messages(described: Any) -> list[str]:
    """The texts of a service's events without the `(service X) `, newest first."""
    return [event["message"].split(") ", 1)[1] for event in described["events"]]


def rows(table: Iterable[tuple[Any, ...]], inferred: tuple[str, ...]) -> list[Any]:
    """Rows that begin with a name, as parameters of a test; those whose names begin as one of
    `inferred` does rest on less than the others.
    """
    return [
        pytest.param(
            *values, id=name, marks=[pytest.mark.inferred] if name.startswith(inferred) else []
        )
        for name, *values in table
    ]
