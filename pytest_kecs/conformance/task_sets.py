"""Task sets of services whose deployments something else controls. Those of these checks want no
tasks.
"""

from __future__ import annotations

from typing import Any

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Members
from pytest_kecs.conformance.checks import Refusal
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.checks import expect_members
from pytest_kecs.conformance.checks import expect_true
from pytest_kecs.conformance.checks import refusals
from pytest_kecs.conformance.steps import made_cluster
from pytest_kecs.conformance.steps import made_service
from pytest_kecs.conformance.steps import network
from pytest_kecs.conformance.steps import registered

_FAMILY = "task sets"
_SOURCE = "ecs-facts 9"
_INVALID = "InvalidParameterException"
_NOTHING = "ecs-svc/0000000000000000001"


def _service(account: Account) -> Members:
    """Names of a new service with the controller EXTERNAL, and of its cluster."""
    cluster = made_cluster(account)
    asked = {
        "cluster": cluster,
        "serviceName": account.name(),
        "desiredCount": 0,
        "deploymentController": {"type": "EXTERNAL"},
    }
    service = account.call("CreateService", **asked)["service"]
    return {"cluster": cluster, "service": service["serviceName"]}


def _request(account: Account, where: Members | None = None, **members: Any) -> Members:
    return {
        **(where or _service(account)),
        "taskDefinition": registered(account)["taskDefinitionArn"],
        "launchType": "FARGATE",
        **network(account),
        **members,
    }


def _made(
    account: Account, where: Members | None = None, **members: Any
) -> tuple[Members, Members]:
    """A new task set, and the names of its service and cluster."""
    where = where or _service(account)
    task_set: Members = account.call("CreateTaskSet", **_request(account, where, **members))[
        "taskSet"
    ]
    account.undo_with("DeleteTaskSet", {**where, "taskSet": task_set["id"], "force": True})
    return task_set, where


def _described(account: Account, where: Members, **members: Any) -> list[Members]:
    sets: list[Members] = account.call("DescribeTaskSets", **where, **members)["taskSets"]
    return sets


@check(
    _FAMILY,
    "CreateTaskSet",
    "ACTIVE, not primary by itself, with a share of the desired count",
    _SOURCE,
    basis="documented",
)
def creates(account: Account) -> None:
    scale = {"value": 50.0, "unit": "PERCENT"}
    task_set, _ = _made(account, scale=scale, externalId="x")
    counts = ("computedDesiredCount", "pendingCount", "runningCount")
    wanted = {"status": "ACTIVE", "scale": scale, "externalId": "x", **dict.fromkeys(counts, 0)}
    expect_members("taskSet", task_set, wanted)
    expect_true("the id is a deployment's", came=task_set["id"].startswith("ecs-svc/"))
    expect_true("the ARN ends in the id", came=task_set["taskSetArn"].endswith(task_set["id"]))


@check(
    _FAMILY,
    "DescribeTaskSets",
    "By id or ARN; tags only when included",
    "the model of DescribeTaskSets",
    basis="documented",
)
def describes(account: Account) -> None:
    tags = [{"key": "a", "value": "b"}]
    first, where = _made(account, tags=tags)
    second, _ = _made(account, where)
    both = [first["id"], second["id"]]
    came = _described(account, where, taskSets=both)
    expect("ids", sorted(each["id"] for each in came), sorted(both))
    (one,) = _described(account, where, taskSets=[first["taskSetArn"]], include=["TAGS"])
    expect_members("taskSet", one, {"id": first["id"], "tags": tags})
    (one,) = _described(account, where, taskSets=[first["id"]])
    expect("tags", one.get("tags") or [], [])


@check(
    _FAMILY,
    "DescribeTaskSets",
    "Unknown ones are failures: MISSING",
    _SOURCE,
    basis="documented",
)
def describes_missing(account: Account) -> None:
    answer = account.call("DescribeTaskSets", **_service(account), taskSets=[_NOTHING])
    expect("taskSets", answer["taskSets"], [])
    expect("reasons", [each["reason"] for each in answer["failures"]], ["MISSING"])


@check(
    _FAMILY,
    "UpdateServicePrimaryTaskSet",
    "The service shows what its primary task set has",
    _SOURCE,
    basis="documented",
)
def makes_primary(account: Account) -> None:
    first, where = _made(account)
    second, _ = _made(account, where)
    for chosen, other in ((first, second), (second, first)):
        answer = account.call("UpdateServicePrimaryTaskSet", **where, primaryTaskSet=chosen["id"])
        expect("status", answer["taskSet"]["status"], "PRIMARY")
        (service,) = account.call(
            "DescribeServices", cluster=where["cluster"], services=[where["service"]]
        )["services"]
        expect("taskDefinition", service["taskDefinition"], chosen["taskDefinition"])
        states = {each["id"]: each["status"] for each in service["taskSets"]}
        expect("states", states, {chosen["id"]: "PRIMARY", other["id"]: "ACTIVE"})


@check(_FAMILY, "UpdateTaskSet", "Changes the scale", _SOURCE, basis="documented")
def scales(account: Account) -> None:
    task_set, where = _made(account, scale={"value": 100.0, "unit": "PERCENT"})
    scale = {"value": 12.5, "unit": "PERCENT"}
    answer = account.call("UpdateTaskSet", **where, taskSet=task_set["id"], scale=scale)
    expect("scale", answer["taskSet"]["scale"], scale)


@check(_FAMILY, "DeleteTaskSet", "DRAINING, and then gone", _SOURCE, basis="documented")
def deletes(account: Account) -> None:
    task_set, where = _made(account)
    answer = account.call("DeleteTaskSet", **where, taskSet=task_set["id"], force=True)
    expect("status", answer["taskSet"]["status"], "DRAINING")
    named = [task_set["id"]]
    account.wait("the task set is gone", lambda: not _described(account, where, taskSets=named))


@check(
    _FAMILY,
    "CreateService",
    "Without deployments; the task definition is its task sets'",
    _SOURCE,
    basis="documented",
)
def services_of_task_sets(account: Account) -> None:
    where = _service(account)
    (service,) = account.call(
        "DescribeServices", cluster=where["cluster"], services=[where["service"]]
    )["services"]
    expect("deployments", service["deployments"], [])
    expect("taskSets", service.get("taskSets") or [], [])
    expect_true("no task definition", came="taskDefinition" not in service)


def _of_ecs(account: Account) -> Members:
    service = made_service(account)
    where = {"cluster": service["clusterArn"], "service": service["serviceName"]}
    return _request(account, where)


def _sixth(account: Account) -> Members:
    where = _service(account)
    for _ in range(5):
        _made(account, where)
    return _request(account, where)


def _other_arn(account: Account) -> Members:
    where = _service(account)
    arn = account.call("DescribeServices", cluster=where["cluster"], services=[where["service"]])[
        "services"
    ][0]["serviceArn"]
    return {**where, "taskSets": [arn]}


def _primary(account: Account) -> Members:
    task_set, where = _made(account)
    account.call("UpdateServicePrimaryTaskSet", **where, primaryTaskSet=task_set["id"])
    return {**where, "taskSet": task_set["id"], "force": True}


def _unknown(operation: str, member: str, **members: Any) -> Refusal:
    return Refusal(
        operation,
        "unknown task set",
        lambda account: {**_service(account), member: _NOTHING, **members},
        "TaskSetNotFoundException",
        "The specified task set does not exist.",
        _SOURCE,
        "inferred",
    )


def _of_nothing(account: Account) -> Members:
    return {"cluster": made_cluster(account), "service": account.name()}


refusals(
    _FAMILY,
    [
        Refusal(
            "CreateTaskSet",
            "a service whose controller is ECS",
            _of_ecs,
            _INVALID,
            "Amazon ECS only supports task set management on services configured to use external "
            "deployment controllers.",
            "hashicorp/terraform-provider-aws#30347",
        ),
        Refusal(
            "CreateTaskSet",
            "a sixth one",
            _sixth,
            _INVALID,
            "5 deployments exist on the service. Unable to create new TaskSet since this exceeds "
            "the maximum limit.",
            "aws-samples/ecs-bg-external-controller#6",
        ),
        Refusal(
            "DescribeTaskSets",
            "none named",
            _service,
            _INVALID,
            "TaskSets cannot be empty.",
            "aws/aws-cli#5380",
        ),
        Refusal(
            "DescribeTaskSets",
            "the ARN of something else",
            _other_arn,
            _INVALID,
            "Task Set Identifier is invalid",
            "boto/boto3#3895",
        ),
        Refusal(
            "DeleteTaskSet",
            "the primary one",
            _primary,
            _INVALID,
            "Primary TaskSet cannot be deleted",
            _SOURCE,
            "documented",
        ),
        Refusal(
            "DescribeTaskSets",
            "unknown service",
            _of_nothing,
            "ServiceNotFoundException",
            None,
            _SOURCE,
            "documented",
        ),
        _unknown("DeleteTaskSet", "taskSet"),
        _unknown("UpdateTaskSet", "taskSet", scale={"value": 1.0, "unit": "PERCENT"}),
        _unknown("UpdateServicePrimaryTaskSet", "primaryTaskSet"),
    ],
)
