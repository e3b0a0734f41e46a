"""Tasks of platforms that nothing here can run."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import FARGATE
from api_steps import NETWORK
from api_steps import SLEEP
from api_steps import messages
from api_steps import of
from api_steps import refusal
from api_steps import run
from api_steps import seen
from api_steps import service
from api_steps import wait_running
from api_steps import wait_stable

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


SPOT = [
    {"capacityProvider": "FARGATE", "base": 1, "weight": 1},
    {"capacityProvider": "FARGATE_SPOT", "weight": 1},
]
ARM = {"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}}


@pytest.mark.documented
@pytest.mark.parametrize(
    ("family", "version", "is_taken"),
    [
        ("windows-far", "LATEST", False),
        ("arm", "LATEST", True),
        ("arm", "1.4.0", True),
        ("arm", "1.3.0", False),
        ("x86", "1.3.0", True),
        ("x86", "1.2.0", False),
    ],
)
def test_what_fargate_spot_runs(ecs: Any, family: str, version: str, *, is_taken: bool) -> None:
    sizes = {"cpu": "1024", "memory": "2048"}
    for name, platform in (("windows-far", WINDOWS), ("arm", ARM), ("x86", {})):
        ecs.register_task_definition(family=name, **{**FARGATE, **platform, **sizes}, **of())
    ecs.put_cluster_capacity_providers(
        cluster="default",
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=SPOT,
    )
    request = {
        "taskDefinition": family,
        "platformVersion": version,
        "networkConfiguration": NETWORK,
    }
    new_service = {**request, "serviceName": "s", "desiredCount": 0}
    if is_taken:
        assert ecs.run_task(**request)["tasks"][0]["capacityProviderName"] == "FARGATE"
        ecs.create_service(**new_service)
        return
    for call, params in ((ecs.run_task, request), (ecs.create_service, new_service)):
        code, text = refusal(call, **params)
        assert code == "InvalidParameterException"
        assert text.startswith("FARGATE_SPOT capacity provider is not supported ")
    ecs.create_service(**{**new_service, "taskDefinition": "x86", "platformVersion": "LATEST"})
    update = {"taskDefinition": family, "platformVersion": version}
    assert refusal(ecs.update_service, service="s", **update)[0] == "InvalidParameterException"


@pytest.mark.documented
def test_a_service_keeps_base_and_weights_as_it_grows(ecs: Any) -> None:
    ecs.register_task_definition(family="x86", **FARGATE, **of(command=SLEEP))
    ecs.put_cluster_capacity_providers(
        cluster="default",
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[],
    )
    ecs.create_service(
        serviceName="s",
        taskDefinition="x86",
        desiredCount=1,
        capacityProviderStrategy=SPOT,
        networkConfiguration=NETWORK,
    )
    counts = []
    for desired in (1, 3, 5):
        ecs.update_service(service="s", desiredCount=desired)
        wait_stable(ecs, "s")
        arns = ecs.list_tasks(serviceName="s")["taskArns"]
        tasks = ecs.describe_tasks(tasks=arns)["tasks"]
        names = [each["capacityProviderName"] for each in tasks]
        counts.append((names.count("FARGATE"), names.count("FARGATE_SPOT")))
    assert counts == [(1, 0), (2, 1), (3, 2)]
