"""The tasks of a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import MutableMapping
from collections.abc import ValuesView

from kecs_server.domain.task import Task


class Tasks(MutableMapping[str, Task]):
    """Tasks by id, in the order of their creation; those of a service are found at once, however
    many there are besides.
    """

    def __init__(self) -> None:
        self._all: dict[str, Task] = {}
        self._by_service: dict[str, dict[str, Task]] = {}

    def of_service(self, name: str) -> Iterable[Task]:
        return self._by_service.get(name, {}).values()

    def __getitem__(self, id: str) -> Task:
        return self._all[id]

    def __setitem__(self, id: str, task: Task) -> None:
        self._all[id] = task
        if task.service_name is not None:
            self._by_service.setdefault(task.service_name, {})[id] = task

    def __delitem__(self, id: str) -> None:
        name = self._all.pop(id).service_name
        if name is not None:
            own = self._by_service[name]
            del own[id]
            if not own:
                del self._by_service[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def values(self) -> ValuesView[Task]:
        return self._all.values()
