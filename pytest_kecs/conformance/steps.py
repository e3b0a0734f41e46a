"""What checks of several families make."""

from __future__ import annotations

from typing import Any

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Failed
from pytest_kecs.conformance.checks import Members

TAGS = [{"key": "a", "value": "b"}]
NOWHERE = "0" * 32
"""The id of no task and no container instance."""

# Ends at once when it is to stop, also as the first process of a container.
_COMMAND = ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"]
_CONTAINER = {"name": "app", "image": "busybox", "command": _COMMAND}


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


def daemon_definition(account: Account, **members: Any) -> Members:
    """Parameters of a registration for a daemon."""
    return {"family": account.name(), "containerDefinitions": [container()], **members}


def made_cluster(account: Account, **members: Any) -> str:
    """The name of a new cluster."""
    name = account.name()
    account.call("CreateCluster", clusterName=name, **members)
    return name


def made_instance(account: Account, cluster: str, **members: Any) -> Members:
    """A container instance of 1024 CPU units and 1024 MiB, with no machine behind it."""
    resources = [
        {"name": name, "type": "INTEGER", "integerValue": 1024} for name in ("CPU", "MEMORY")
    ]
    asked = {"cluster": cluster, "totalResources": resources, **members}
    made: Members = account.call("RegisterContainerInstance", **asked)["containerInstance"]
    return made


def registered(account: Account, **members: Any) -> Members:
    """A new definition for Fargate, as it was answered."""
    answer = account.call("RegisterTaskDefinition", **fargate_definition(account, **members))
    made: Members = answer["taskDefinition"]
    return made


def network(account: Account) -> Members:
    return {"networkConfiguration": {"awsvpcConfiguration": account.network}}


def service_request(account: Account, **members: Any) -> Members:
    """Parameters of CreateService without tasks, in a new cluster."""
    return {
        "cluster": members.pop("cluster", None) or made_cluster(account),
        "serviceName": account.name(),
        "taskDefinition": registered(account)["taskDefinitionArn"],
        "desiredCount": 0,
        "launchType": "FARGATE",
        **network(account),
        **members,
    }


def made_service(account: Account, **members: Any) -> Members:
    """A new service that wants no tasks."""
    service: Members = account.call("CreateService", **service_request(account, **members))[
        "service"
    ]
    return service


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

    account.wait(f"the task is {status}", is_there)
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
