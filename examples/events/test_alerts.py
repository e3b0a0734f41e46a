"""Have ECS send its events, and the function judge each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import pytest
from alerts import handler

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

    from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.kecs


def register(ecs_client: ECSClient, command: list[str]) -> None:
    ecs_client.register_task_definition(
        family="job",
        containerDefinitions=[
            {"name": "app", "image": "shop/job", "memory": 64, "command": command}
        ],
    )


def alerts(kecs: Kecs) -> list[Any]:
    said = [handler(event.envelope, None) for event in kecs.events()]
    return [text for text in said if text]


def test_a_task_that_failed(ecs_client: ECSClient, kecs: Kecs) -> None:
    for code in (0, 3):
        register(ecs_client, ["sh", "-c", f"exit {code}"])
        task = kecs.run_task("job")
        kecs.assert_event("ECS Task State Change", resource=task, detail={"lastStatus": "STOPPED"})
    assert alerts(kecs) == ["family:job: app (3) failed"]


def test_a_deployment_that_failed(ecs_client: ECSClient, kecs: Kecs) -> None:
    register(ecs_client, ["no-such-program"])
    ecs_client.create_cluster()
    ecs_client.create_service(
        serviceName="web",
        taskDefinition="job",
        desiredCount=1,
        deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}},
    )
    kecs.assert_event("ECS Deployment State Change", detail={"eventType": "ERROR"})
    assert alerts(kecs) == ["web: ECS deployment circuit breaker: task failed to start."]
