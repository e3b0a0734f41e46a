"""What the service scheduler does: replacing, scaling, rolling updates (ecs-facts 7.6-8.1)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from api_steps import SLEEP
from api_steps import container
from api_steps import messages
from api_steps import register
from api_steps import run
from api_steps import seen
from api_steps import service
from api_steps import task
from api_steps import wait_stable
from api_steps import wait_stopped

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.documented


@pytest.fixture
def app(cluster: Any) -> Any:
    """A client in an account with a cluster and the family app, which sleeps."""
    register(cluster, "app", container(command=SLEEP))
    return cluster


def create(app: Any, count: int = 1, **params: Any) -> Any:
    request = {"serviceName": "s", "taskDefinition": "app", "desiredCount": count, **params}
    return app.create_service(**request)["service"]


def tasks_of(app: Any, **params: Any) -> list[str]:
    return list(app.list_tasks(serviceName="s", **params)["taskArns"])


def moments(admin: AdminClient) -> Iterator[tuple[int, int]]:
    """(healthy tasks, all tasks) of the realm after each change, from its timeline."""
    running: set[str] = set()
    existing: set[str] = set()
    for entry in admin.timeline():
        if entry["kind"] != "task":
            continue
        arn, text = entry["subject"], entry["text"]
        if text.startswith(("PENDING", "PROVISIONING")):
            existing.add(arn)
        elif text == "RUNNING":
            running.add(arn)
        elif text.startswith("to be stopped"):
            running.discard(arn)
        elif text == "STOPPED":
            existing.discard(arn)
            running.discard(arn)
        yield len(running), len(existing)


@pytest.mark.captured
def test_events_of_a_start(app: Any) -> None:
    deployment = create(app, 2)["deployments"][0]["id"]
    wait_stable(app, "s")
    described = service(app, "s")
    ids = " ".join(sorted(f"(task {arn.rpartition('/')[2]})" for arn in tasks_of(app)))
    *last, first = messages(described)
    assert last == [
        "has reached a steady state.",
        f"(deployment {deployment}) deployment completed.",
    ]
    start, _, started = first.partition(": ")
    assert start == "has started 2 tasks"
    assert " ".join(sorted(f"{part})".strip() for part in started[:-1].split(")") if part)) == ids
    assert described["deployments"][0]["rolloutState"] == "COMPLETED"
    assert described["deployments"][0]["rolloutStateReason"] == (
        f"ECS deployment {deployment} completed."
    )
    assert len({event["id"] for event in described["events"]}) == 3


def test_tasks_of_a_service(app: Any) -> None:
    deployment = create(app)["deployments"][0]["id"]
    wait_stable(app, "s")
    (arn,) = tasks_of(app)
    described = task(app, arn)
    assert described["startedBy"] == deployment
    assert described["group"] == "service:s"
    # A task that somebody ran is none of the service's.
    run(app, "app")
    assert len(tasks_of(app)) == 1


def test_what_was_stopped_is_replaced(app: Any, admin: AdminClient) -> None:
    create(app)
    wait_stable(app, "s")
    (first,) = tasks_of(app)
    app.stop_task(task=first)
    (second,) = seen(admin, lambda: [arn for arn in tasks_of(app) if arn != first])
    wait_stable(app, "s")
    assert task(app, first)["stopCode"] == "UserInitiated"
    assert task(app, second)["lastStatus"] == "RUNNING"
    assert len(service(app, "s")["deployments"]) == 1


def test_what_ended_is_replaced(app: Any, admin: AdminClient) -> None:
    register(app, "app", container(command=["sleep", "0.1"]))
    create(app)
    stopped = seen(admin, lambda: tasks_of(app, desiredStatus="STOPPED"))
    seen(admin, lambda: len(tasks_of(app, desiredStatus="STOPPED")) > 1)
    assert task(app, stopped[0])["stopCode"] == "EssentialContainerExited"
    # They ran: no failed start, and the deployment stays completed.
    (deployment,) = service(app, "s")["deployments"]
    assert deployment["failedTasks"] == 0


@pytest.mark.inferred
def test_failing_starts_are_slowed_down(app: Any, admin: AdminClient) -> None:
    register(app, "app", container(command=["no-such-program"]))
    create(app)
    began = time.monotonic()
    seen(admin, lambda: service(app, "s")["deployments"][0]["failedTasks"] >= 3)
    took = time.monotonic() - began
    # 0.25 s after the first and 0.5 s after the second.
    assert took > 0.6
    created = [
        item["createdAt"].timestamp()
        for item in app.describe_tasks(tasks=tasks_of(app, desiredStatus="STOPPED"))["tasks"]
    ]
    gaps = [later - earlier for earlier, later in pairwise(sorted(created))]
    assert gaps == sorted(gaps)
    assert service(app, "s")["runningCount"] == 0
    assert not any("steady" in message for message in messages(service(app, "s")))


@pytest.mark.inferred
def test_clock_brings_the_next_start(app: Any, admin: AdminClient) -> None:
    register(app, "app", container(command=["no-such-program"]))
    create(app)

    def failed() -> int:
        return int(service(app, "s")["deployments"][0]["failedTasks"])

    seen(admin, lambda: failed() >= 1)
    for _ in range(8):
        before = failed()
        admin.advance_clock(60)
        seen(admin, lambda before=before: failed() > before)


def test_failing_starts_end_with_a_good_definition(app: Any) -> None:
    register(app, "bad", container(command=["no-such-program"]))
    create(app, 2, taskDefinition="bad")
    app.update_service(service="s", taskDefinition="app")
    wait_stable(app, "s")
    assert service(app, "s")["deployments"][0]["failedTasks"] == 0


@pytest.mark.parametrize(
    ("minimum", "maximum", "lowest", "highest"),
    [(100, 200, 4, 8), (50, 100, 2, 4), (100, 125, 4, 5), (0, 100, 0, 4), (75, 150, 3, 6)],
)
def test_rolling_update(
    app: Any, admin: AdminClient, minimum: int, maximum: int, lowest: int, highest: int
) -> None:
    configuration = {"minimumHealthyPercent": minimum, "maximumPercent": maximum}
    create(app, 4, deploymentConfiguration=configuration)
    wait_stable(app, "s")
    old = tasks_of(app)
    already = len(list(moments(admin)))
    updated = app.update_service(service="s", forceNewDeployment=True)["service"]
    new_deployment = updated["deployments"][0]["id"]
    wait_stable(app, "s")
    assert not set(tasks_of(app)) & set(old)
    wait_stopped(app, *old)
    reason = f"Scaling activity initiated by (deployment {new_deployment})"
    for item in app.describe_tasks(tasks=old)["tasks"]:
        assert item["stopCode"] == "ServiceSchedulerInitiated"
        assert item["stoppedReason"] == reason
    states = list(moments(admin))[already:]
    assert min(healthy for healthy, _ in states) >= lowest
    assert max(existing for _, existing in states) <= highest
    assert messages(service(app, "s"))[:2] == [
        "has reached a steady state.",
        f"(deployment {new_deployment}) deployment completed.",
    ]


def test_percentages_that_block_a_rollout(app: Any, admin: AdminClient) -> None:
    configuration = {"minimumHealthyPercent": 100, "maximumPercent": 100}
    create(app, 2, deploymentConfiguration=configuration)
    wait_stable(app, "s")
    old = set(tasks_of(app))
    app.update_service(service="s", forceNewDeployment=True)
    blocked = (
        "was unable to stop or start tasks during a deployment because of the service deployment "
        "configuration. Update the minimumHealthyPercent or maximumPercent value and try again."
    )
    seen(admin, lambda: blocked in messages(service(app, "s")))
    assert set(tasks_of(app)) == old
    app.update_service(service="s", deploymentConfiguration={"maximumPercent": 150})
    wait_stable(app, "s")
    assert not set(tasks_of(app)) & old
    assert messages(service(app, "s")).count(blocked) == 1


def test_update_of_an_update(app: Any) -> None:
    create(app, 3)
    for _ in range(4):
        register(app, "app", container(command=SLEEP))
        app.update_service(service="s", taskDefinition="app")
    wait_stable(app, "s")
    (deployment,) = service(app, "s")["deployments"]
    assert deployment["taskDefinition"].endswith("/app:5")
    described = app.describe_tasks(tasks=tasks_of(app))["tasks"]
    assert {item["taskDefinitionArn"] for item in described} == {deployment["taskDefinition"]}


@pytest.mark.captured
def test_update_at_count_zero(app: Any) -> None:
    create(app, 0)
    wait_stable(app, "s")
    updated = app.update_service(service="s", forceNewDeployment=True)["service"]
    assert len(updated["deployments"]) == 2
    wait_stable(app, "s")
    assert service(app, "s")["deployments"][0]["rolloutState"] == "COMPLETED"


@pytest.mark.inferred
def test_scaling_in_stops_the_newest(app: Any) -> None:
    create(app, 1)
    wait_stable(app, "s")
    (first,) = tasks_of(app)
    app.update_service(service="s", desiredCount=3)
    wait_stable(app, "s")
    app.update_service(service="s", desiredCount=1)
    wait_stable(app, "s")
    assert tasks_of(app) == [first]


@pytest.mark.captured
def test_scaling_of_pending_tasks(app: Any, admin: AdminClient) -> None:
    wait = [{"containerName": "first", "condition": "COMPLETE"}]
    first = container("first", essential=False, command=SLEEP)
    register(app, "app", first, container(dependsOn=wait))
    create(app, 2)
    seen(admin, lambda: service(app, "s")["pendingCount"] == 2)
    app.update_service(service="s", desiredCount=0)
    seen(admin, lambda: not tasks_of(app))
    assert "stopped 2 pending tasks." in messages(service(app, "s"))


def test_at_most_a_hundred_events(app: Any, admin: AdminClient) -> None:
    create(app, 0)
    for count in [1, 0] * 60:
        app.update_service(service="s", desiredCount=count)
        seen(admin, lambda count=count: service(app, "s")["runningCount"] == count)
    events = service(app, "s")["events"]
    assert len(events) == 100
    created = [event["createdAt"] for event in events]
    assert created == sorted(created, reverse=True)
