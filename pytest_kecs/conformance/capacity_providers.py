"""Capacity providers."""

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

_FAMILY = "capacity providers"
_FARGATE = ["FARGATE", "FARGATE_SPOT"]


@check(
    _FAMILY,
    "DescribeCapacityProviders",
    "Fargate's always exist",
    "ecs-facts 11.2",
    basis="documented",
)
def has_fargate(account: Account) -> None:
    answer = account.call("DescribeCapacityProviders", capacityProviders=_FARGATE)
    came = sorted((each["name"], each["status"]) for each in answer["capacityProviders"])
    expect("providers", came, [(name, "ACTIVE") for name in _FARGATE])


@check(
    _FAMILY,
    "PutClusterCapacityProviders",
    "Both lists replace the old ones",
    "ecs-facts 3.4",
    basis="documented",
)
def replaces(account: Account) -> None:
    cluster = made_cluster(account, capacityProviders=_FARGATE)
    strategy = [{"capacityProvider": "FARGATE", "weight": 1, "base": 0}]
    answer = account.call(
        "PutClusterCapacityProviders",
        cluster=cluster,
        capacityProviders=["FARGATE"],
        defaultCapacityProviderStrategy=strategy,
    )["cluster"]
    expect("capacityProviders", answer["capacityProviders"], ["FARGATE"])
    expect("strategy", answer["defaultCapacityProviderStrategy"], strategy)


def _group(account: Account, **members: Any) -> Members:
    """Parameters of a provider with an Auto Scaling group."""
    name = account.name()
    return {"name": name, "autoScalingGroupProvider": {"autoScalingGroupArn": name, **members}}


def _made(account: Account, **members: Any) -> Members:
    made: Members = account.call("CreateCapacityProvider", **_group(account, **members))
    provider: Members = made["capacityProvider"]
    return provider


@check(
    _FAMILY, "CreateCapacityProvider", "Defaults of a group", "ecs-facts 11.2", basis="documented"
)
def creates(account: Account) -> None:
    provider = _made(account, managedScaling={"status": "ENABLED"})
    expect("status", provider["status"], "ACTIVE")
    wanted = {"managedTerminationProtection": "DISABLED", "managedDraining": "ENABLED"}
    group = provider["autoScalingGroupProvider"]
    expect_members("autoScalingGroupProvider", group, wanted)
    steps = {"minimumScalingStepSize": 1, "maximumScalingStepSize": 10000}
    wanted_scaling = {"targetCapacity": 100, "instanceWarmupPeriod": 300, **steps}
    expect_members("managedScaling", group["managedScaling"], wanted_scaling)


@check(
    _FAMILY,
    "UpdateCapacityProvider",
    "Changes what it names, and keeps the rest",
    "ecs-facts 11.2",
    basis="documented",
)
def updates(account: Account) -> None:
    provider = _made(account, managedScaling={"status": "ENABLED", "targetCapacity": 80})
    change = {"managedDraining": "DISABLED"}
    account.call("UpdateCapacityProvider", name=provider["name"], autoScalingGroupProvider=change)
    asked = {"capacityProviders": [provider["name"]]}
    [came] = account.call("DescribeCapacityProviders", **asked)["capacityProviders"]
    group = came["autoScalingGroupProvider"]
    expect_members("autoScalingGroupProvider", group, change)
    expect("targetCapacity", group["managedScaling"]["targetCapacity"], 80)


@check(
    _FAMILY,
    "DeleteCapacityProvider",
    "updateStatus says that it is being deleted",
    "ecs-facts 11.2",
    basis="documented",
)
def deletes(account: Account) -> None:
    name = _made(account)["name"]
    answer = account.call("DeleteCapacityProvider", capacityProvider=name)["capacityProvider"]
    expect_true("DELETE_*", came=answer["updateStatus"].startswith("DELETE_"))


def _taken(account: Account) -> Members:
    provider = _made(account)
    return {**_group(account), "name": provider["name"]}


@check(
    _FAMILY,
    "DeleteCapacityProvider",
    "One that a cluster has stays: DELETE_FAILED, with the reason",
    "the model of DeleteCapacityProvider",
    basis="documented",
)
def keeps_what_a_cluster_has(account: Account) -> None:
    name = _made(account)["name"]
    made_cluster(account, capacityProviders=[name])
    answer = account.call("DeleteCapacityProvider", capacityProvider=name)["capacityProvider"]
    expect_members("provider", answer, {"status": "ACTIVE", "updateStatus": "DELETE_FAILED"})
    expect_true("there is a reason", came=bool(answer["updateStatusReason"]))


refusals(
    _FAMILY,
    [
        Refusal(operation, rule, asked, code, None, source, "documented")
        for operation, rule, asked, code, source in (
            (
                "CreateCapacityProvider",
                "a name that begins with fargate",
                lambda account: {**_group(account), "name": "fargate-kecs-conformance"},
                "InvalidParameterException",
                "ecs-facts 11.2",
            ),
            ("CreateCapacityProvider", "name in use", _taken, "ClientException", "ecs-facts 11.2"),
            (
                "DeleteCapacityProvider",
                "one of Fargate's",
                lambda _: {"capacityProvider": "FARGATE"},
                "ClientException",
                "ecs-facts 11.2",
            ),
            (
                "UpdateCapacityProvider",
                "unknown provider",
                lambda account: {
                    "name": account.name(),
                    "autoScalingGroupProvider": {"managedDraining": "DISABLED"},
                },
                "ClientException",
                "the model of UpdateCapacityProvider",
            ),
        )
    ],
)
