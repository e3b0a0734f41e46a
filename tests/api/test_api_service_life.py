"""The life of a service: seen, steady or failing, deleted (ecs-facts 7.3, 7.5-7.7)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from api_steps import NETWORK
from api_steps import SLEEP
from api_steps import container
from api_steps import messages
from api_steps import refusal
from api_steps import register
from api_steps import register_fargate
from api_steps import seen
from api_steps import service
from api_steps import task
from api_steps import wait_stable
from botocore.exceptions import ClientError
from service_steps import INVALID
from service_steps import PREFIX
from service_steps import create
from service_steps import wait_steady

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.documented


@pytest.fixture
def app(cluster: Any) -> Any:
    """A client in an account with a cluster and the families app and far."""
    register(cluster, "app", container(command=SLEEP))
    register_fargate(cluster, "far")
    return cluster


@pytest.mark.inferred
def test_describe(app: Any) -> None:
    arn = create(app, tags=[{"key": "a", "value": "b"}])["serviceArn"]
    answer = app.describe_services(services=["s", arn, "none", arn.replace("/s", "/none")])
    assert [item["serviceArn"] for item in answer["services"]] == [arn]
    assert answer["services"][0]["tags"] == []
    assert answer["failures"] == [{"arn": arn.replace("/s", "/none"), "reason": "MISSING"}]
    assert service(app, arn)["tags"] == [{"key": "a", "value": "b"}]
    assert refusal(app.describe_services, services=[])[0] == INVALID
    assert refusal(app.describe_services, services=["s"] * 11)[0] == INVALID
    other = PREFIX + "service/other/s"
    assert refusal(app.describe_services, services=[other]) == (
        INVALID,
        "Identifier is for other. Your cluster is default",
    )


@pytest.mark.captured
def test_list(app: Any) -> None:
    create(app, "a", desiredCount=0)
    create(
        app,
        "b",
        desiredCount=0,
        taskDefinition="far",
        launchType="FARGATE",
        networkConfiguration=NETWORK,
    )

    def listed(**params: Any) -> list[str]:
        arns = app.list_services(**params)["serviceArns"]
        return [arn.rpartition("/")[2] for arn in arns]

    assert listed() == ["a", "b"]
    assert listed(launchType="FARGATE") == ["b"]
    assert listed(schedulingStrategy="REPLICA") == ["a", "b"]
    assert listed(schedulingStrategy="DAEMON") == []
    assert refusal(app.list_services, schedulingStrategy="X")[0] == INVALID
    app.delete_service(service="a")
    assert listed() == ["b"]
    for number in range(12):
        create(app, f"c{number}", desiredCount=0)
    # Ten to a page, where others have a hundred.
    first = app.list_services()
    assert len(first["serviceArns"]) == 10
    assert len(app.list_services(nextToken=first["nextToken"])["serviceArns"]) == 3


@pytest.mark.captured
def test_unknown_service(app: Any) -> None:
    for reference in ("none", PREFIX + "service/default/none"):
        assert refusal(app.update_service, service=reference) == (
            "ServiceNotFoundException",
            "Service not found.",
        )
        with pytest.raises(ClientError) as caught:
            app.delete_service(service=reference)
        error = caught.value.response["Error"]
        assert error["Code"] == "ServiceNotFoundException"
        # Here ECS sends no message at all (ecs-facts 7.5).
        assert not error.get("Message")


@pytest.mark.inferred
def test_name_of_a_draining_service(app: Any) -> None:
    stubborn = ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"]
    register(app, "slow", container(command=stubborn, stopTimeout=2))
    create(app, taskDefinition="slow")
    wait_stable(app, "s")
    app.delete_service(service="s", force=True)
    request = {"serviceName": "s", "taskDefinition": "app", "desiredCount": 1}
    assert refusal(app.create_service, **request) == (
        INVALID,
        "Unable to Start a service that is still Draining.",
    )
    assert refusal(app.update_service, service="s", desiredCount=2) == (
        "ServiceNotActiveException",
        "Service was not ACTIVE.",
    )
    assert service(app, "s")["status"] == "DRAINING"
    assert app.delete_service(service="s")["service"]["status"] == "DRAINING"


@pytest.mark.captured
def test_delete(app: Any, admin: AdminClient) -> None:
    create(app)
    wait_stable(app, "s")
    assert refusal(app.delete_service, service="s") == (
        INVALID,
        "The service cannot be stopped while it is scaled above 0.",
    )
    (arn,) = app.list_tasks(serviceName="s")["taskArns"]
    deleted = app.delete_service(service="s", force=True)["service"]
    assert (deleted["status"], deleted["desiredCount"]) == ("DRAINING", 0)
    app.get_waiter("services_inactive").wait(services=["s"])
    described = service(app, "s")
    assert described["status"] == "INACTIVE"
    assert (described["events"], described["deployments"]) == ([], [])
    ended = task(app, arn)
    assert ended["stopCode"] == "ServiceSchedulerInitiated"
    with pytest.raises(ClientError):
        app.delete_service(service="s")
    # Its name is free again.
    assert create(app)["status"] == "ACTIVE"


@pytest.mark.captured
def test_events_of_scaling_in(app: Any, admin: AdminClient) -> None:
    create(app)
    wait_stable(app, "s")
    (arn,) = app.list_tasks(serviceName="s")["taskArns"]
    app.update_service(service="s", desiredCount=0)
    # A steady state before that would be of the old count.
    seen(admin, lambda: not app.list_tasks(serviceName="s")["taskArns"])
    wait_steady(app, admin)
    stopped = f"has stopped 1 running tasks: (task {arn.rpartition('/')[2]})."
    assert stopped in messages(service(app, "s"))


def ended(app: Any) -> list[Any]:
    """The tasks of the service s that have stopped, oldest first."""
    arns = app.list_tasks(serviceName="s", desiredStatus="STOPPED")["taskArns"]
    tasks = app.describe_tasks(tasks=arns)["tasks"] if arns else []
    return sorted(tasks, key=lambda item: item["createdAt"])


@pytest.mark.inferred
@pytest.mark.parametrize("code", [0, 1])
def test_tasks_that_exit_at_once_are_no_steady_state(
    app: Any, admin: AdminClient, code: int
) -> None:
    register(app, "app", container(command=["sh", "-c", f"exit {code}"]))
    create(app)
    seen(admin, lambda: len(ended(app)) >= 3)
    described = service(app, "s")
    assert described["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert all(message.startswith("has started 1 tasks") for message in messages(described))


@pytest.mark.inferred
def test_tasks_that_exit_at_once_do_not_replace_those_that_run(
    app: Any, admin: AdminClient
) -> None:
    create(app)
    wait_steady(app, admin)
    (old,) = app.list_tasks(serviceName="s")["taskArns"]
    register(app, "app", container(command=["sh", "-c", "exit 1"]))
    app.update_service(service="s", taskDefinition="app")
    seen(admin, lambda: len(ended(app)) >= 3)
    states = [d["rolloutState"] for d in service(app, "s")["deployments"]]
    assert states == ["IN_PROGRESS", "COMPLETED"]
    assert task(app, old)["desiredStatus"] == "RUNNING"


@pytest.mark.inferred
def test_tasks_that_exit_at_once_are_replaced_after_growing_pauses(
    app: Any, admin: AdminClient
) -> None:
    register(app, "app", container(command=["sh", "-c", "exit 1"]))
    create(app)
    tasks = seen(admin, lambda: ended(app)[3:] and ended(app))
    pauses = [
        (later["createdAt"] - earlier["stoppedAt"]).total_seconds()
        for earlier, later in pairwise(tasks)
    ]
    # Wire times have milliseconds.
    for pause, least in zip(pauses, (0.05, 0.1, 0.2), strict=False):
        assert pause > least - 0.002


def test_delete_when_scaled_to_nothing(app: Any, admin: AdminClient) -> None:
    create(app, desiredCount=0)
    app.delete_service(service="s")
    seen(admin, lambda: service(app, "s")["status"] == "INACTIVE")
    admin.advance_clock(3601)
    failures = app.describe_services(services=["s"])["failures"]
    assert [failure["reason"] for failure in failures] == ["MISSING"]


def test_tags_of_tasks(app: Any) -> None:
    register(app, "app", container(command=SLEEP), tags=[{"key": "d", "value": "1"}])
    tags = [{"key": "s", "value": "1"}]
    managed = [
        {"key": "aws:ecs:clusterName", "value": "default"},
        {"key": "aws:ecs:serviceName", "value": "one"},
    ]
    create(app, "one", tags=tags, propagateTags="SERVICE", enableECSManagedTags=True)
    create(app, "two", tags=tags, propagateTags="TASK_DEFINITION")
    create(app, "three", tags=tags)
    wait_stable(app, "one", "two", "three")
    expected = {"one": tags + managed, "two": [{"key": "d", "value": "1"}], "three": []}
    for name, wanted in expected.items():
        (arn,) = app.list_tasks(serviceName=name)["taskArns"]
        assert task(app, arn)["tags"] == wanted
    app.update_service(service="three", propagateTags="SERVICE", forceNewDeployment=True)
    wait_stable(app, "three")
    (arn,) = app.list_tasks(serviceName="three")["taskArns"]
    assert task(app, arn)["tags"] == tags
