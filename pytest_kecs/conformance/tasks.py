"""Tasks."""

from __future__ import annotations

from typing import Any

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Refusal
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.checks import expect_members
from pytest_kecs.conformance.checks import expect_true
from pytest_kecs.conformance.checks import refusals
from pytest_kecs.conformance.steps import made_cluster
from pytest_kecs.conformance.steps import network
from pytest_kecs.conformance.steps import pages
from pytest_kecs.conformance.steps import registered
from pytest_kecs.conformance.steps import started_task
from pytest_kecs.conformance.steps import task_with_status

_FAMILY = "tasks"
_INVALID = "InvalidParameterException"


@check(_FAMILY, "RunTask", "What a new task is", "ecs-facts 2.1, 6", needs_tasks=True)
def runs(account: Account) -> None:
    cluster = made_cluster(account)
    task = started_task(account, cluster, startedBy="me")
    wanted = {"desiredStatus": "RUNNING", "launchType": "FARGATE", "startedBy": "me"}
    expect_members("task", task, wanted)
    family = task["taskDefinitionArn"].rpartition("/")[2].partition(":")[0]
    expect("group", task["group"], f"family:{family}")
    expect("ARN", task["taskArn"].split(":")[5].split("/")[:2], ["task", cluster])
    expect("length of the id", len(task["taskArn"].rpartition("/")[2]), 32)
    overrides = {"containerOverrides": [{"name": "app"}], "inferenceAcceleratorOverrides": []}
    expect_members("task.overrides", task["overrides"], overrides)


@check(_FAMILY, "DescribeTasks", "RUNNING with a start time", "ecs-facts 6.2", needs_tasks=True)
def reaches_running(account: Account) -> None:
    cluster = made_cluster(account)
    arn = started_task(account, cluster)["taskArn"]
    task = task_with_status(account, cluster, arn, "RUNNING")
    expect_true("startedAt is after createdAt", came=task["startedAt"] >= task["createdAt"])
    expect("container", task["containers"][0]["lastStatus"], "RUNNING")


@check(
    _FAMILY, "StopTask", "UserInitiated, for the reason given", "ecs-facts 5.7", needs_tasks=True
)
def stops(account: Account) -> None:
    cluster = made_cluster(account)
    arn = started_task(account, cluster)["taskArn"]
    task = account.call("StopTask", cluster=cluster, task=arn, reason="enough")["task"]
    wanted = {"desiredStatus": "STOPPED", "stopCode": "UserInitiated", "stoppedReason": "enough"}
    expect_members("task", task, wanted)
    stopped = task_with_status(account, cluster, arn, "STOPPED")
    expect_true("stoppedAt is after stoppingAt", came=stopped["stoppedAt"] >= stopped["stoppingAt"])


@check(_FAMILY, "RunTask", "One clientToken, one task", "ecs-facts 5.2", needs_tasks=True)
def runs_once_for_a_token(account: Account) -> None:
    cluster = made_cluster(account)
    arn = registered(account)["taskDefinitionArn"]
    asked: dict[str, Any] = {"clientToken": account.name(), "taskDefinition": arn}
    first = started_task(account, cluster, **asked)
    again = started_task(account, cluster, **asked)
    expect("task", again["taskArn"], first["taskArn"])
    answer = account.ask(
        "RunTask",
        {"cluster": cluster, "launchType": "FARGATE", "count": 2, **asked, **network(account)},
    )
    expect("error", (answer.status, answer.code), (400, "ConflictException"))
    expect_true("resourceIds is there", came=bool(answer.body.get("resourceIds")))


@check(
    _FAMILY,
    "ListTasks",
    "By family and desiredStatus, in pages",
    "ecs-facts 5.9",
    basis="documented",
    needs_tasks=True,
)
def lists(account: Account) -> None:
    cluster = made_cluster(account)
    tasks = [started_task(account, cluster) for _ in range(2)]
    arns = [task["taskArn"] for task in tasks]
    expect("pages", sorted(pages(account, "ListTasks", "taskArns", cluster=cluster)), sorted(arns))
    family = tasks[0]["taskDefinitionArn"].rpartition("/")[2].partition(":")[0]
    answer = account.call("ListTasks", cluster=cluster, family=family)
    expect("of the family", answer["taskArns"], arns[:1])
    account.call("StopTask", cluster=cluster, task=arns[0])
    stopped = account.call("ListTasks", cluster=cluster, desiredStatus="STOPPED")
    expect("to stop", stopped["taskArns"], arns[:1])


@check(_FAMILY, "DescribeTasks", "Unknown ones are failures: MISSING", "ecs-facts 5.8")
def describes_missing(account: Account) -> None:
    cluster = made_cluster(account)
    answer = account.call("DescribeTasks", cluster=cluster, tasks=["0" * 32])
    expect("tasks", answer["tasks"], [])
    [failure] = answer["failures"]
    expect("reason", failure["reason"], "MISSING")
    expect("ARN", failure["arn"].split(":")[5], f"task/{cluster}/{'0' * 32}")


def _run(rule: str, code: str, text: str, source: str = "ecs-facts 5.1", **members: Any) -> Refusal:
    def asked(account: Account) -> dict[str, Any]:
        return {
            "cluster": made_cluster(account),
            "taskDefinition": registered(account)["taskDefinitionArn"],
            "launchType": "FARGATE",
            **members,
        }

    return Refusal("RunTask", rule, asked, code, text, source)


refusals(
    _FAMILY,
    [
        _run(
            "unknown task definition",
            "ClientException",
            "TaskDefinition not found.",
            taskDefinition="kecs-conformance-nothing",
        ),
        _run(
            "unknown cluster",
            "ClusterNotFoundException",
            "Cluster not found.",
            cluster="kecs-conformance-nothing",
        ),
        _run(
            "awsvpc without network",
            _INVALID,
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        ),
        _run(
            "no subnets",
            _INVALID,
            "subnets can not be empty.",
            networkConfiguration={"awsvpcConfiguration": {"subnets": []}},
        ),
        Refusal(
            "DescribeTasks",
            "no tasks",
            lambda account: {"cluster": made_cluster(account), "tasks": []},
            _INVALID,
            "Tasks cannot be empty.",
            "ecs-facts 5.8",
        ),
        Refusal(
            "StopTask",
            "unknown task",
            lambda account: {"cluster": made_cluster(account), "task": "0" * 32},
            _INVALID,
            "The referenced task was not found.",
            "ecs-facts 5.7",
        ),
        Refusal(
            "StopTask",
            "task id of another length",
            lambda account: {"cluster": made_cluster(account), "task": "abc"},
            _INVALID,
            "taskId length should be one of [32,36]",
            "ecs-facts 2.2",
        ),
    ],
)
