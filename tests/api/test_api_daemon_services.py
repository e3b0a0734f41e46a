"""Services with the scheduling strategy DAEMON: a task on each container instance."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import NETWORK
from api_steps import SLEEP
from api_steps import Wait
from api_steps import container
from api_steps import messages
from api_steps import refusal
from api_steps import register
from api_steps import register_fargate
from api_steps import run
from api_steps import service
from api_steps import wait_stable
from instance_steps import described
from instance_steps import integer
from instance_steps import new_instance
from service_steps import INVALID

pytestmark = pytest.mark.documented

NO_COUNT = (
    "The daemon scheduling strategy does not support a desired count for services. Remove the "
    "desired count value and try again"
)
NO_PLACEMENT = (
    "The daemon scheduling strategy does not support placement strategies. Remove the placement "
    "strategy and try again"
)
NO_PROVIDERS = (
    "Specifying a capacity provider strategy is not supported when you create a service using the "
    "DAEMON scheduling strategy."
)
TOO_MUCH = (
    "The daemon scheduling strategy does not support values above 100 for maximumPercent on a "
    "deployment configuration. Change the maximumPercent value to 100, and try again"
)
SPREAD = [{"type": "spread", "field": "instanceId"}]
ON_FARGATE = [{"capacityProvider": "FARGATE", "weight": 1}]
TARGETS = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0123456789abcdef"
ROLE = "arn:aws:iam::123456789012:role/ecs"


@pytest.fixture
def ecs(cluster: Any) -> Any:
    register(cluster, "app", container(command=SLEEP, portMappings=[{"containerPort": 80}]))
    return cluster


def create(ecs: Any, **params: Any) -> Any:
    request = {"serviceName": "s", "taskDefinition": "app", "schedulingStrategy": "DAEMON"}
    return ecs.create_service(**{**request, **params})["service"]


def places(ecs: Any) -> list[str]:
    """The instances of the service's tasks."""
    arns = ecs.list_tasks(serviceName="s")["taskArns"]
    tasks = ecs.describe_tasks(tasks=arns)["tasks"] if arns else []
    return sorted(task["containerInstanceArn"] for task in tasks)


def instances(ecs: Any, count: int) -> list[str]:
    return sorted(new_instance(ecs)["containerInstanceArn"] for _ in range(count))


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("count", {"desiredCount": 0}, NO_COUNT),
    ("strategy", {"placementStrategy": SPREAD}, NO_PLACEMENT),
    ("maximum", {"deploymentConfiguration": {"maximumPercent": 101}}, TOO_MUCH),
]
"""By CreateService and UpdateService alike."""


@pytest.mark.parametrize(("params", "text"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED])
def test_refused(ecs: Any, params: dict[str, Any], text: str) -> None:
    request = {"serviceName": "s", "taskDefinition": "app", "schedulingStrategy": "DAEMON"}
    assert refusal(ecs.create_service, **request, **params) == (INVALID, text)
    assert ecs.list_services()["serviceArns"] == []
    create(ecs)
    assert refusal(ecs.update_service, service="s", **params) == (INVALID, text)
    assert len(service(ecs, "s")["deployments"]) == 1


def test_an_update_may_not_even_say_that_there_are_no_placement_strategies(ecs: Any) -> None:
    create(ecs, placementStrategy=[])
    assert refusal(ecs.update_service, service="s", placementStrategy=[]) == (INVALID, NO_PLACEMENT)


def test_not_on_fargate(ecs: Any) -> None:
    register_fargate(ecs, "far")
    request = {"serviceName": "s", "taskDefinition": "far", "schedulingStrategy": "DAEMON"}
    assert refusal(ecs.create_service, **request, launchType="FARGATE") == (
        INVALID,
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
    )
    request["networkConfiguration"] = NETWORK
    assert refusal(ecs.create_service, **request, launchType="FARGATE") == (
        INVALID,
        "The daemon scheduling strategy does not support the FARGATE launch type. Change the "
        "launch type and try again",
    )


def test_not_with_capacity_providers_be_they_the_clusters(ecs: Any) -> None:
    register_fargate(ecs, "far")
    ecs.put_cluster_capacity_providers(
        cluster="default", capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=ON_FARGATE
    )
    request = {"serviceName": "s", "schedulingStrategy": "DAEMON"}
    far = {"taskDefinition": "far", "networkConfiguration": NETWORK}
    for given in ({}, {"capacityProviderStrategy": ON_FARGATE}):
        assert refusal(ecs.create_service, **request, **far, **given) == (INVALID, NO_PROVIDERS)
    create(ecs, launchType="EC2")
    answer = refusal(ecs.update_service, service="s", capacityProviderStrategy=ON_FARGATE)
    assert answer == (INVALID, NO_PROVIDERS)


RULED_OUT: list[tuple[str, dict[str, Any]]] = [
    (
        "Classic Load Balancer",
        {
            "loadBalancers": [
                {"loadBalancerName": "old", "containerName": "app", "containerPort": 80}
            ]
        },
    ),
    ("rebalancing", {"availabilityZoneRebalancing": "ENABLED"}),
    (
        "volumes",
        {
            "taskDefinition": "with-volume",
            "volumeConfigurations": [
                {"name": "data", "managedEBSVolume": {"roleArn": ROLE, "sizeInGiB": 1}}
            ],
        },
    ),
    (
        "blue/green",
        {
            "deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0},
            "loadBalancers": [
                {
                    "targetGroupArn": TARGETS,
                    "containerName": "app",
                    "containerPort": 80,
                    "advancedConfiguration": {
                        "alternateTargetGroupArn": TARGETS.replace("blue", "green"),
                        "productionListenerRule": "rule",
                        "roleArn": ROLE,
                    },
                }
            ],
        },
    ),
]


@pytest.mark.parametrize("params", [pytest.param(row[1], id=row[0]) for row in RULED_OUT])
def test_ruled_out(ecs: Any, params: dict[str, Any]) -> None:
    mounts = [{"sourceVolume": "data", "containerPath": "/data"}]
    volumes = [{"name": "data", "configuredAtLaunch": True}]
    register(ecs, "with-volume", container(mountPoints=mounts), volumes=volumes)
    request = {"serviceName": "s", "taskDefinition": "app", "schedulingStrategy": "DAEMON"}
    code, text = refusal(ecs.create_service, **{**request, **params})
    assert code == INVALID
    assert "daemon" in text or "Rebalancing" in text


def test_what_create_returns(ecs: Any) -> None:
    instances(ecs, 2)
    created = create(ecs)
    assert created["schedulingStrategy"] == "DAEMON"
    assert created["availabilityZoneRebalancing"] == "DISABLED"
    configuration = created["deploymentConfiguration"]
    assert (configuration["minimumHealthyPercent"], configuration["maximumPercent"]) == (0, 100)
    assert created["launchType"] == "EC2"
    [deployment] = created["deployments"]
    assert created["desiredCount"] == deployment["desiredCount"] == 2


def test_a_task_on_each_instance_that_is_there_and_comes(ecs: Any) -> None:
    there = instances(ecs, 2)
    create(ecs)
    wait_stable(ecs, "s")
    assert places(ecs) == there
    coming = new_instance(ecs)["containerInstanceArn"]
    # At once, so that who waits for a stable service waits for the new task.
    assert service(ecs, "s")["desiredCount"] == 3
    wait_stable(ecs, "s")
    assert places(ecs) == sorted([*there, coming])
    assert service(ecs, "s")["runningCount"] == 3
    assert messages(service(ecs, "s")).count("has reached a steady state.") == 2


@pytest.mark.inferred
def test_the_engines_own_host_has_a_task(ecs: Any) -> None:
    assert create(ecs)["desiredCount"] == 1
    wait_stable(ecs, "s")
    assert len(places(ecs)) == 1


def test_it_leaves_an_instance_that_drains_after_the_others(ecs: Any, wait_for: Wait) -> None:
    slow = ["sh", "-c", "trap 'sleep 0.3; exit 0' TERM; while :; do sleep 0.05; done"]
    register(ecs, "slow", container(command=slow))
    first, second = instances(ecs, 2)
    create(ecs)
    ecs.create_service(serviceName="web", taskDefinition="slow", desiredCount=2)
    wait_stable(ecs, "s", "web")
    ecs.update_container_instances_state(containerInstances=[first], status="DRAINING")
    assert service(ecs, "s")["desiredCount"] == 1
    wait_for(lambda: places(ecs) == [second])
    wait_for(lambda: described(ecs, first)["runningTasksCount"] == 0)
    stops = {}
    for name in ("s", "web"):
        [arn] = ecs.list_tasks(serviceName=name, desiredStatus="STOPPED")["taskArns"]
        [stops[name]] = ecs.describe_tasks(tasks=[arn])["tasks"]
    assert stops["s"]["stoppingAt"] >= stops["web"]["stoppedAt"]
    ecs.update_container_instances_state(containerInstances=[first], status="ACTIVE")
    wait_stable(ecs, "s")
    assert places(ecs) == [first, second]


def test_it_leaves_an_instance_that_is_deregistered(ecs: Any) -> None:
    first, second = instances(ecs, 2)
    create(ecs)
    wait_stable(ecs, "s")
    ecs.deregister_container_instance(containerInstance=first, force=True)
    wait_stable(ecs, "s")
    assert places(ecs) == [second]


def test_running_tasks_are_held_to_the_constraints(ecs: Any, wait_for: Wait) -> None:
    first, second = instances(ecs, 2)

    def put(arn: str) -> None:
        ecs.put_attributes(attributes=[{"name": "role", "value": "web", "targetId": arn}])

    put(first)
    create(
        ecs,
        placementConstraints=[{"type": "memberOf", "expression": "attribute:role == web"}],
    )
    wait_stable(ecs, "s")
    assert places(ecs) == [first]
    put(second)
    ecs.delete_attributes(attributes=[{"name": "role", "targetId": first}])
    wait_for(lambda: places(ecs) == [second])


def test_it_says_what_is_lacking_and_goes_on_when_there_is_room(ecs: Any, wait_for: Wait) -> None:
    small = new_instance(ecs, totalResources=[integer("CPU", 1024), integer("MEMORY", 100)])
    arn = small["containerInstanceArn"]
    task = run(ecs, "app")["taskArn"]
    create(ecs)
    wait_for(lambda: service(ecs, "s")["events"])
    assert service(ecs, "s")["desiredCount"] == 1
    assert messages(service(ecs, "s"))[0].startswith(
        "was unable to place a task because no container instance met all of its requirements. "
        f"The closest matching (container-instance {arn.rpartition('/')[2]}) has insufficient "
        "memory available."
    )
    ecs.stop_task(task=task)
    wait_stable(ecs, "s")
    assert places(ecs) == [arn]


def test_its_room_is_kept_from_other_tasks(ecs: Any) -> None:
    memory = [integer("CPU", 1024), integer("MEMORY", 100)]
    new_instance(ecs, totalResources=memory)
    # No task of it can start: its room is free, and not for others.
    create(ecs, deploymentConfiguration={"lifecycleHooks": [PAUSE]})
    assert ecs.list_tasks()["taskArns"] == []
    answer = ecs.run_task(taskDefinition="app")
    assert [each["reason"] for each in answer["failures"]] == ["RESOURCE:MEMORY"]


PAUSE = {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]}


def test_an_update_takes_as_many_as_the_minimum_allows(ecs: Any) -> None:
    there = instances(ecs, 2)
    create(ecs, deploymentConfiguration={"minimumHealthyPercent": 50})
    wait_stable(ecs, "s")
    before = set(ecs.list_tasks(serviceName="s")["taskArns"])
    answer = ecs.update_service(service="s", forceNewDeployment=True)["service"]
    assert [each["desiredCount"] for each in answer["deployments"]] == [2, 0]
    wait_stable(ecs, "s")
    assert places(ecs) == there
    assert not before & set(ecs.list_tasks(serviceName="s")["taskArns"])
    described = ecs.describe_tasks(tasks=ecs.list_tasks(serviceName="s")["taskArns"])["tasks"]
    first, second = sorted(described, key=lambda task: task["createdAt"])
    assert second["createdAt"] > first["startedAt"]


def test_it_is_deleted_without_force(ecs: Any, wait_for: Wait) -> None:
    instances(ecs, 2)
    create(ecs)
    wait_stable(ecs, "s")
    answer = ecs.delete_service(service="s")["service"]
    assert (answer["status"], answer["desiredCount"]) == ("DRAINING", 0)
    wait_for(lambda: service(ecs, "s")["status"] == "INACTIVE")
    assert ecs.list_tasks()["taskArns"] == []
    # Its name may be that of a service of the other kind.
    ecs.create_service(serviceName="s", taskDefinition="app", desiredCount=1)
    wait_stable(ecs, "s")
    assert len(places(ecs)) == 1


@pytest.mark.captured
def test_listed_by_strategy(ecs: Any) -> None:
    arn = create(ecs)["serviceArn"]
    ecs.create_service(serviceName="web", taskDefinition="app", desiredCount=0)
    assert ecs.list_services(schedulingStrategy="DAEMON")["serviceArns"] == [arn]
    [other] = ecs.list_services(schedulingStrategy="REPLICA")["serviceArns"]
    assert other.endswith("/web")
