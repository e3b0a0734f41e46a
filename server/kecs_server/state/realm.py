"""Realms: what an access key stands for. Each has one lock, which publishes every change."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Protocol

from kecs_server.domain.arns import parse_arn
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.daemon import Daemon
from kecs_server.domain.daemon_service import want_all_seats
from kecs_server.domain.daemon_task_definition import DaemonTaskDefinition
from kecs_server.domain.gateway import Gateway
from kecs_server.domain.hosts import Hosts
from kecs_server.domain.hosts import follow
from kecs_server.domain.images import Images
from kecs_server.domain.instance import UNKNOWN_HOST
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.instance import Host
from kecs_server.domain.service import Service
from kecs_server.domain.target import TargetGroup
from kecs_server.domain.task import Task
from kecs_server.state.clock import Clock
from kecs_server.state.event_log import EventLog
from kecs_server.state.registered import Registered
from kecs_server.state.store import Store
from kecs_server.state.timeline import Timeline

Managed = Daemon | DaemonTaskDefinition | Gateway
"""What the scheduler looks after besides tasks and services."""


class Watcher(Protocol):
    """Is told of every change that is published, under the realm's lock: it must not wait."""

    def task_changed(self, realm: Realm, task: Task) -> None: ...

    def service_changed(self, realm: Realm, service: Service) -> None: ...

    def instance_changed(self, realm: Realm, instance: ContainerInstance) -> None: ...


class Realm:
    """A world of its own: stores by (account, region), images, what the test registered, clock,
    timeline, events; names of its engine and of the endpoint that has the rest of AWS. `netns`:
    tasks that are processes have networks of their own.

    `hosts`: the machines of its engine; `endpoint`: this server's own URL. `version` grows with
    every change, the last of which was at `changed_at` (`time.monotonic()`). The scheduler is told
    through `wake`.
    """

    def __init__(
        self,
        *,
        id: str,
        name: str,
        engine: str,
        images: Images,
        wake: Callable[[Realm], None],
        aws_endpoint: str | None = None,
        netns: bool = False,
        manual_clock: bool = False,
        hosts: Callable[[], Sequence[Host]] = lambda: (UNKNOWN_HOST,),
        endpoint: str = "",
    ) -> None:
        self.id = id
        self.name = name
        self.engine = engine
        self.aws_endpoint = aws_endpoint
        self._netns = netns
        self.hosts = hosts
        self.endpoint = endpoint
        self.images: Images = images
        self.clock = Clock(manual=manual_clock)
        self.registered = Registered()
        self.timeline = Timeline()
        self.events = EventLog()
        self.version = 0
        self.changed_at = time.monotonic()
        self.ended = False
        self.watchers: list[Watcher] = []
        self.dirty_tasks: dict[str, tuple[Cluster, Task]] = {}
        self.dirty_services: dict[str, tuple[Cluster, Service]] = {}
        self.dirty_managed: dict[str, Managed] = {}
        self._stores: dict[tuple[str, str], Store] = {}
        self._changed = threading.Condition(threading.RLock())
        self._wake = wake

    def isolates(self, task: Task) -> bool:
        """Whether the task does not share the network of the machine that it runs on."""
        is_process = self.engine == "process"
        return is_process and self._netns and task.task_definition.network_mode != "host"

    def store(self, account: str, region: str) -> Store:
        key = (account, region)
        if key not in self._stores:
            self._stores[key] = Store(account=account, region=region)
        return self._stores[key]

    def stores(self) -> list[Store]:
        return list(self._stores.values())

    def target_group(self, arn: str) -> TargetGroup:
        """The target group of this ARN, which names its account and region."""
        parsed = parse_arn(arn)
        assert parsed is not None
        return self.store(parsed.account, parsed.region).target_groups.named(arn)

    def drop(self, store: Store) -> None:
        """Forget everything in the store."""
        del self._stores[store.account, store.region]

    @contextmanager
    def reading(self) -> Iterator[None]:
        with self._changed:
            yield

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock; afterwards the change has a version, and waiters and scheduler know."""
        with self._changed:
            try:
                yield
            finally:
                self.version += 1
                self.changed_at = time.monotonic()
                self._changed.notify_all()
        self._wake(self)

    def end(self) -> None:
        """Nothing changes any more; whoever waits is woken."""
        with self._changed:
            self.ended = True
            self.version += 1
            self._changed.notify_all()

    def touch_task(self, cluster: Cluster, task: Task) -> None:
        """The task changed: publish what happened, and have it and its service looked at."""
        for at, text in task.news:
            self.timeline.add(at, "task", task.arn, text)
        task.news.clear()
        for watcher in self.watchers:
            watcher.task_changed(self, task)
        self.look_at_task(cluster, task)
        service = cluster.services.get(task.service_name or "")
        if service is not None:
            self.touch_service(cluster, service)
        daemon = cluster.daemons.get(task.daemon_name or "")
        if daemon is not None:
            self.touch_managed(daemon)
        if task.is_stopped and cluster.is_drained(task):
            # The last tasks to leave an instance that drains are those of DAEMON services.
            for last in cluster.daemon_services():
                self.touch_service(cluster, last)

    def look_at_task(self, cluster: Cluster, task: Task) -> None:
        """Something may be due for the task, which has not changed."""
        self.dirty_tasks[task.id] = (cluster, task)

    def touch_service(self, cluster: Cluster, service: Service) -> None:
        """The service or one of its tasks changed: have it looked at."""
        self.publish_service(service)
        self.dirty_services[service.arn] = (cluster, service)

    def publish_service(self, service: Service) -> None:
        for at, text in service.news:
            self.timeline.add(at, "service", service.arn, text)
        service.news.clear()
        for watcher in self.watchers:
            watcher.service_changed(self, service)
        service.notices.clear()

    def touch_managed(self, thing: Managed) -> None:
        """The thing changed, or something of it is due: have it looked at."""
        self.publish_managed(thing)
        self.dirty_managed[thing.arn] = thing

    def publish_managed(self, thing: Managed) -> None:
        for at, text in thing.news:
            self.timeline.add(at, thing.kind, thing.arn, text)
        thing.news.clear()

    def service_of(self, task: Task) -> Service | None:
        """The service that the task is of, if it is of one that is there."""
        arn = parse_arn(task.arn)
        assert arn is not None
        cluster = self.store(arn.account, arn.region).clusters.get(
            task.cluster_arn.rpartition("/")[2]
        )
        return cluster.services.get(task.service_name or "") if cluster is not None else None

    def services(self) -> list[tuple[Cluster, Service]]:
        return [
            (cluster, service)
            for store in self.stores()
            for cluster in store.clusters.values()
            for service in cluster.services.values()
        ]

    def touch_instance(self, cluster: Cluster, instance: ContainerInstance) -> None:
        """The instance changed: publish what happened. Services and daemons may now have other
        places.
        """
        for at, text in instance.news:
            self.timeline.add(at, "container-instance", instance.arn, text)
        instance.news.clear()
        for watcher in self.watchers:
            watcher.instance_changed(self, instance)
        for service in cluster.daemon_services():
            want_all_seats(cluster, service, self.clock.now())
        for service in cluster.services.values():
            self.touch_service(cluster, service)
        for daemon in cluster.daemons.values():
            self.touch_managed(daemon)

    def hosts_changed(self, before: Hosts, after: Hosts) -> None:
        """Machines of the engine came, changed or went. Takes the lock."""
        with self.changing():
            for store in () if self.ended else self.stores():
                for cluster in store.clusters.values():
                    if cluster.is_active:
                        for instance in follow(cluster, before, after, self.clock.now()):
                            self.touch_instance(cluster, instance)

    def tasks(self) -> list[Task]:
        return [
            task
            for store in self.stores()
            for cluster in store.clusters.values()
            for task in cluster.tasks.values()
        ]

    def find_task(self, id: str) -> Task | None:
        clusters = (cluster for store in self.stores() for cluster in store.clusters.values())
        return next((cluster.tasks[id] for cluster in clusters if id in cluster.tasks), None)

    def daemons(self) -> list[tuple[Cluster, Daemon]]:
        return [
            (cluster, daemon)
            for store in self.stores()
            for cluster in store.clusters.values()
            for daemon in cluster.daemons.values()
        ]

    def wait(self, since: int, deadline: float) -> int:
        """Wait until the version is above `since` or `time.monotonic()` above `deadline`.

        :returns: the version.
        """
        with self._changed:
            while self.version <= since:
                remaining = deadline - time.monotonic()
                if remaining <= 0 or not self._changed.wait(remaining):
                    break
            return self.version
