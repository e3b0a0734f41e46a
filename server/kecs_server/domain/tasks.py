"""The tasks of a cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping

from kecs_server.domain.ordered import Ordered
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task


class Tasks(Ordered[Task]):
    """Tasks by id. Those of a service are found at once, and who asks from within; and it is known
    how many there are in each state, and of which definitions, however many there are besides.
    """

    def __init__(self) -> None:
        super().__init__()
        self._by_service: dict[str, dict[str, Task]] = {}
        self._by_secret: dict[str, Task] = {}
        self._counts: Counter[tuple[str, Status]] = Counter()
        self._live: Counter[str] = Counter()

    @property
    def counts(self) -> Mapping[tuple[str, Status], int]:
        """By launch type and last status."""
        return self._counts

    @property
    def live_definitions(self) -> Collection[str]:
        """The ARNs of the definitions of those that have not stopped."""
        return self._live.keys()

    def asking(self, secret: str) -> Task | None:
        """The one that has these credentials, or a container with this metadata address."""
        return self._by_secret.get(secret)

    def of_service(self, name: str) -> Iterable[Task]:
        return self._by_service.get(name, {}).values()

    def __setitem__(self, id: str, task: Task) -> None:
        """A task is put in once."""
        super().__setitem__(id, task)
        self._counts[task.launch_type, task.last_status] += 1
        task.on_move = self._count_move
        self._by_secret.update(dict.fromkeys(_secrets_of(task), task))
        if not task.is_stopped:
            self._live[task.task_definition.arn] += 1
        if task.service_name is not None:
            self._by_service.setdefault(task.service_name, {})[id] = task

    def __delitem__(self, id: str) -> None:
        task = self[id]
        super().__delitem__(id)
        self._counts[task.launch_type, task.last_status] -= 1
        task.on_move = None
        for secret in _secrets_of(task):
            del self._by_secret[secret]
        if not task.is_stopped:
            self._end_of(task)
        name = task.service_name
        if name is not None:
            own = self._by_service[name]
            del own[id]
            if not own:
                del self._by_service[name]

    def _count_move(self, task: Task, before: Status) -> None:
        self._counts[task.launch_type, before] -= 1
        self._counts[task.launch_type, task.last_status] += 1
        if task.is_stopped:
            self._end_of(task)

    def _end_of(self, task: Task) -> None:
        arn = task.task_definition.arn
        self._live[arn] -= 1
        if not self._live[arn]:
            del self._live[arn]


def _secrets_of(task: Task) -> list[str]:
    return [task.credentials_id, *(container.metadata_id for container in task.containers)]
