"""A cluster's nodes as hosts: what is told of them when they come, change and go."""

from __future__ import annotations

from typing import Any
from typing import cast

from kecs_server.domain.hosts import Hosts
from kecs_server.domain.instance import UNKNOWN_HOST
from kecs_server.engines.kubernetes.api import ClusterApi
from kecs_server.engines.kubernetes.api_errors import ApiError
from kecs_server.engines.kubernetes.hosts import NodeHosts
from test_capacity import node

FORBIDDEN = ApiError(status=403, reason="Forbidden", message="no nodes for you")


class Nodes:
    """The API server, of which the watch hears nothing; tests say what happens."""

    def __init__(self, *nodes: Any, error: ApiError | None = None) -> None:
        self.told: list[Hosts] = []
        self._nodes = nodes
        self._error = error
        self.hosts = NodeHosts(cast(ClusterApi, self), self.told.append)
        self.hosts.open()
        self.hosts.close()

    def nodes(self) -> list[Any]:
        if self._error is not None:
            raise self._error
        return list(self._nodes)

    def list_nodes(self) -> tuple[list[Any], str]:
        return list(self._nodes), "1"

    def watch_nodes(self, version: str) -> Any:
        raise FORBIDDEN

    def names(self) -> list[str | None]:
        return [host.node for host in self.told[-1].usable]


def test_told_at_once_and_when_they_change() -> None:
    world = Nodes(node("a"), node("b"))
    assert world.names() == ["a", "b"]
    world.hosts.changed(node("c"))
    assert world.names() == ["a", "b", "c"]
    world.hosts.deleted(node("a"))
    assert world.names() == ["b", "c"]
    world.hosts.missing({"b"})
    assert world.names() == ["c"]
    assert world.hosts.expected() == {"c"}
    assert len(world.told) == 4


def test_what_makes_no_difference_is_not_told() -> None:
    world = Nodes(node("a"))
    beating = node("a")
    beating["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    world.hosts.changed(beating)
    assert len(world.told) == 1


def test_a_silent_node_is_there_and_not_connected() -> None:
    world = Nodes(node("a"))
    silent = node("a")
    silent["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]
    world.hosts.changed(silent)
    assert [host.is_connected for host in world.told[-1].usable] == [False]


def test_a_cordoned_node_is_there_and_takes_nothing() -> None:
    world = Nodes(node("a"))
    world.hosts.changed(node("a", unschedulable=True))
    assert world.told[-1] == Hosts(usable=(), nodes=frozenset({"a"}))


def test_who_may_not_see_nodes_has_one_that_is_unknown() -> None:
    assert Nodes(error=FORBIDDEN).told == [Hosts(usable=(UNKNOWN_HOST,))]


def test_where_no_node_takes_tasks_there_is_one_that_is_unknown() -> None:
    control = node("control", taints=[{"key": "mine", "effect": "NoSchedule"}])
    world = Nodes(control)
    assert world.told[-1].usable == (UNKNOWN_HOST,)
    world.hosts.changed(node("a"))
    assert world.names() == ["a"]
