"""The events that ECS sends to EventBridge, as the test reads them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from api_steps import container
from api_steps import register
from api_steps import run
from api_steps import wait_stable
from api_steps import wait_stopped
from service_steps import create

from pytest_kecs.admin import AdminClient
from pytest_kecs.errors import AdminError
from pytest_kecs.events import Event
from pytest_kecs.kecs import Kecs
from pytest_kecs.waiting import WaitTimeout

pytestmark = pytest.mark.documented

ACTION = "ECS Service Action"
CHANGE = "ECS Deployment State Change"
TASK = "ECS Task State Change"
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")


def names(events: list[Event]) -> list[str]:
    return [event.detail["eventName"] for event in events]


def test_the_life_of_a_task(cluster: Any, kecs: Kecs) -> None:
    register(cluster, "app", container(command=["sh", "-c", "exit 3"]))
    task = run(cluster, "app")
    last = kecs.assert_event(TASK, resource=task, detail={"lastStatus": "STOPPED"})
    assert last.detail["containers"][0]["exitCode"] == 3
    assert (last.source, last.account, last.region) == ("aws.ecs", "123456789012", "us-east-1")
    assert last.resources == (task["taskArn"],)
    assert ISO.match(last.detail["stoppedAt"])
    lives = kecs.events(source="aws.ecs", detail_type=TASK, resource=task)
    assert list(dict.fromkeys(event.detail["lastStatus"] for event in lives)) == [
        "PENDING",
        "RUNNING",
        "STOPPED",
    ]
    versions = [event.detail["version"] for event in lives]
    assert versions == sorted(versions)
    told = [
        (event.detail["lastStatus"], event.detail["desiredStatus"], *_statuses(event))
        for event in lives
    ]
    assert len(told) == len(set(told)), "an event without a change"


def _statuses(event: Event) -> list[str]:
    return [each["lastStatus"] for each in event.detail["containers"]]


def test_a_deployment_and_the_steady_state(cluster: Any, kecs: Kecs) -> None:
    register(cluster)
    service = create(cluster)
    steady = kecs.assert_event(ACTION, resource=service, detail={"eventType": "INFO"}, after=None)
    assert names([steady]) == ["SERVICE_DEPLOYMENT_IN_PROGRESS"]
    steady = kecs.assert_event(detail={"eventName": "SERVICE_STEADY_STATE"})
    assert set(steady.detail) == {"eventType", "eventName", "clusterArn", "createdAt"}
    assert steady.envelope["detail"] == steady.detail
    began, completed = kecs.events(detail_type=CHANGE, resource="s")
    deployment = service["deployments"][0]["id"]
    assert names([began, completed]) == [
        "SERVICE_DEPLOYMENT_IN_PROGRESS",
        "SERVICE_DEPLOYMENT_COMPLETED",
    ]
    assert began.detail["deploymentId"] == completed.detail["deploymentId"] == deployment
    assert completed.detail["reason"] == f"ECS deployment {deployment} completed."
    cluster.update_service(service="s", desiredCount=0)
    kecs.assert_event(ACTION, detail={"eventName": "TASKS_STOPPED"}, after=steady)
    kecs.assert_event(ACTION, detail={"eventName": "SERVICE_STEADY_STATE"}, after=steady)


@pytest.mark.inferred
def test_a_steady_state_on_capacity_providers(cluster: Any, kecs: Kecs) -> None:
    register(cluster)
    cluster.put_cluster_capacity_providers(
        cluster="default", capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[]
    )
    create(
        cluster,
        taskDefinition=register(
            cluster,
            "far",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
        ),
        capacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}],
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    )
    event = kecs.assert_event(ACTION, detail={"eventName": "CAPACITY_PROVIDER_STEADY_STATE"})
    [arn] = event.detail["capacityProviderArns"]
    assert arn == "arn:aws:ecs:us-east-1:123456789012:capacity-provider/FARGATE"


def test_no_place_for_a_task(cluster: Any, kecs: Kecs) -> None:
    register(cluster, "app", container(cpu=1_000_000))
    create(cluster)
    event = kecs.assert_event(ACTION, detail={"eventType": "ERROR"})
    assert names([event]) == ["SERVICE_TASK_PLACEMENT_FAILURE"]
    assert event.detail["reason"] == "RESOURCE:CPU"
    assert len(event.detail["containerInstanceArns"]) == 1


def test_tasks_that_do_not_start(cluster: Any, kecs: Kecs, admin: AdminClient) -> None:
    admin.map_image("broken", {"pull_error": "no such image"})
    register(cluster, "app", container())
    create(cluster)
    completed = kecs.assert_event(CHANGE, detail={"eventName": "SERVICE_DEPLOYMENT_COMPLETED"})
    breaker = {"enable": True, "rollback": True}
    cluster.update_service(
        service="s",
        taskDefinition=register(cluster, "app", container(image="broken")),
        deploymentConfiguration={"deploymentCircuitBreaker": breaker},
    )
    impaired = kecs.assert_event(detail={"eventName": "SERVICE_TASK_START_IMPAIRED"})
    assert impaired.detail["eventType"] == "WARN"
    failed = kecs.assert_event(CHANGE, detail={"eventType": "ERROR"})
    assert names([failed]) == ["SERVICE_DEPLOYMENT_FAILED"]
    assert failed.detail["reason"] == "ECS deployment circuit breaker: task failed to start."
    back = kecs.assert_event(CHANGE, after=failed)
    assert names([back]) == ["SERVICE_DEPLOYMENT_IN_PROGRESS"]
    assert back.detail["reason"] == (
        "ECS deployment circuit breaker: rolling back to deploymentId "
        f"{completed.detail['deploymentId']}."
    )


def test_a_container_instance(cluster: Any, kecs: Kecs) -> None:
    made = cluster.register_container_instance()["containerInstance"]
    cluster.update_container_instances_state(
        containerInstances=[made["containerInstanceArn"]], status="DRAINING"
    )
    kind = "ECS Container Instance State Change"
    active, draining = kecs.events(detail_type=kind, resource=made)
    assert active.detail["version"] < draining.detail["version"]
    assert draining.detail["status"] == "DRAINING"
    assert draining.detail["accountId"] == "123456789012"


@pytest.mark.ours
def test_what_is_followed_and_what_never_comes(cluster: Any, kecs: Kecs) -> None:
    register(cluster, "app", container(command=["true"]))
    arn = run(cluster, "app")["taskArn"]
    for event in kecs.events(detail_type=TASK, resource=arn, follow=True):
        if event.detail["lastStatus"] == "STOPPED":
            break
    else:
        raise AssertionError
    wait_stopped(cluster, arn)
    with pytest.raises(WaitTimeout, match=r"the nearest of the \d+ that came:\n.*STOPPED"):
        kecs.assert_event(TASK, detail={"lastStatus": "STOPPED", "stopCode": "x"}, timeout=0)
    assert list(kecs.events(resource="nobody", follow=True, timeout=0)) == []


@pytest.mark.ours
def test_every_event_of_many_is_there_once(cluster: Any, kecs: Kecs) -> None:
    register(cluster)
    create(cluster, desiredCount=60)
    wait_stable(cluster, "s")
    kecs.assert_event(detail={"eventName": "SERVICE_STEADY_STATE"})
    cluster.update_service(service="s", desiredCount=0, forceNewDeployment=True)
    wait_stable(cluster, "s")
    kecs.assert_event(CHANGE, detail={"eventName": "SERVICE_DEPLOYMENT_COMPLETED"})
    events = kecs.events()
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    stopped = [event for event in events if event.detail.get("lastStatus") == "STOPPED"]
    assert len({event.resources for event in stopped}) == len(stopped)


@pytest.mark.ours
def test_a_cursor_that_is_none(admin: AdminClient) -> None:
    with pytest.raises(AdminError, match="after is a whole number from 0 on, not '-1'"):
        admin.read_events(-1)
    assert admin.read_events(7, wait=0).events == []
