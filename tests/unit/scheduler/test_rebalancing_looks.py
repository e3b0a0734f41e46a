"""A service whose tasks are moved to even out Availability Zones (ecs-facts 7.8)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.instance import integer_resource
from kecs_server.domain.zones import balanced_text
from kecs_server.domain.zones import is_balanced
from kecs_server.domain.zones import moves
from kecs_server.domain.zones import unbalanced_text
from kecs_server.scheduler.service_tasks import HEALTHY_AFTER
from made_tasks import made_host
from service_world import World


class Zones(World):
    """A steady service of `count` tasks in zone a, and an instance that has come in zone b."""

    def __init__(self, count: int, **configuration: Any) -> None:
        super().__init__(count, **configuration)
        self.service.settings["availabilityZoneRebalancing"] = "ENABLED"
        [first] = self.cluster.instances.values()
        first.attributes["ecs.availability-zone"] = "a"
        self.settle()
        self.service.events.clear()

    def add(self, zone: str, number: int = 2) -> ContainerInstance:
        instance = made_host(self.cluster, number)
        instance.attributes["ecs.availability-zone"] = zone
        return instance

    def zones(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for task in self.cluster.tasks.values():
            if task.desired_status == "RUNNING":
                place = self.cluster.instance_of(task)
                assert place is not None
                found[place.attributes["ecs.availability-zone"] or ""] += 1
        return dict(found)

    def existing(self) -> int:
        return sum(not task.is_stopped for task in self.cluster.tasks.values())


def test_tasks_come_before_others_go() -> None:
    world = Zones(4)
    world.add("b")
    world.look()
    assert world.zones() == {"a": 4, "b": 2}
    arrived = world.pending()
    world.run(*arrived)
    assert world.look().look_again_at == world.now + HEALTHY_AFTER
    assert world.zones() == {"a": 4, "b": 2}
    world.pass_time(HEALTHY_AFTER)
    assert world.zones() == {"a": 2, "b": 2}
    assert {task.id for task in arrived} <= world.live()
    world.settle()
    assert world.zones() == {"a": 2, "b": 2}
    assert world.service.is_steady


def test_what_it_says_of_that() -> None:
    world = Zones(4, maximumPercent=150)
    world.add("b")
    world.settle()
    texts = [text.partition(": (")[0] for text in reversed(world.texts())]
    assert texts == [
        "is not AZ balanced with 4 tasks in a and 0 tasks in b. AZ Rebalancing in progress.",
        "has started 1 tasks in b to AZ Rebalance",
        "has started 1 tasks in b to AZ Rebalance",
        "has stopped 1 running tasks in a due to AZ rebalancing",
        "has stopped 1 running tasks in a due to AZ rebalancing",
        "is AZ balanced with 2 tasks in a and 2 tasks in b.",
    ]
    names = [notice.name for notice in world.service.notices]
    assert names.count("SERVICE_REBALANCING_STARTED") == 1
    assert names.count("SERVICE_REBALANCING_COMPLETED") == 1


@pytest.mark.parametrize("maximum", [125, 150, 300])
def test_never_more_tasks_than_the_maximum_nor_fewer_than_desired(maximum: int) -> None:
    world = Zones(8, maximumPercent=maximum)
    world.add("b")
    for _ in range(30):
        world.look()
        assert len(world.live()) >= 8
        assert world.existing() <= 8 * maximum // 100
        world.settle_once()
    assert world.zones() == {"a": 4, "b": 4}


def test_not_where_it_is_disabled() -> None:
    world = Zones(4)
    world.service.settings["availabilityZoneRebalancing"] = "DISABLED"
    world.add("b")
    world.settle()
    assert (world.zones(), world.texts()) == ({"a": 4}, [])


def test_an_odd_one_stays() -> None:
    world = Zones(1)
    world.add("b")
    world.settle()
    assert (world.zones(), world.texts()) == ({"a": 1}, [])


def test_a_zone_without_an_instance_that_suits_does_not_count() -> None:
    world = Zones(4)
    world.add("b").agent_connected = False
    world.add("c", 3).attributes["ecs.os-type"] = "windows"
    world.settle()
    assert (world.zones(), world.texts()) == ({"a": 4}, [])


def test_a_zone_without_room() -> None:
    world = Zones(4)
    definition = world.service.primary.task_definition
    definition.body["containerDefinitions"][0]["memory"] = 64
    world.add("b").resources = [integer_resource("CPU", 1024), integer_resource("MEMORY", 64)]
    world.settle()
    assert world.zones() == {"a": 3, "b": 1}
    [text] = [text for text in world.texts() if "unable" in text]
    assert text.startswith("is unable to place a task in b because no container instance met all")


def test_protected_tasks_stay_where_they_are() -> None:
    world = Zones(4)
    for task in world.cluster.tasks.values():
        task.protected_until = world.now + 100
    world.add("b")
    world.settle()
    assert world.zones() == {"a": 4}
    world.now += 101
    world.settle()
    assert world.zones() == {"a": 2, "b": 2}


def test_scaling_in_the_middle_of_it() -> None:
    world = Zones(4)
    world.add("b")
    world.look()
    world.service.want(2)
    world.service.is_steady = False
    world.settle()
    assert world.service.is_steady
    assert sum(world.zones().values()) == 2


def test_a_deployment_in_the_middle_of_it() -> None:
    world = Zones(4)
    world.add("b")
    world.look()
    world.deploy("2")
    world.settle()
    assert world.counts() == {"2": 4}
    assert world.zones() == {"a": 2, "b": 2}
    assert world.service.is_steady


def test_tasks_that_cannot_start_there_are_tried_again_later() -> None:
    world = Zones(4)
    world.add("b")
    world.look()
    for task in world.pending():
        world.stop(task, "TaskFailedToStart")
    retry_at = world.look().look_again_at
    assert retry_at is not None
    assert world.zones() == {"a": 4}
    world.now = retry_at
    world.settle()
    assert world.zones() == {"a": 2, "b": 2}


@pytest.mark.parametrize(
    ("counts", "most", "expected"),
    [
        ({"a": 4, "b": 0}, 9, ["b", "b"]),
        ({"a": 5, "b": 0, "c": 1}, 9, ["b", "b", "c"]),
        ({"a": 5, "b": 0}, 1, ["b"]),
        ({"a": 5, "b": 0}, -1, []),
        ({"a": 2, "b": 1}, 9, []),
        ({}, 9, []),
    ],
)
def test_moves(counts: dict[str, int], most: int, expected: list[str]) -> None:
    assert moves(counts, most) == expected
    assert is_balanced(counts) == (most > 1 and not expected)


def test_texts_of_three_zones() -> None:
    counts = {"a": 3, "c": 0, "b": 1}
    listed = "3 tasks in a, 1 tasks in b, and 0 tasks in c"
    assert (
        unbalanced_text(counts) == f"is not AZ balanced with {listed}. AZ Rebalancing in progress."
    )
    assert balanced_text(counts) == f"is AZ balanced with {listed}."
