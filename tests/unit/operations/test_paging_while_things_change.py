"""Whatever comes and goes between the pages of a list, what was there all the time is on one page,
once; and a token is good only where it came from.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from kecs_server.errors import InvalidParameterException
from kecs_server.operations.registry import Call
from kecs_server.operations.table import all_operations
from kecs_server.state.realm import Realm

CONTAINER = {"name": "app", "image": "busybox", "memory": 64}


class Account:
    """The operations of an account, without HTTP. Nothing runs."""

    def __init__(self, realm: Realm | None = None, region: str = "us-east-1") -> None:
        self.realm = realm or Realm(
            id="r", name="pages", engine="process", images={}, wake=lambda _: None
        )
        self._call = Call(realm=self.realm, account="123456789012", region=region)

    def __call__(self, operation: str, **params: Any) -> Any:
        return all_operations().operations()[operation].handler(self._call, params)


@pytest.fixture
def account() -> Account:
    account = Account()
    account("CreateCluster", clusterName="default")
    account("CreateCluster", clusterName="other")
    account("RegisterTaskDefinition", family="app", containerDefinitions=[CONTAINER])
    return account


def _cluster(account: Account, name: str) -> str:
    return str(account("CreateCluster", clusterName=name)["cluster"]["clusterArn"])


def _no_cluster(account: Account, arn: str) -> None:
    account("DeleteCluster", cluster=arn)


def _definition(account: Account, name: str) -> str:
    answer = account(
        "RegisterTaskDefinition",
        family=name[:3],
        containerDefinitions=[CONTAINER],
    )
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def _no_definition(account: Account, arn: str) -> None:
    account("DeregisterTaskDefinition", taskDefinition=arn)


def _service(account: Account, name: str) -> str:
    answer = account("CreateService", serviceName=name, taskDefinition="app", desiredCount=0)
    return str(answer["service"]["serviceArn"])


def _no_service(account: Account, arn: str) -> None:
    account("DeleteService", service=arn)


def _provider(account: Account, name: str) -> str:
    group = {"autoScalingGroupArn": name}
    account("CreateCapacityProvider", name=name, autoScalingGroupProvider=group)
    return name


def _no_provider(account: Account, name: str) -> None:
    account("DeleteCapacityProvider", capacityProvider=name)
    account.realm.clock.advance(1)


def _task(account: Account, name: str) -> str:
    return str(account("RunTask", taskDefinition="app")["tasks"][0]["taskArn"])


def _no_task(account: Account, arn: str) -> None:
    account("StopTask", task=arn)


Make = Callable[[Account, str], str]
Take = Callable[[Account, str], None]

LISTS: dict[str, tuple[str, Make, Take, dict[str, Any]]] = {
    "clusters": ("ListClusters", _cluster, _no_cluster, {}),
    "definitions": ("ListTaskDefinitions", _definition, _no_definition, {}),
    "definitions, latest first": (
        "ListTaskDefinitions",
        _definition,
        _no_definition,
        {"sort": "DESC"},
    ),
    "services": ("ListServices", _service, _no_service, {}),
    "tasks": ("ListTasks", _task, _no_task, {}),
    "capacity providers": ("DescribeCapacityProviders", _provider, _no_provider, {}),
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", LISTS)
def test_what_stays_is_listed_once(account: Account, kind: str, seed: int) -> None:
    operation, make, take, params = LISTS[kind]
    random = Random(seed)

    def new() -> str:
        return make(account, "".join(random.choices("bcdghijk", k=12)))

    there = [new() for _ in range(30)]
    staying = set(there)
    given: list[str] = []
    params = {**params, "maxResults": random.randint(1, 7)}
    while True:
        answer = account(operation, **params)
        (items,) = (value for name, value in answer.items() if name.endswith(("Arns", "Providers")))
        given += [item["name"] if isinstance(item, dict) else item for item in items]
        assert len(items) <= params["maxResults"]
        if "nextToken" not in answer:
            break
        params["nextToken"] = answer["nextToken"]
        for _ in range(random.randint(0, 3)):
            new()
        if there and random.random() < 0.7:
            gone = there.pop(random.randrange(len(there)))
            staying.discard(gone)
            take(account, gone)
    assert len(given) == len(set(given))
    assert staying <= set(given)


@pytest.fixture
def token(account: Account) -> str:
    """Of a page of services."""
    for number in range(3):
        _service(account, f"s{number}")
    return str(account("ListServices", maxResults=1)["nextToken"])


def test_a_token_is_good_where_it_came_from(account: Account, token: str) -> None:
    arn = "arn:aws:ecs:us-east-1:123456789012:cluster/default"
    for params in ({}, {"cluster": "default"}, {"cluster": arn}):
        assert len(account("ListServices", nextToken=token, **params)["serviceArns"]) == 2


@pytest.mark.parametrize(
    ("operation", "params"),
    [("ListTasks", {}), ("ListClusters", {}), ("ListServices", {"cluster": "other"})],
)
def test_a_token_of_another_list(
    account: Account, token: str, operation: str, params: dict[str, Any]
) -> None:
    with pytest.raises(InvalidParameterException, match="Invalid token"):
        account(operation, nextToken=token, **params)


def test_a_token_of_another_region(account: Account, token: str) -> None:
    abroad = Account(account.realm, "eu-west-1")
    abroad("CreateCluster", clusterName="default")
    with pytest.raises(InvalidParameterException, match="Invalid token"):
        abroad("ListServices", nextToken=token)


def test_a_token_that_was_changed(account: Account, token: str) -> None:
    for position in range(len(token.rstrip("="))):
        changed = "A" if token[position] != "A" else "B"
        text = token[:position] + changed + token[position + 1 :]
        try:
            answer = account("ListServices", nextToken=text)
        except InvalidParameterException:
            continue
        # Bits that base64 does not use.
        assert position == len(token.rstrip("=")) - 1, answer
