"""Calls of many threads at once: each is answered as if it had been alone, in some order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from kecs_server.protocol.dispatch import Answer
from probes.world import ACCOUNT
from probes.world import REGION
from probes.world import World

THREADS = 8
APP = {"name": "app", "image": "busybox", "memory": 64}


@pytest.fixture
def world() -> World:
    return World()


def at_once(world: World, request: Callable[[int], tuple[str, dict[str, Any]]]) -> list[Answer]:
    """The answers to `request(0)`, `request(1)` and so on, all asked at the same moment."""
    barrier = Barrier(THREADS)

    def ask(number: int) -> Answer:
        operation, params = request(number)
        body = json.dumps(params).encode()
        barrier.wait(timeout=10)
        return world.ask(operation, body)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(ask, range(THREADS)))


def test_one_cluster_is_made_of_many_equal_calls(world: World) -> None:
    answers = at_once(world, lambda _: ("CreateCluster", {"clusterName": "new"}))
    assert {answer.status for answer in answers} == {200}
    assert len({json.dumps(answer.body["cluster"]) for answer in answers}) == 1
    listed = world.get("ListClusters")["clusterArns"]
    assert listed.count(world.arn("cluster/new")) == 1


def test_one_of_many_services_of_a_name_is_made(world: World) -> None:
    answers = at_once(
        world,
        lambda number: (
            "CreateService",
            {"serviceName": "new", "taskDefinition": "app", "desiredCount": number},
        ),
    )
    assert Counter(answer.status for answer in answers) == {200: 1, 400: THREADS - 1}
    refused = [answer.body for answer in answers if answer.status == 400]
    assert {(body["__type"], body["message"]) for body in refused} == {
        ("InvalidParameterException", "Creation of service was not idempotent.")
    }
    (made,) = [answer.body["service"] for answer in answers if answer.status == 200]
    (there,) = world.get("DescribeServices", services=["new"])["services"]
    assert there["desiredCount"] == made["desiredCount"]


def test_revisions_have_numbers_of_their_own(world: World) -> None:
    registration = {"family": "many", "containerDefinitions": [APP]}
    answers = at_once(world, lambda _: ("RegisterTaskDefinition", registration))
    numbers = sorted(answer.body["taskDefinition"]["revision"] for answer in answers)
    assert numbers == list(range(1, THREADS + 1))


def test_a_token_runs_its_tasks_once(world: World) -> None:
    before = len(world.realm.tasks())
    request = {"taskDefinition": "app", "count": 3, "clientToken": "token"}
    answers = at_once(world, lambda _: ("RunTask", request))
    ids = [tuple(task["taskArn"] for task in answer.body["tasks"]) for answer in answers]
    assert len(set(ids)) == 1
    assert set(ids[0]) <= set(world.get("ListTasks")["taskArns"])
    assert len(world.realm.tasks()) == before + 3


@pytest.mark.parametrize("attempt", range(5))
def test_a_cluster_is_deleted_or_gets_a_service(world: World, attempt: int) -> None:
    """Never both, whichever comes first."""

    def request(number: int) -> tuple[str, dict[str, Any]]:
        if (number + attempt) % 2:
            return "DeleteCluster", {"cluster": "empty"}
        service = {"serviceName": f"s{number}", "taskDefinition": "app", "desiredCount": 0}
        return "CreateService", {"cluster": "empty", **service}

    answers = at_once(world, request)
    assert {answer.status for answer in answers} <= {200, 400}
    cluster = world.realm.store(ACCOUNT, REGION).clusters["empty"]
    active = [service for service in cluster.services.values() if service.status == "ACTIVE"]
    assert bool(active) == cluster.is_active
    types = {answer.body["__type"] for answer in answers if answer.status == 400}
    expected = "ClusterContainsServicesException" if active else "ClusterNotFoundException"
    assert types == {expected}


def test_pages_are_read_while_things_come_and_go(world: World) -> None:
    def request(number: int) -> tuple[str, dict[str, Any]]:
        if number % 2:
            return "RegisterTaskDefinition", {"family": f"f{number}", "containerDefinitions": [APP]}
        return "ListTaskDefinitions", {"maxResults": 2}

    answers = at_once(world, request)
    assert {answer.status for answer in answers} == {200}
    listed = [answer.body["taskDefinitionArns"] for answer in answers[::2]]
    assert all(arns == [world.arn(f"task-definition/app:{n}") for n in (1, 2)] for arns in listed)
