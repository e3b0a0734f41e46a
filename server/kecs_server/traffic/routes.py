"""Which target the next request goes to. No I/O; the load balancers' one thread uses it."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from dataclasses import field

from kecs_server.domain.target import DRAINING
from kecs_server.domain.target import HEALTHY
from kecs_server.domain.target import INITIAL
from kecs_server.domain.target import UNHEALTHY
from kecs_server.network.forwarding import Side

Key = tuple[str, str, int]


@dataclass(slots=True, kw_only=True, eq=False)
class Backend:
    """A target as requests see it. `is_near`: this process can connect to where it listens, which
    is `address` once that is known; `turn`: when it was chosen last; `gone`: it is no target any
    more.
    """

    task_id: str
    key: Key
    revision: str
    connect: Callable[[], socket.socket]
    is_near: bool = False
    address: tuple[str, int] | None = None
    state: str = INITIAL
    under_way: int = 0
    turn: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def group(self) -> str:
        return self.key[0]

    @property
    def is_drained(self) -> bool:
        return self.state == DRAINING and not self.under_way


Connected = tuple[Backend, Side]
Connect = Callable[[], AbstractAsyncContextManager[Connected | None]]
"""A connection to a target, which is in use for that long. None: there is no target.

:raises ConnectionRefusedError: no target accepts one.
"""


class Router:
    """Shares requests out to groups by weight, and in a group to one target after the other.

    Not at random, as a load balancer of AWS: of ten requests with the weights 90 and 10 exactly
    one goes to the second group.
    """

    def __init__(self) -> None:
        self._weights: dict[str, float] = {}
        self._credits: dict[str, float] = {}
        self._turn = 0
        self.counts: Counter[tuple[str, str]] = Counter()
        """Requests and connections that were answered, by revision and task id."""

    @property
    def weights(self) -> Mapping[str, float]:
        """Percent of the requests that each target group gets, by its ARN."""
        return self._weights

    def weigh(self, weights: Mapping[str, float]) -> None:
        if weights != self._weights:
            self._weights = dict(weights)
            self._credits = dict.fromkeys(weights, 0.0)

    def choose_group(self) -> str | None:
        """The group that the next request goes to: smooth weighted round robin."""
        shares = {group: weight for group, weight in self._weights.items() if weight > 0}
        if not shares:
            return None
        for group, weight in shares.items():
            self._credits[group] += weight
        chosen = max(shares, key=lambda group: self._credits[group])
        self._credits[chosen] -= sum(shares.values())
        return chosen

    def choose(self, backends: Iterable[Backend], tried: Collection[Backend]) -> Backend | None:
        """A healthy target of a group, or any of one that has unhealthy ones alone; none of those
        that were tried.
        """
        known = list(backends)
        left = [each for each in known if each.state == HEALTHY and each not in tried]
        if not any(each.state == HEALTHY for each in known):
            left = [each for each in known if each.state == UNHEALTHY and each not in tried]
        if not left:
            return None
        self._turn += 1
        chosen = min(left, key=lambda each: each.turn)
        chosen.turn = self._turn
        return chosen

    def count(self, backend: Backend) -> None:
        self.counts[backend.revision, backend.task_id] += 1
