"""Where tasks are placed: what an instance must have, constraints, strategies in their order."""

from __future__ import annotations

from collections import Counter
from time import perf_counter
from typing import Any

import pytest
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.instance import DRAINING
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.launch import Launch
from kecs_server.domain.launch import new_task
from kecs_server.domain.placement import DISTINCT
from kecs_server.domain.placement import MEMBER_OF
from kecs_server.domain.placement import Floor
from kecs_server.domain.placement import no_place
from kecs_server.domain.placement import wish
from kecs_server.domain.task import Status
from kecs_server.domain.task import move
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.domain.task_definition import with_defaults
from made_tasks import made_host

SPREAD_ZONES = {"type": "spread", "field": "attribute:ecs.availability-zone"}
BINPACK = {"type": "binpack", "field": "memory"}


class World:
    """A cluster of instances, and tasks that are placed on them one after the other."""

    def __init__(self, count: int = 0, **host: Any) -> None:
        self.cluster = Cluster(name="c", arn="arn:x:cluster/c", settings=[], request={})
        for number in range(1, count + 1):
            made_host(self.cluster, number, **host)

    def instance(self, number: int) -> ContainerInstance:
        return self.cluster.instances[f"{number:032x}"]

    def place(self, count: int = 1, **wanted: Any) -> list[int]:
        """The numbers of the instances that tasks are placed on."""
        floor = Floor(self.cluster.instances.values())
        placed = []
        for _ in range(count):
            found = self.found(floor, **wanted)
            assert isinstance(found, ContainerInstance), found
            placed.append(int(found.id, 16))
        return placed

    def reasons(self, **wanted: Any) -> list[str]:
        found = self.found(Floor(self.cluster.instances.values()), **wanted)
        assert isinstance(found, list)
        return [refusal.reason for refusal in found]

    def found(
        self,
        floor: Floor,
        *,
        body: dict[str, Any] | None = None,
        attributes: list[str] | None = None,
        group: str = "g",
        launch_type: str = "EC2",
        **wanted: Any,
    ) -> Any:
        definition = defined(attributes or [], **(body or {}))
        wanted_by = wish(definition, group=group, launch_type=launch_type, **wanted)
        found = floor.place(wanted_by)
        if isinstance(found, ContainerInstance):
            task = new_task(
                Launch(
                    account="1" * 12,
                    region="us-east-1",
                    cluster=self.cluster,
                    definition=definition,
                    launch_type=launch_type,
                    group=group,
                    now=0.0,
                    instance=found,
                )
            )
            floor.took(task, found)
        return found


def defined(attributes: list[str], **body: Any) -> TaskDefinition:
    container = {"name": "app", "image": "i", "memory": 1024, "cpu": 256}
    container |= body.pop("container", {})
    return TaskDefinition(
        arn="arn",
        family="f",
        revision=1,
        body=with_defaults({"containerDefinitions": [container], **body}),
        compatibilities=[],
        requires_attributes=attributes,
        registered_at=0.0,
        registered_by="me",
    )


def member_of(expression: str) -> dict[str, str]:
    return {"type": "memberOf", "expression": expression}


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        ("RESOURCE:CPU", {"container": {"cpu": 2049}}),
        ("RESOURCE:MEMORY", {"container": {"memory": 8193}}),
        ("RESOURCE:MEMORY", {"memory": "8193"}),
        ("RESOURCE:PORTS", {"container": {"portMappings": [{"containerPort": 1, "hostPort": 22}]}}),
        ("RESOURCE:GPU", {"container": {"resourceRequirements": [{"type": "GPU", "value": "1"}]}}),
        ("ATTRIBUTE", {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}),
    ],
)
def test_what_an_instance_lacks(reason: str, wanted: dict[str, Any]) -> None:
    assert World(2).reasons(body=wanted) == [reason] * 2


def test_an_agent_that_is_away() -> None:
    world = World(2)
    world.instance(1).agent_connected = False
    assert world.place(2) == [2, 2]
    world.instance(2).agent_connected = False
    assert world.reasons() == ["AGENT", "AGENT"]


def test_capabilities_count_where_an_agent_says_its_own() -> None:
    world = World(2)
    assert world.place(attributes=["ecs.capability.rare"]) == [1]
    for number in (1, 2):
        world.instance(number).has_capabilities = True
    world.instance(2).attributes["ecs.capability.rare"] = None
    assert world.place(attributes=["ecs.capability.rare"]) == [2]
    assert world.reasons(attributes=["ecs.capability.none"]) == ["ATTRIBUTE"] * 2


def test_what_is_taken_until_tasks_have_stopped() -> None:
    """A reservation counts rather than the limit; task sizes rather than those of containers."""
    world = World(1)
    assert len(world.place(2, body={"container": {"memoryReservation": 4096, "memory": 8192}})) == 2
    assert world.reasons() == ["RESOURCE:MEMORY"]
    for task in world.cluster.tasks.values():
        move(task, Status.STOPPED, 0.0)
    assert world.place(2, body={"memory": "4096", "cpu": "1024"}) == [1, 1]
    assert world.reasons(body={"memory": "1"}) == ["RESOURCE:CPU"]


def test_gpus_are_given_out_and_come_back() -> None:
    world = World(1, gpus=("a", "b", "c"))
    two = {"container": {"resourceRequirements": [{"type": "GPU", "value": "2"}]}}
    world.place(body=two)
    [task] = world.cluster.tasks.values()
    assert task.containers[0].gpu_ids == ("a", "b")
    assert world.reasons(body=two) == ["RESOURCE:GPU"]
    move(task, Status.STOPPED, 0.0)
    assert world.place(body=two) == [1]


def test_a_host_port_is_on_each_instance_once() -> None:
    world = World(2)
    web = {"container": {"portMappings": [{"containerPort": 80, "hostPort": 8080}]}}
    assert sorted(world.place(2, body=web)) == [1, 2]
    assert world.reasons(body=web) == ["RESOURCE:PORTS"] * 2


def test_instances_that_drain_are_no_candidates() -> None:
    world = World(2)
    world.instance(1).status = DRAINING
    assert world.place(2) == [2, 2]
    world.instance(2).status = DRAINING
    assert world.reasons() == []


def test_external_tasks_and_providers_have_instances_of_their_own() -> None:
    world = World(3)
    for number in (1, 2, 3):
        world.instance(number).is_host = False
    world.instance(1).attributes["ecs.capability.external"] = None
    world.instance(2).capacity_provider = "mine"
    assert world.place(2, launch_type="EXTERNAL") == [1, 1]
    assert sorted(world.place(2, provider="mine")) == [2, 3]
    assert world.place(provider="other") == [3]


def test_members_of_an_expression() -> None:
    world = World(3)
    world.instance(2).attributes["stack"] = "prod"
    world.instance(3).attributes["stack"] = "prod"
    prod = member_of("attribute:stack == prod")
    assert sorted(world.place(2, constraints=[prod])) == [2, 3]
    of_definition = {"placementConstraints": [prod]}
    lonely = member_of("not(task:group == g)")
    assert world.place(body=of_definition, constraints=[member_of("ec2InstanceId =~ .*3")]) == [3]
    assert world.place(constraints=[lonely]) == [1]
    assert world.reasons(body=of_definition, constraints=[lonely]) == [MEMBER_OF] * 3


def test_affinity_to_tasks_that_were_placed_just_before() -> None:
    world = World(3)
    world.place(group="database", constraints=[member_of("ec2InstanceId =~ .*2")])
    assert world.place(2, constraints=[member_of("task:group == database")]) == [2, 2]


def test_distinct_instances_are_so_for_each_group() -> None:
    world = World(2)
    distinct = {"type": "distinctInstance"}
    assert sorted(world.place(2, constraints=[distinct])) == [1, 2]
    assert world.reasons(constraints=[distinct]) == [DISTINCT] * 2
    assert sorted(world.place(2, group="other", constraints=[distinct])) == [1, 2]


def zoned(*zones: str) -> World:
    world = World(len(zones))
    for number, zone in enumerate(zones, start=1):
        world.instance(number).attributes["ecs.availability-zone"] = zone
    return world


def test_the_default_is_even_over_zones_and_then_instances() -> None:
    assert Counter(zoned("a", "a", "b").place(8)) == {1: 2, 2: 2, 3: 4}


def test_spread_counts_tasks_of_the_group() -> None:
    world = zoned("a", "b")
    world.place(3, group="other", constraints=[member_of("attribute:ecs.availability-zone == a")])
    assert Counter(world.place(4, strategy=[SPREAD_ZONES])) == {1: 2, 2: 2}


def test_instances_without_the_attribute_are_a_value_of_their_own() -> None:
    world = World(3)
    world.instance(1).attributes["rack"] = "r"
    placed = Counter(world.place(4, strategy=[{"type": "spread", "field": "attribute:rack"}]))
    assert placed == {1: 2, 2: 2}


@pytest.mark.parametrize("field", ["instanceId", "host"])
def test_spread_over_instances(field: str) -> None:
    assert Counter(World(3).place(6, strategy=[{"type": "spread", "field": field}])) == {
        1: 2,
        2: 2,
        3: 2,
    }


@pytest.mark.parametrize(("field", "fits"), [("memory", 8), ("cpu", 8), ("MEMORY", 8)])
def test_binpack_fills_one_after_the_other(field: str, fits: int) -> None:
    strategy = [{"type": "binpack", "field": field}]
    assert World(2).place(fits + 1, strategy=strategy) == [1] * fits + [2]


def test_strategies_are_applied_in_order() -> None:
    world = zoned("a", "a", "b", "b")
    placed = world.place(6, strategy=[SPREAD_ZONES, BINPACK])
    assert Counter(placed) == {1: 3, 3: 3}


def test_random_takes_any_that_fits() -> None:
    world = World(8)
    world.instance(1).agent_connected = False
    placed = set(world.place(50, strategy=[{"type": "random"}], body={"container": {"cpu": 0}}))
    assert 1 not in placed
    assert len(placed) > 1


@pytest.mark.parametrize(
    ("wanted", "lacking"),
    [
        ({"container": {"cpu": 9999}}, "has insufficient CPU units available."),
        ({"container": {"memory": 9999}}, "has insufficient memory available."),
    ],
)
def test_the_event_names_the_closest_instance(wanted: dict[str, Any], lacking: str) -> None:
    world = World(2)
    world.instance(1).agent_connected = False
    found = world.found(Floor(world.cluster.instances.values()), body=wanted)
    assert no_place(found).text == (
        "was unable to place a task because no container instance met all of its requirements. The "
        f"closest matching (container-instance {world.instance(2).id}) {lacking} For more "
        "information, see the Troubleshooting section of the Amazon ECS Developer Guide."
    )


def test_a_constraint_in_an_event() -> None:
    world = World(1)
    found = world.found(
        Floor(world.cluster.instances.values()), constraints=[member_of("agentConnected == false")]
    )
    assert 'encountered error "MemberOf placement constraint unsatisfied."' in no_place(found).text


def test_a_thousand_instances() -> None:
    """Ten tasks of RunTask, with all that can be asked for, in a moment."""
    world = World(1000, cpu=256)
    strategy = [SPREAD_ZONES, {"type": "spread", "field": "instanceId"}, BINPACK]
    constraints = [member_of("attribute:ecs.os-type == linux"), {"type": "distinctInstance"}]
    began = perf_counter()
    placed = world.place(10, strategy=strategy, constraints=constraints)
    took = perf_counter() - began
    assert len(set(placed)) == 10
    assert took < 2.0
    assert world.reasons(body={"container": {"cpu": 9999}}) == ["RESOURCE:CPU"] * 1000
