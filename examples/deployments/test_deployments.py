"""Deploy a service as a pipeline does, and see what ECS makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import pytest

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

    from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.kecs

SERVE = ["sh", "-c", "trap 'exit 143' TERM; sleep 600 & wait"]
NEVER_STARTS = ["no-such-program"]
CHECK = "arn:aws:lambda:us-east-1:123456789012:function:check"


def register(ecs_client: ECSClient, command: list[str]) -> str:
    """Register a version of the service's task definition; returns its ARN."""
    answer = ecs_client.register_task_definition(
        family="web",
        containerDefinitions=[
            {"name": "web", "image": "shop/web", "memory": 128, "command": command}
        ],
    )
    return answer["taskDefinition"]["taskDefinitionArn"]


@pytest.fixture
def first(ecs_client: ECSClient, kecs: Kecs) -> str:
    """The version that runs: a service of two tasks whose failed deployments are rolled back."""
    ecs_client.create_cluster()
    version = register(ecs_client, SERVE)
    ecs_client.create_service(
        serviceName="web",
        taskDefinition=version,
        desiredCount=2,
        deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
    )
    kecs.wait_stable("web")
    return version


def last_deployment(ecs_client: ECSClient) -> Any:
    """What became of the newest deployment."""
    newest = ecs_client.list_service_deployments(service="web")["serviceDeployments"][0]
    arn = newest["serviceDeploymentArn"]
    return ecs_client.describe_service_deployments(serviceDeploymentArns=[arn])[
        "serviceDeployments"
    ][0]


def test_a_rolling_update(ecs_client: ECSClient, kecs: Kecs, first: str) -> None:
    second = register(ecs_client, SERVE)
    ecs_client.update_service(service="web", taskDefinition=second)
    assert kecs.wait_stable("web")["taskDefinition"] == second
    assert last_deployment(ecs_client)["status"] == "SUCCESSFUL"


def test_a_version_that_never_starts(ecs_client: ECSClient, kecs: Kecs, first: str) -> None:
    ecs_client.update_service(service="web", taskDefinition=register(ecs_client, NEVER_STARTS))
    assert kecs.wait_stable("web")["taskDefinition"] == first
    deployment = last_deployment(ecs_client)
    assert deployment["status"] == "ROLLBACK_SUCCESSFUL"
    assert deployment["deploymentCircuitBreaker"]["status"] == "TRIGGERED"


def test_a_canary_that_is_checked(ecs_client: ECSClient, kecs: Kecs, first: str) -> None:
    seen: list[str] = []

    def check(event: dict[str, Any]) -> str:
        seen.append(event["lifecycleStage"])
        # All of its ten minutes; the rest of the traffic moves when they are over.
        kecs.advance_clock(600)
        return "SUCCEEDED"

    kecs.on_hook(CHECK, check)
    second = register(ecs_client, SERVE)
    ecs_client.update_service(
        service="web",
        taskDefinition=second,
        deploymentConfiguration={
            "strategy": "CANARY",
            "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 10},
            "lifecycleHooks": [
                {
                    "hookTargetArn": CHECK,
                    "roleArn": "arn:aws:iam::123456789012:role/hooks",
                    "lifecycleStages": ["PRODUCTION_TRAFFIC_SHIFT"],
                }
            ],
        },
    )
    assert kecs.wait_stable("web")["taskDefinition"] == second
    assert last_deployment(ecs_client)["status"] == "SUCCESSFUL"
    # At ten percent, and at all of it.
    assert seen == ["PRODUCTION_TRAFFIC_SHIFT"] * 2
