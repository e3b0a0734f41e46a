"""What a task has of the network, from its start to its end."""

from __future__ import annotations

import socket
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

from kecs_server.domain.faults import Fault
from kecs_server.domain.faults import Latency
from kecs_server.domain.ports import Binding
from kecs_server.domain.ways_out import Place
from kecs_server.domain.ways_out import WayOut
from kecs_server.engines.spec import TaskNetwork

if TYPE_CHECKING:
    from kecs_server.network.forwarding import Forwarder


@dataclass(slots=True, kw_only=True)
class Attached:
    """A task that has a network. `own` are the addresses taken for it alone; `ways_out` are not yet
    opened; `connects` lead to services that are found by name; `own_ports` are those of containers
    that are reached at the task's own address.
    """

    engine: str
    own: list[str]
    told: TaskNetwork
    ways_out: Sequence[WayOut] = ()
    is_closed: bool = False
    connects: Mapping[Place, Callable[[], socket.socket]] = field(default_factory=dict)
    own_ports: set[tuple[str, int]] = field(default_factory=set)
    bindings: dict[str, tuple[Binding, ...]] = field(default_factory=dict)
    faults: Mapping[str, Fault] = field(default_factory=dict)  # by name; replaced, not changed
    forwarders: list[Forwarder] = field(default_factory=list)
    on_demand: dict[tuple[str, int], Forwarder] = field(default_factory=dict)

    def delay(self, address: str) -> float:
        """Seconds that what the task sends to an address takes longer."""
        latencies = (each for each in self.faults.values() if isinstance(each, Latency))
        return sum(each.delay_to(address) for each in latencies)
