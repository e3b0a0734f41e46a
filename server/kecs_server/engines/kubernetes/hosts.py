"""A cluster's nodes as hosts, while they come and go."""

from __future__ import annotations

import logging
from collections.abc import Callable

from kecs_server.domain.hosts import Hosts
from kecs_server.domain.instance import UNKNOWN_HOST
from kecs_server.engines.kubernetes.api import ClusterApi
from kecs_server.engines.kubernetes.api_errors import ApiError
from kecs_server.engines.kubernetes.capacity import hosts_of
from kecs_server.engines.kubernetes.capacity import node_of
from kecs_server.engines.kubernetes.streams import Json
from kecs_server.engines.kubernetes.watch import ClusterWatch

_log = logging.getLogger(__name__)

_PATIENCE = 60.0
_NONE_YET = (UNKNOWN_HOST,)
"""Where no node has taken tasks."""


class NodeHosts:
    """Tells of the hosts when it is opened, and from its own thread whenever they have changed.

    A user may be confined to a namespace and see no nodes: then there is one host, unknown.
    """

    def __init__(self, api: ClusterApi, tell: Callable[[Hosts], None]) -> None:
        self._api = api
        self._tell = tell
        self._nodes: dict[str, Json] = {}
        self._told: Hosts | None = None
        self._watch = ClusterWatch(
            api.list_nodes, api.watch_nodes, self, name="node", patience=_PATIENCE
        )

    def open(self) -> None:
        try:
            nodes = self._api.nodes()
        except ApiError as error:
            _log.info("The nodes cannot be seen: %s", error)
            self._tell(Hosts(usable=_NONE_YET))
            return
        self._nodes = {node["metadata"]["name"]: node for node in nodes}
        self._look()
        self._watch.start()

    def close(self) -> None:
        self._watch.close()

    # What the watch sees (watch.Listener)

    def expected(self) -> set[str]:
        return set(self._nodes)

    def changed(self, node: Json) -> None:
        self._nodes[node["metadata"]["name"]] = node
        self._look()

    def deleted(self, node: Json) -> None:
        self._nodes.pop(node["metadata"]["name"], None)
        self._look()

    def missing(self, names: set[str]) -> None:
        for name in names:
            self._nodes.pop(name, None)
        self._look()

    def unreachable(self, error: ApiError) -> None:
        """The watch of the Pods says what that means."""

    def _look(self) -> None:
        nodes = self._nodes.values()
        usable = tuple(hosts_of(nodes))
        if not usable and (self._told is None or self._told.usable == _NONE_YET):
            usable = _NONE_YET
        seen = Hosts(
            usable=usable,
            nodes=frozenset(node_of(node) for node in nodes),
        )
        if seen != self._told:
            self._told = seen
            self._tell(seen)
