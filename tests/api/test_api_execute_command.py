"""ExecuteCommand: its checks, and the agents that tasks show for it (ecs-facts 15)."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import SLEEP
from api_steps import container
from api_steps import refusal
from api_steps import register
from api_steps import run
from api_steps import seen
from api_steps import service
from api_steps import task
from api_steps import wait_running
from api_steps import wait_stable
from api_steps import wait_stopped

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.inferred

INVALID = "InvalidParameterException"
NOT_ENABLED = (
    INVALID,
    "The execute command failed because execute command was not enabled when the task was run or "
    "the execute command agent isn\u2019t running. Wait and try again or run a new task with "
    "execute command enabled and try again.",
)
UNKNOWN = (INVALID, "The referenced task was not found.")


@pytest.fixture
def app(cluster: Any) -> Any:
    """A client in an account with a cluster and the families one and two, of so many containers."""
    one, two = container(command=SLEEP), container("side", command=SLEEP, essential=False)
    register(cluster, "one", one)
    register(cluster, "two", one, two)
    return cluster


def started(app: Any, family: str, **params: Any) -> str:
    """The ARN of a running task."""
    arn = str(run(app, family, **params)["taskArn"])
    wait_running(app, arn)
    return arn


def attempt(app: Any, arn: str, **params: Any) -> tuple[str, str]:
    request = {"task": arn, "command": "ls", "interactive": True, **params}
    return refusal(app.execute_command, **request)


def test_unknown(app: Any) -> None:
    arn = started(app, "one", enableExecuteCommand=True)
    identifier = arn.rpartition("/")[2]
    assert attempt(app, arn, cluster="none") == ("ClusterNotFoundException", "Cluster not found.")
    assert attempt(app, "0" * 32) == UNKNOWN
    assert attempt(app, arn.replace(identifier, "0" * 32)) == UNKNOWN
    assert attempt(app, "x") == (INVALID, "task length should be one of [32,36]")


def test_missing_parameters(app: Any) -> None:
    for name in ("command", "interactive", "task"):
        code, message = attempt(app, "0" * 32, **{name: None})
        assert (code, message) == (INVALID, f"{name} can not be null.")


def test_not_enabled(app: Any) -> None:
    assert attempt(app, started(app, "one")) == NOT_ENABLED
    assert "managedAgents" not in task(app, started(app, "one"))["containers"][0]


def test_not_running(app: Any) -> None:
    """These words are ours."""
    arn = started(app, "one", enableExecuteCommand=True)
    app.stop_task(task=arn)
    wait_stopped(app, arn)
    assert attempt(app, arn) == (
        INVALID,
        "The execute command failed because the task is not running.",
    )


def test_containers(app: Any, admin: AdminClient) -> None:
    """These words are ours."""
    arn = started(app, "two", enableExecuteCommand=True)
    assert attempt(app, arn) == (
        INVALID,
        "The name of a container must be given, because the task has more than one.",
    )
    assert attempt(app, arn, container="none") == (
        INVALID,
        "The task has no container named 'none'.",
    )


def test_mode_and_command(app: Any) -> None:
    """These words are ours."""
    arn = started(app, "one", enableExecuteCommand=True)
    assert attempt(app, arn, interactive=False) == (
        INVALID,
        "Interactive is the only mode supported currently.",
    )
    for command in ("", "  "):
        assert attempt(app, arn, command=command) == (INVALID, "The command must not be empty.")


def test_order_of_checks(app: Any) -> None:
    arn = started(app, "two")
    wrong: dict[str, Any] = {"interactive": False, "command": "", "container": "none"}
    assert attempt(app, arn, **wrong) == NOT_ENABLED
    arn = started(app, "two", enableExecuteCommand=True)
    assert "no container" in attempt(app, arn, **wrong)[1]
    wrong["container"] = "side"
    assert attempt(app, arn, **wrong)[1].startswith("Interactive")
    wrong["interactive"] = True
    assert attempt(app, arn, **wrong)[1].startswith("The command")


@pytest.mark.ours
@pytest.mark.parametrize("params", [{}, {"container": "app"}], ids=str)
def test_the_session_is_not_there_yet(app: Any, params: dict[str, Any]) -> None:
    arn = started(app, "one", enableExecuteCommand=True)
    with pytest.raises(app.exceptions.ClientError) as caught:
        app.execute_command(task=arn, command="ls", interactive=True, **params)
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert answer["Error"]["Code"] == "NotImplementedException"
    assert "kecs.exec(task, command)" in answer["Error"]["Message"]


def agents(app: Any, arn: str) -> dict[str, Any]:
    containers = task(app, arn)["containers"]
    return {item["name"]: item.get("managedAgents") for item in containers}


@pytest.mark.documented
def test_agents(app: Any, admin: AdminClient) -> None:
    register(
        app,
        "agents",
        container(command=SLEEP),
        container("side", command=["true"], essential=False),
    )
    answer = run(app, "agents", enableExecuteCommand=True)
    pending = [{"name": "ExecuteCommandAgent", "lastStatus": "PENDING"}]
    assert [item["managedAgents"] for item in answer["containers"]] == [pending, pending]
    arn = answer["taskArn"]
    wait_running(app, arn)
    found = seen(
        admin,
        lambda: (found := agents(app, arn))["side"][0]["lastStatus"] == "STOPPED" and found,
    )
    (agent,) = found["app"]
    assert (agent["name"], agent["lastStatus"]) == ("ExecuteCommandAgent", "RUNNING")
    assert agent["lastStartedAt"] >= answer["createdAt"]
    assert attempt(app, arn, container="side") == NOT_ENABLED
    app.stop_task(task=arn)
    wait_stopped(app, arn)
    assert agents(app, arn)["app"][0]["lastStatus"] == "STOPPED"


@pytest.mark.documented
def test_tasks_of_a_service(app: Any) -> None:
    app.create_service(
        serviceName="s", taskDefinition="one", desiredCount=1, enableExecuteCommand=True
    )
    wait_stable(app, "s")
    (arn,) = app.list_tasks(serviceName="s")["taskArns"]
    assert agents(app, arn)["app"][0]["lastStatus"] == "RUNNING"
    assert service(app, "s")["enableExecuteCommand"] is True
