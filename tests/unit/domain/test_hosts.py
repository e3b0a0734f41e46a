"""Hosts that come, change and go, and a cluster's container instances."""

from __future__ import annotations

from typing import Any

import pytest
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.hosts import Hosts
from kecs_server.domain.hosts import add_host
from kecs_server.domain.hosts import add_instance
from kecs_server.domain.hosts import deregister
from kecs_server.domain.hosts import follow
from kecs_server.domain.instance import UNKNOWN_HOST
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.instance import Host
from kecs_server.domain.instance import amount

NOW = 5.0


def host(node: str | None = "a", **members: Any) -> Host:
    return Host(**{"cpu": 1024, "memory": 2048, "node": node, **members})


def hosts(*usable: Host, others: tuple[str, ...] = ()) -> Hosts:
    return Hosts(usable=usable, nodes=frozenset([each.node for each in usable] + list(others)))


@pytest.fixture
def cluster() -> Cluster:
    arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/c"
    return Cluster(name="c", arn=arn, settings=[], request={})


def seen(cluster: Cluster) -> list[tuple[str | None, str, bool]]:
    return [(i.node, i.status, i.agent_connected) for i in cluster.instances.values()]


def told(instances: list[ContainerInstance]) -> list[str]:
    return [each.news[-1][1] for each in instances]


def test_a_host_as_an_instance(cluster: Cluster) -> None:
    instance = add_host(cluster, host(), NOW)
    assert instance.arn.startswith("arn:aws:ecs:eu-west-1:123456789012:container-instance/c/")
    assert instance.attributes["ecs.availability-zone"] == "eu-west-1a"
    assert (instance.is_host, instance.agent_connected) == (True, True)


def test_a_host_that_comes_is_an_instance_where_hosts_are(cluster: Cluster) -> None:
    before, after = hosts(host()), hosts(host(), host("b"))
    assert follow(cluster, before, after, NOW) == []
    add_host(cluster, host(), NOW)
    assert told(follow(cluster, before, after, NOW)) == ["registered"]
    assert seen(cluster) == [("a", "ACTIVE", True), ("b", "ACTIVE", True)]
    assert follow(cluster, after, after, NOW) == []


def test_no_host_is_added_where_only_calls_register_instances(cluster: Cluster) -> None:
    add_instance(cluster, host(), NOW)
    assert follow(cluster, hosts(host()), hosts(host(), host("b")), NOW) == []


def test_a_host_that_goes_is_deregistered_and_is_new_when_it_comes_again(cluster: Cluster) -> None:
    add_host(cluster, host(), NOW)
    shared = add_instance(cluster, host(), NOW)
    gone = follow(cluster, hosts(host()), hosts(host("b")), NOW)
    assert told(gone) == ["INACTIVE", "INACTIVE", "registered"]
    assert (shared.deregistered_at, shared.agent_connected) == (NOW, False)
    follow(cluster, hosts(host("b")), hosts(host("b"), host()), NOW)
    registered = [each.node for each in cluster.registered_instances()]
    assert registered == ["b", "a"]


def test_one_that_a_call_deregistered_does_not_come_back(cluster: Cluster) -> None:
    deregister(cluster, add_host(cluster, host(), NOW), NOW)
    assert follow(cluster, hosts(host()), hosts(host(cpu=2048)), NOW) == []


@pytest.mark.parametrize(
    "after",
    [hosts(host("b"), others=("a",)), hosts(host(is_connected=False), host("b"))],
    ids=["takes no tasks", "is silent"],
)
def test_a_host_that_does_not_answer_is_disconnected(cluster: Cluster, after: Hosts) -> None:
    before = hosts(host(), host("b"))
    for each in before.usable:
        add_host(cluster, each, NOW)
    assert told(follow(cluster, before, after, NOW)) == ["agent disconnected"]
    assert seen(cluster) == [("a", "ACTIVE", False), ("b", "ACTIVE", True)]
    assert told(follow(cluster, after, before, NOW)) == ["agent connected"]
    assert seen(cluster) == [("a", "ACTIVE", True), ("b", "ACTIVE", True)]


def test_a_host_that_has_other_resources(cluster: Cluster) -> None:
    add_host(cluster, host(), NOW)
    shared = add_instance(cluster, host(), NOW)
    [changed] = follow(cluster, hosts(host()), hosts(host(memory=4096)), NOW)
    assert amount(changed.resources, "MEMORY") == 4096
    assert amount(shared.resources, "MEMORY") == 2048


def test_instances_with_agents_of_their_own_are_their_agents_business(cluster: Cluster) -> None:
    instance = add_instance(cluster, host(), NOW)
    instance.has_own_agent = True
    assert follow(cluster, hosts(host()), hosts(), NOW) == []


def test_what_stood_for_unseen_machines_is_one_of_them(cluster: Cluster) -> None:
    instance = add_host(cluster, UNKNOWN_HOST, NOW)
    instance.attributes["mine"] = "x"
    before = Hosts(usable=(UNKNOWN_HOST,))
    changed = follow(cluster, before, hosts(host(zone="z"), host("b")), NOW)
    assert told(changed) == ["is the node a", "registered"]
    assert [each.node for each in cluster.instances.values()] == ["a", "b"]
    assert amount(instance.resources, "CPU") == 1024
    assert (instance.attributes["mine"], instance.attributes["ecs.availability-zone"]) == ("x", "z")


def test_unseen_machines_stay_unseen(cluster: Cluster) -> None:
    add_host(cluster, UNKNOWN_HOST, NOW)
    unseen = Hosts(usable=(UNKNOWN_HOST,))
    assert follow(cluster, unseen, unseen, NOW) == []
