"""Capacity providers."""

from __future__ import annotations

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
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
