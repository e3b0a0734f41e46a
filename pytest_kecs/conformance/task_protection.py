"""Protection of tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Members
from pytest_kecs.conformance.checks import Refusal
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.checks import expect_true
from pytest_kecs.conformance.checks import refusals
from pytest_kecs.conformance.steps import NOWHERE
from pytest_kecs.conformance.steps import made_cluster
from pytest_kecs.conformance.steps import made_service
from pytest_kecs.conformance.steps import started_task

_FAMILY = "task protection"
_SOURCE = "ecs-facts 10"


@check(
    _FAMILY, "GetTaskProtection", "Unknown tasks are failures: MISSING", _SOURCE, basis="documented"
)
def tells_missing(account: Account) -> None:
    answer = account.call("GetTaskProtection", cluster=made_cluster(account), tasks=[NOWHERE])
    expect("protectedTasks", answer["protectedTasks"], [])
    expect("failures", [each["reason"] for each in answer["failures"]], ["MISSING"])


@check(
    _FAMILY,
    "UpdateTaskProtection",
    "Tasks of no service are failures: TASK_NOT_VALID",
    _SOURCE,
    basis="documented",
    needs_tasks=True,
)
def protects_tasks_of_services_only(account: Account) -> None:
    cluster = made_cluster(account)
    task = started_task(account, cluster)["taskArn"]
    answer = account.call(
        "UpdateTaskProtection", cluster=cluster, tasks=[task], protectionEnabled=True
    )
    expect("failures", [each["reason"] for each in answer["failures"]], ["TASK_NOT_VALID"])


@check(
    _FAMILY,
    "UpdateTaskProtection",
    "A service's task is protected until a time, or not at all",
    _SOURCE,
    basis="documented",
    needs_tasks=True,
)
def protects(account: Account) -> None:
    service = made_service(account, desiredCount=1)
    cluster = service["clusterArn"]
    tasks: list[str] = []

    def is_running() -> bool:
        arns = account.call("ListTasks", cluster=cluster)["taskArns"]
        found = account.call("DescribeTasks", cluster=cluster, tasks=arns)["tasks"] if arns else []
        tasks[:] = [each["taskArn"] for each in found if each["lastStatus"] == "RUNNING"]
        return bool(tasks)

    account.wait("the service's task is RUNNING", is_running)
    where = {"cluster": cluster, "tasks": tasks}

    def updated(**members: Any) -> Members:
        answer = account.call("UpdateTaskProtection", **where, **members)
        [protection] = answer["protectedTasks"]
        expect(
            "protections",
            account.call("GetTaskProtection", **where)["protectedTasks"],
            [protection],
        )
        found: Members = protection
        return found

    on = updated(protectionEnabled=True, expiresInMinutes=5)
    expect_true("it is protected", came=on["protectionEnabled"] is True)
    expect_true("there is an expirationDate", came="expirationDate" in on)
    off = updated(protectionEnabled=False)
    expect("protection", off, {"taskArn": tasks[0], "protectionEnabled": False})


def _asked(**members: Any) -> Callable[[Account], Members]:
    def asked(account: Account) -> Members:
        cluster = made_cluster(account)
        return {"cluster": cluster, "tasks": [NOWHERE], "protectionEnabled": True, **members}

    return asked


refusals(
    _FAMILY,
    [
        Refusal(
            "UpdateTaskProtection",
            rule,
            asked,
            "InvalidParameterException",
            None,
            _SOURCE,
            "documented",
        )
        for rule, asked in (
            ("no tasks", _asked(tasks=[])),
            ("eleven tasks", _asked(tasks=[NOWHERE] * 11)),
            ("no minutes", _asked(expiresInMinutes=0)),
            ("more than two days", _asked(expiresInMinutes=2881)),
        )
    ],
)
