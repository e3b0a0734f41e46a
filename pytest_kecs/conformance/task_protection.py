"""Protection of tasks."""

from __future__ import annotations

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.steps import made_cluster
from pytest_kecs.conformance.steps import started_task

_FAMILY = "task protection"
_SOURCE = "ecs-facts 10"


@check(
    _FAMILY, "GetTaskProtection", "Unknown tasks are failures: MISSING", _SOURCE, basis="documented"
)
def tells_missing(account: Account) -> None:
    answer = account.call("GetTaskProtection", cluster=made_cluster(account), tasks=["0" * 32])
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
