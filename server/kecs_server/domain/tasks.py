"""The tasks of a cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping

from kecs_server.domain.ordered import Ordered
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task


class Tasks(Ordered[Task]):
    """Tasks by id. Those of a service are found at once, and how many there are in each state is
    known, however many there are besides.
    """

    def __init__(self) -> None:
        super().__init__()
        self._by_service: dict[str, dict[str, Task]] = {}
        self._counts: Counter[tuple[str, Status]] = Counter()

    @property
    def counts(self) -> Mapping[tuple[str, Status], int]:
        """By launch type and last status."""
        return self._counts

    def of_service(self, name: str) -> Iterable[Task]:
        return self._by_service.get(name, {}).values()

    def __setitem__(self, id: str, task: Task) -> None:
        """A task is put in once."""
        super().__setitem__(id, task)
        self._counts[task.launch_type, task.last_status] += 1
        task.on_move = self._count_move
        if task.service_name is not None:
            self._by_service.setdefault(task.service_name, {})[id] = task

    def __delitem__(self, id: str) -> None:
        task = self[id]
        super().__delitem__(id)
        self._counts[task.launch_type, task.last_status] -= 1
        task.on_move = None
        name = task.service_name
        if name is not None:
            own = self._by_service[name]
            del own[id]
            if not own:
                del self._by_service[name]

    def _count_move(self, task: Task, before: Status) -> None:
        self._counts[task.launch_type, before] -= 1
        self._counts[task.launch_type, task.last_status] += 1
