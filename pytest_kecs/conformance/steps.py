"""What checks of several families make."""

from __future__ import annotations

from typing import Any

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Failed
from pytest_kecs.conformance.checks import Members
from pytest_kecs.conformance.endpoint import wait_until

TAGS = [{"key": "a", "value": "b"}]
# Ends at once when it is to stop, also as the first process of a container.
_COMMAND = ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"]
_CONTAINER = {"name": "app", "image": "busybox", "command": _COMMAND}
_TASK_SECONDS = 180


def container(**members: Any) -> Members:
    return {**_CONTAINER, "memory": 64, **members}


def definition(account: Account, **members: Any) -> Members:
    """Parameters of a registration for EC2."""
    return {"family": account.name(), "containerDefinitions": [container()], **members}


def fargate_definition(account: Account, **members: Any) -> Members:
    """Parameters of a registration for Fargate."""
    return definition(
        account,
        **{
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": "256",
            "memory": "512",
            **members,
        },
    )


def made_cluster(account: Account, **members: Any) -> str:
    """The name of a new cluster."""
    name = account.name()
    account.call("CreateCluster", clusterName=name, **members)
    return name


def registered(account: Account, **members: Any) -> Members:
    """A new definition for Fargate, as it was answered."""
    answer = account.call("RegisterTaskDefinition", **fargate_definition(account, **members))
    made: Members = answer["taskDefinition"]
    return made


def network(account: Account) -> Members:
    return {"networkConfiguration": {"awsvpcConfiguration": account.network}}


def started_task(account: Account, cluster: str, **members: Any) -> Members:
    """A new task, as RunTask answered."""
    answer = account.call(
        "RunTask",
        **{
            "cluster": cluster,
            "taskDefinition": registered(account)["taskDefinitionArn"],
            "launchType": "FARGATE",
            **network(account),
            **members,
        },
    )
    if len(answer["tasks"]) != 1:
        raise Failed(f"RunTask: expected one task, came {answer}")
    task: Members = answer["tasks"][0]
    return task


def task_with_status(account: Account, cluster: str, arn: str, status: str) -> Members:
    """The task, when it is so far."""
    task: Members = {}

    def is_there() -> bool:
        nonlocal task
        task = account.call("DescribeTasks", cluster=cluster, tasks=[arn])["tasks"][0]
        return bool(task["lastStatus"] == status)

    if not wait_until(is_there, seconds=_TASK_SECONDS):
        raise Failed(f"the task is not {status} after {_TASK_SECONDS} s, but {task['lastStatus']}")
    return task


def pages(account: Account, operation: str, member: str, **members: Any) -> list[Any]:
    """All items, asked for one at a time; each page has at most one."""
    items: list[Any] = []
    token: Members = {}
    for _ in range(20):
        answer = account.call(operation, maxResults=1, **members, **token)
        if len(answer[member]) > 1:
            raise Failed(f"{operation}: maxResults is 1, came {answer[member]}")
        items += answer[member]
        if not answer.get("nextToken"):
            return items
        token = {"nextToken": answer["nextToken"]}
    raise Failed(f"{operation}: still a nextToken after 20 pages")
