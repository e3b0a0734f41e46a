"""Tasks of platforms that nothing here can run."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import FARGATE
from api_steps import NETWORK
from api_steps import SLEEP
from api_steps import messages
from api_steps import of
from api_steps import run
from api_steps import seen
from api_steps import service
from api_steps import wait_running

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.inferred

WINDOWS = {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}
NO_CAPACITY = (
    "Capacity is unavailable at this time. Please try again later or in a different availability "
    "zone"
)
ON_FARGATE = {"launchType": "FARGATE", "networkConfiguration": NETWORK}


@pytest.fixture
def ecs(cluster: Any) -> Any:
    """A client in an account with the families windows and far, its like on Fargate."""
    cluster.register_task_definition(family="windows", **WINDOWS, **of())
    sizes = {"cpu": "1024", "memory": "2048"}
    cluster.register_task_definition(family="far", **{**FARGATE, **WINDOWS, **sizes}, **of())
    return cluster


def test_no_instance_runs_windows(ecs: Any) -> None:
    answer = ecs.run_task(taskDefinition="windows", count=2)
    assert answer["tasks"] == []
    assert [each["reason"] for each in answer["failures"]] == ["ATTRIBUTE"] * 2
    assert ":container-instance/" in answer["failures"][0]["arn"]


def test_fargate_has_no_capacity_for_windows(ecs: Any) -> None:
    answer = ecs.run_task(taskDefinition="far", **ON_FARGATE)
    assert (answer["tasks"], answer["failures"]) == ([], [{"reason": NO_CAPACITY}])


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"taskDefinition": "windows"}, "is missing an attribute required by your task."),
        (
            {"taskDefinition": "far", **ON_FARGATE},
            f"was unable to place a task. Reason: {NO_CAPACITY}.",
        ),
    ],
    ids=["EC2", "FARGATE"],
)
def test_a_service_says_so(ecs: Any, admin: AdminClient, params: dict[str, Any], text: str) -> None:
    ecs.create_service(serviceName="s", desiredCount=1, **params)
    (message,) = seen(admin, lambda: messages(service(ecs, "s")))
    assert text in message


def test_another_processor_is_no_obstacle(ecs: Any) -> None:
    """What a process is made for decides whether it runs."""
    for architecture in ("ARM64", "X86_64"):
        platform = {"cpuArchitecture": architecture, "operatingSystemFamily": "LINUX"}
        ecs.register_task_definition(
            family=architecture, runtimePlatform=platform, **of(command=SLEEP)
        )
        wait_running(ecs, run(ecs, architecture)["taskArn"])
