"""What the agent of a container instance calls. The checks play the agent."""

from __future__ import annotations

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Members
from pytest_kecs.conformance.checks import Refusal
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.checks import expect_members
from pytest_kecs.conformance.checks import expect_true
from pytest_kecs.conformance.checks import refusals
from pytest_kecs.conformance.steps import NOWHERE
from pytest_kecs.conformance.steps import definition
from pytest_kecs.conformance.steps import fargate_definition
from pytest_kecs.conformance.steps import made_cluster
from pytest_kecs.conformance.steps import made_instance

_FAMILY = "agent calls"
_SOURCE = "ecs-facts 12.5"
_INVALID = "InvalidParameterException"


def _task(account: Account, cluster: str, asked: Members, **members: object) -> Members:
    """A task on an instance that has the check for its agent."""
    arn = made_instance(account, cluster)["containerInstanceArn"]
    account.call("DiscoverPollEndpoint", cluster=cluster, containerInstance=arn)
    made = account.call("RegisterTaskDefinition", **asked)["taskDefinition"]["taskDefinitionArn"]
    where = {"cluster": cluster, "containerInstances": [arn]}
    [task] = account.call("StartTask", taskDefinition=made, **where, **members)["tasks"]
    found: Members = task
    return found


def _seen(account: Account, cluster: str, task: Members) -> Members:
    [seen] = account.call("DescribeTasks", cluster=cluster, tasks=[task["taskArn"]])["tasks"]
    found: Members = seen
    return found


def _acknowledged(answer: Members) -> None:
    expect_true("there is an acknowledgment", came=bool(answer["acknowledgment"]))


@check(_FAMILY, "DiscoverPollEndpoint", "Says where to poll", _SOURCE, basis="documented")
def discovers(account: Account) -> None:
    answer = account.call("DiscoverPollEndpoint", cluster=made_cluster(account))
    for name in ("endpoint", "telemetryEndpoint"):
        expect_true(f"{name} is a URL", came=answer[name].startswith("http"))


@check(
    _FAMILY,
    "SubmitContainerStateChange",
    "The task is as its container",
    _SOURCE,
    basis="documented",
    needs_tasks=True,
)
def reports_containers(account: Account) -> None:
    cluster = made_cluster(account)
    task = _task(account, cluster, definition(account))
    report = {"cluster": cluster, "task": task["taskArn"], "containerName": "app"}
    running = account.call(
        "SubmitContainerStateChange", status="RUNNING", runtimeId="docker-id", **report
    )
    _acknowledged(running)
    seen = _seen(account, cluster, task)
    expect("status", seen["lastStatus"], "RUNNING")
    wanted = {"lastStatus": "RUNNING", "runtimeId": "docker-id"}
    expect_members("container", seen["containers"][0], wanted)
    account.call("SubmitContainerStateChange", status="STOPPED", exitCode=3, **report)
    seen = _seen(account, cluster, task)
    wanted = {"lastStatus": "STOPPED", "stopCode": "EssentialContainerExited"}
    expect_members("task", seen, wanted)
    expect("exit code", seen["containers"][0]["exitCode"], 3)


@check(
    _FAMILY,
    "SubmitTaskStateChange",
    "A task that could not start, for the agent's reason",
    _SOURCE,
    basis="documented",
    needs_tasks=True,
)
def reports_tasks(account: Account) -> None:
    cluster = made_cluster(account)
    task = _task(account, cluster, definition(account))
    reason = "CannotPullContainerError: none"
    _acknowledged(
        account.call(
            "SubmitTaskStateChange",
            cluster=cluster,
            task=task["taskArn"],
            status="STOPPED",
            reason=reason,
        )
    )
    wanted = {"lastStatus": "STOPPED", "stopCode": "TaskFailedToStart", "stoppedReason": reason}
    expect_members("task", _seen(account, cluster, task), wanted)


@check(
    _FAMILY,
    "SubmitAttachmentStateChanges",
    "An attached interface connects its task",
    _SOURCE,
    basis="documented",
    needs_tasks=True,
)
def reports_attachments(account: Account) -> None:
    cluster = made_cluster(account)
    asked = fargate_definition(account, requiresCompatibilities=["EC2"])
    inside = {"awsvpcConfiguration": {**account.network, "assignPublicIp": "DISABLED"}}
    task = _task(account, cluster, asked, networkConfiguration=inside)
    place = task["taskArn"].rpartition(":")[0]
    arn = f"{place}:attachment/{task['attachments'][0]['id']}"
    changes = [{"attachmentArn": arn, "status": "ATTACHED"}]
    answer = account.call("SubmitAttachmentStateChanges", cluster=cluster, attachments=changes)
    _acknowledged(answer)
    seen = _seen(account, cluster, task)
    expect("connectivity", seen["connectivity"], "CONNECTED")
    expect("attachment", seen["attachments"][0]["status"], "ATTACHED")


refusals(
    _FAMILY,
    [
        Refusal(
            operation,
            "unknown task",
            lambda account, more=more: {  # type: ignore[misc]
                "cluster": made_cluster(account),
                "task": NOWHERE,
                **more,
            },
            _INVALID,
            None,
            _SOURCE,
            "inferred",
        )
        for operation, more in (
            ("SubmitTaskStateChange", {"status": "STOPPED"}),
            ("SubmitContainerStateChange", {"status": "STOPPED", "containerName": "app"}),
            ("ExecuteCommand", {"command": "ls", "interactive": True}),
        )
    ],
)
