"""Tasks from start to stop as DescribeTasks and ListTasks show them (ecs-facts 5.7-5.9, 6)."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import NETWORK
from api_steps import SLEEP
from api_steps import container
from api_steps import refusal
from api_steps import register
from api_steps import register_fargate
from api_steps import run
from api_steps import seen
from api_steps import service
from api_steps import task
from api_steps import wait_running
from api_steps import wait_stable
from api_steps import wait_stopped

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.captured

INVALID = "InvalidParameterException"
PREFIX = "arn:aws:ecs:us-east-1:123456789012:task/default/"


@pytest.fixture
def app(cluster: Any) -> Any:
    """A client in an account with a cluster and the family app, which sleeps."""
    register(cluster, "app", container(command=SLEEP))
    return cluster


def test_life_of_a_task_that_ends(app: Any) -> None:
    register(app, "end", container(command=["sh", "-c", "exit 3"]))
    arn = run(app, "end")["taskArn"]
    wait_stopped(app, arn)
    ended = task(app, arn)
    assert (ended["lastStatus"], ended["desiredStatus"]) == ("STOPPED", "STOPPED")
    assert ended["stopCode"] == "EssentialContainerExited"
    assert ended["stoppedReason"] == "Essential container in task exited"
    (described,) = ended["containers"]
    assert (described["lastStatus"], described["exitCode"]) == ("STOPPED", 3)
    assert "reason" not in described
    times = [
        ended[name]
        for name in (
            "createdAt",
            "pullStartedAt",
            "pullStoppedAt",
            "startedAt",
            "stoppingAt",
            "stoppedAt",
        )
    ]
    assert times == sorted(times)
    assert ended["executionStoppedAt"] >= ended["startedAt"]


@pytest.mark.parametrize("launch_type", ["EC2", "FARGATE"])
def test_failed_pull(app: Any, admin: AdminClient, launch_type: str) -> None:
    admin.map_image("busybox*", {"pull_error": "manifest unknown"})
    register_fargate(app, "far")
    arn = run(app, "far", launchType=launch_type, networkConfiguration=NETWORK)["taskArn"]
    wait_stopped(app, arn)
    ended = task(app, arn)
    (described,) = ended["containers"]
    assert described["reason"].startswith("CannotPullContainerError: ")
    assert "manifest unknown" in described["reason"]
    assert "exitCode" not in described
    assert "startedAt" not in ended
    assert ended["stopCode"] == "TaskFailedToStart"
    if launch_type == "FARGATE":
        assert ended["stoppedReason"] == described["reason"]
        assert ended["attachments"][0]["status"] == "DELETED"
    else:
        assert ended["stoppedReason"] == "Task failed to start"


@pytest.mark.inferred
def test_failed_pull_of_a_container_that_is_not_essential(app: Any, admin: AdminClient) -> None:
    admin.map_image("broken", {"pull_error": "no"})
    side = container("side", image="broken", essential=False)
    register(app, "two", container(command=SLEEP), side)
    arn = run(app, "two")["taskArn"]
    wait_running(app, arn)
    states = {item["name"]: item["lastStatus"] for item in task(app, arn)["containers"]}
    assert states == {"app": "RUNNING", "side": "STOPPED"}


@pytest.mark.documented
@pytest.mark.parametrize(
    "command",
    [["no-such-program"], ["/"], ["x" * 300]],
    ids=["missing", "folder", "long"],
)
def test_command_that_cannot_start(app: Any, command: list[str]) -> None:
    register(app, "bad", container(command=command))
    arn = run(app, "bad")["taskArn"]
    wait_stopped(app, arn)
    ended = task(app, arn)
    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["containers"][0]["reason"].startswith("CannotStartContainerError: ")
    assert "exitCode" not in ended["containers"][0]


@pytest.mark.inferred
@pytest.mark.parametrize(
    "environment",
    [
        [{"name": "é", "value": "\U0001f40b"}],
        [{"name": "A"}],
    ],
    ids=str,
)
def test_odd_variables_never_hang_a_task(app: Any, environment: list[dict[str, str]]) -> None:
    register(app, "odd", container(command=["true"], environment=environment))
    arn = run(app, "odd")["taskArn"]
    wait_stopped(app, arn)
    assert task(app, arn)["stopCode"] in ("EssentialContainerExited", "TaskFailedToStart")


def test_stop(app: Any) -> None:
    arn = run(app, "app", tags=[{"key": "a", "value": "b"}])["taskArn"]
    wait_running(app, arn)
    stopping = app.stop_task(task=arn, reason="Ärger")["task"]
    assert (stopping["desiredStatus"], stopping["lastStatus"]) == ("STOPPED", "RUNNING")
    assert (stopping["stopCode"], stopping["stoppedReason"]) == ("UserInitiated", "Ärger")
    assert "stoppingAt" in stopping
    assert "stoppedAt" not in stopping
    assert stopping["tags"] == []
    wait_stopped(app, arn)
    ended = task(app, arn)
    assert ended["containers"][0]["exitCode"] == 143
    assert (ended["stopCode"], ended["stoppedReason"]) == ("UserInitiated", "Ärger")
    # Already stopped: unchanged.
    again = app.stop_task(task=arn, reason="other")["task"]
    assert again["stoppedReason"] == "Ärger"
    assert again["lastStatus"] == "STOPPED"


def test_stop_at_once(app: Any) -> None:
    for _ in range(10):
        arn = run(app, "app")["taskArn"]
        assert app.stop_task(task=arn)["task"]["stoppedReason"] == "Task stopped by user"
        wait_stopped(app, arn)
        ended = task(app, arn)
        assert ended["stopCode"] == "UserInitiated"
        assert "stoppedAt" in ended


@pytest.mark.inferred
def test_stop_while_it_stops(app: Any) -> None:
    stubborn = ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"]
    register(app, "slow", container(command=stubborn, stopTimeout=2))
    arn = run(app, "slow")["taskArn"]
    wait_running(app, arn)
    app.stop_task(task=arn, reason="one")
    assert app.stop_task(task=arn, reason="two")["task"]["stoppedReason"] == "one"


@pytest.mark.parametrize("operation", ["stop", "describe"])
@pytest.mark.parametrize("reference", ["", "abc", "x" * 33, PREFIX + "abc"])
def test_bad_ids(app: Any, operation: str, reference: str) -> None:
    message = "taskId length should be one of [32,36]"
    if operation == "stop":
        refused = refusal(app.stop_task, task=reference)
    else:
        refused = refusal(app.describe_tasks, tasks=[reference])
    assert refused == (INVALID, message)


def test_unknown_task(app: Any) -> None:
    for reference in ("0" * 32, "0" * 36, PREFIX + "0" * 32):
        assert refusal(app.stop_task, task=reference) == (
            INVALID,
            "The referenced task was not found.",
        )


@pytest.mark.inferred
def test_task_of_another_cluster(app: Any) -> None:
    app.create_cluster(clusterName="other")
    arn = run(app, "app")["taskArn"]
    assert refusal(app.stop_task, task=arn, cluster="other") == (
        INVALID,
        "Identifier is for default. Your cluster is other",
    )
    failures = app.describe_tasks(tasks=[arn.rpartition("/")[2]], cluster="other")["failures"]
    assert [failure["reason"] for failure in failures] == ["MISSING"]


def test_describe(app: Any) -> None:
    arn = run(app, "app")["taskArn"]
    unknown = PREFIX + "0" * 32
    answer = app.describe_tasks(tasks=[arn, arn.rpartition("/")[2], unknown, "0" * 32])
    assert [item["taskArn"] for item in answer["tasks"]] == [arn]
    assert answer["failures"] == [{"arn": unknown, "reason": "MISSING"}]
    assert refusal(app.describe_tasks, tasks=[]) == (INVALID, "Tasks cannot be empty.")
    assert refusal(app.describe_tasks, tasks=["0" * 32] * 101)[0] == INVALID
    assert refusal(app.describe_tasks, tasks=[arn], include=["X"])[0] == "ClientException"


@pytest.mark.documented
def test_stopped_tasks_are_forgotten(app: Any, admin: AdminClient) -> None:
    register(app, "end", container(command=["true"]))
    arn, other = run(app, "end")["taskArn"], run(app, "app")["taskArn"]
    wait_stopped(app, arn)
    admin.advance_clock(3590)
    assert task(app, arn)["lastStatus"] == "STOPPED"
    assert app.list_tasks(desiredStatus="STOPPED")["taskArns"] == [arn]
    admin.advance_clock(11)
    answer = app.describe_tasks(tasks=[arn, other])
    assert [item["taskArn"] for item in answer["tasks"]] == [other]
    assert answer["failures"] == [{"arn": arn, "reason": "MISSING"}]
    assert app.list_tasks(desiredStatus="STOPPED")["taskArns"] == []
    assert refusal(app.stop_task, task=arn) == (INVALID, "The referenced task was not found.")


@pytest.mark.documented
def test_list(app: Any, admin: AdminClient) -> None:
    register_fargate(app, "far")
    app.create_service(serviceName="s", taskDefinition="app", desiredCount=1)
    wait_stable(app, "s")
    of_app = run(app, "app", startedBy="me")["taskArn"]
    of_far = run(app, "far", launchType="FARGATE", networkConfiguration=NETWORK)["taskArn"]
    gone = run(app, "app")["taskArn"]
    app.stop_task(task=gone)
    (of_service,) = app.list_tasks(serviceName="s")["taskArns"]
    instance = task(app, of_app)["containerInstanceArn"]
    deployment = service(app, "s")["deployments"][0]["id"]

    def listed(**params: Any) -> set[str]:
        return set(app.list_tasks(**params)["taskArns"])

    assert listed() == {of_app, of_far, of_service}
    assert listed(desiredStatus="RUNNING") == listed()
    assert listed(desiredStatus="PENDING") == set()
    # Also while it is still stopping.
    assert listed(desiredStatus="STOPPED") == {gone}
    assert listed(family="far") == {of_far}
    assert listed(family="fa") == set()
    assert listed(startedBy="me") == {of_app}
    assert listed(startedBy=deployment) == {of_service}
    assert listed(launchType="FARGATE") == {of_far}
    assert listed(launchType="EC2") == {of_app, of_service}
    assert listed(containerInstance=instance) == {of_app, of_service}
    assert listed(containerInstance=instance.rpartition("/")[2]) == {of_app, of_service}
    assert listed(containerInstance="0" * 32) == set()
    assert listed(family="app", launchType="EC2", desiredStatus="STOPPED") == {gone}
    assert refusal(app.list_tasks, serviceName="none") == (
        "ServiceNotFoundException",
        "Service not found.",
    )
    assert refusal(app.list_tasks, desiredStatus="GONE")[0] == INVALID
    assert refusal(app.list_tasks, startedBy="me", family="app")[0] == INVALID


@pytest.mark.documented
def test_pending_tasks_are_listed_as_running(app: Any) -> None:
    wait = [{"containerName": "first", "condition": "COMPLETE"}]
    first = container("first", essential=False, command=SLEEP)
    register(app, "wait", first, container(dependsOn=wait))
    arn = run(app, "wait")["taskArn"]
    assert app.list_tasks()["taskArns"] == [arn]
    assert task(app, arn)["lastStatus"] == "PENDING"


def test_versions_grow(app: Any, admin: AdminClient) -> None:
    arn = run(app, "app")["taskArn"]
    seen_versions = [1]
    wait_running(app, arn)
    seen_versions.append(task(app, arn)["version"])
    app.stop_task(task=arn)
    seen(admin, lambda: task(app, arn)["lastStatus"] == "STOPPED")
    seen_versions.append(task(app, arn)["version"])
    assert seen_versions == sorted(set(seen_versions))
