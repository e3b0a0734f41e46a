"""What is due on the clocks of realms: a heap for each, since a test can advance its clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from itertools import count

from kecs_server.state.realm import Realm

Look = Callable[[], None]
"""Has the thing looked at; called under the realm's lock."""


@dataclass(slots=True)
class _Page:
    """`planned` has the earliest time of each thing, by its ARN; later entries are void."""

    heap: list[tuple[float, int, str, Look]] = field(default_factory=list)
    planned: dict[str, float] = field(default_factory=dict)


class Agenda:
    """Which tasks, services and other things are to be looked at when. Not thread-safe."""

    def __init__(self) -> None:
        self._pages: dict[Realm, _Page] = {}
        self._count = count()

    def add(self, realm: Realm, at: float, arn: str, look: Look) -> None:
        """Look at the thing at `at` (realm's clock), or earlier if that is planned already."""
        page = self._pages.setdefault(realm, _Page())
        if page.planned.get(arn, at + 1) > at:
            page.planned[arn] = at
            heapq.heappush(page.heap, (at, next(self._count), arn, look))

    def forget(self, realm: Realm) -> None:
        self._pages.pop(realm, None)

    def patience(self) -> float | None:
        """Seconds until the next thing is due; None if nothing is, unless a clock is advanced."""
        waits = (realm.clock.seconds_until(page.heap[0][0]) for realm, page in self._pages.items())
        return min((wait for wait in waits if wait is not None), default=None)

    def take_due(self) -> Iterator[tuple[Realm, Look]]:
        """Everything that is due by now, taken off."""
        for realm, page in list(self._pages.items()):
            while page.heap and page.heap[0][0] <= realm.clock.now():
                at, _, arn, look = heapq.heappop(page.heap)
                if page.planned.get(arn) == at:
                    del page.planned[arn]
                    yield realm, look
            if not page.heap:
                del self._pages[realm]
