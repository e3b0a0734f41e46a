"""The tasks of one open engine: orders to the cluster, what the watch sees to observations."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import RLock

from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import EngineError
from kecs_server.engines.base import Observation
from kecs_server.engines.base import Observer
from kecs_server.engines.base import Provisioned
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.kubernetes import reasons
from kecs_server.engines.kubernetes.api import ClusterApi
from kecs_server.engines.kubernetes.api_errors import ApiError
from kecs_server.engines.kubernetes.clusters import Cluster
from kecs_server.engines.kubernetes.containers import find_obstacle
from kecs_server.engines.kubernetes.facts import read_pod
from kecs_server.engines.kubernetes.inside import Inside
from kecs_server.engines.kubernetes.labels import environment_selector
from kecs_server.engines.kubernetes.logs import FollowedLogs
from kecs_server.engines.kubernetes.logs import LogKeeper
from kecs_server.engines.kubernetes.logs import log_source
from kecs_server.engines.kubernetes.nodelogs import NodeLogs
from kecs_server.engines.kubernetes.ordered import OrderedPool
from kecs_server.engines.kubernetes.pods import GATE_IMAGE
from kecs_server.engines.kubernetes.pods import Place
from kecs_server.engines.kubernetes.pods import build_pod
from kecs_server.engines.kubernetes.pods import image_patch
from kecs_server.engines.kubernetes.secrets import build_secret
from kecs_server.engines.kubernetes.services import build_services
from kecs_server.engines.kubernetes.stopping import NodeStopper
from kecs_server.engines.kubernetes.stopping import PodStopper
from kecs_server.engines.kubernetes.stopping import Stopper
from kecs_server.engines.kubernetes.streams import Json
from kecs_server.engines.kubernetes.timers import Timers
from kecs_server.engines.kubernetes.tracker import Container
from kecs_server.engines.kubernetes.tracker import Phase
from kecs_server.engines.kubernetes.tracker import Task
from kecs_server.engines.kubernetes.tracker import named
from kecs_server.engines.kubernetes.watch import ClusterWatch

_log = logging.getLogger(__name__)

_THREADS = 8
_FORCE_SECONDS = 30.0
_SHARED = "/var/lib/kecs"  # on a kind node, which goes with the environment


class Tasks:
    """One lock guards all records; it is never held while the cluster is asked. Observations are
    sent with it held, so that they arrive in order.
    """

    def __init__(
        self,
        *,
        api: ClusterApi,
        cluster: Cluster,
        environment: str,
        namespace: str,
        directory: Path,
        observe: Observer,
        unreachable_after: float,
        no_room_after: float,
    ) -> None:
        self._api = api
        self._cluster = cluster
        self._environment = environment
        self._namespace = namespace
        self._observe = observe
        self._no_room_after = no_room_after
        self._shared = f"{_SHARED}/{environment}" if cluster.has_nodes else None
        self._lock = RLock()
        self._tasks: dict[str, Task] = {}
        self._by_pod: dict[str, Task] = {}
        self._pool = OrderedPool("kecs-kubernetes", _THREADS)
        self._timers = Timers("kecs-kubernetes-timers")
        self._logs: LogKeeper
        self._stopper: Stopper
        if cluster.has_nodes:
            self._logs = NodeLogs(directory, namespace)
            self._stopper = NodeStopper(self._lock, self._pool, self._timers)
        else:
            self._logs = FollowedLogs(directory, api, namespace)
            self._stopper = PodStopper(self._lock, self._pool, api, namespace)
        self.inside = Inside(
            self._tasks, self._lock, api, namespace, self._logs, has_nodes=cluster.has_nodes
        )
        selector = environment_selector(environment)
        self._watch = ClusterWatch(
            partial(api.list_pods, namespace, selector),
            partial(api.watch_pods, namespace, selector),
            self,
            name="pod",
            patience=unreachable_after,
        )

    def start(self) -> None:
        self._watch.start()

    def close(self) -> None:
        """Stop observing and acting; Pods are left to whoever deletes the namespace."""
        self._watch.close()
        self._timers.close()
        self.inside.close()
        self._logs.close()
        self._pool.close(5)

    def provision(self, spec: TaskSpec) -> None:
        with self._lock:
            if spec.task_id in self._tasks:
                return
            task = Task(spec)
            self._tasks[task.id] = self._by_pod[task.pod] = task
            self._send(task, [Provisioned(task_id=task.id)])

    def start_container(self, task_id: str, container: str) -> None:
        with self._lock:
            task = self._tasks.get(task_id)
            if task is None or container not in task.containers:
                return
            record = task.containers[container]
            if record.uses_up_its_places():
                self._send(task, task.cannot_restart(record))
            if not record.begin():
                return
            if task.deleting or task.gone:
                self._send(task, task.never_ran(record, reasons.cannot_start("the Pod is gone")))
                return
        self._pool.submit(task_id, lambda: self._release(task))

    def stop_containers(self, task_id: str, containers: Sequence[str]) -> None:
        with self._lock:
            task = self._tasks.get(task_id)
            if task is None:
                return
            chosen = [
                each
                for each in named(task, containers)
                if each.phase in (Phase.STARTING, Phase.RUNNING) and not each.stop_asked
            ]
            for container in chosen:
                container.stop_asked = True
                if not container.released:
                    self._send(task, task.never_ran(container, None))
            live = [each for each in chosen if each.phase is not Phase.STOPPED]
            if live:
                self._stopper.stop(task, live)

    def remove(self, task_id: str) -> None:
        with self._lock:
            task = self._tasks.get(task_id)
            if task is None or task.removing:
                return
            task.removing = task.deleting = True
        self._pool.submit(task_id, lambda: self._delete(task))

    def discard(self, task_id: str) -> None:
        with self._lock:
            task = self._tasks.get(task_id)
            if task is None or not task.removed:
                return
            del self._tasks[task_id], self._by_pod[task.pod]
        self._logs.discard(task_id)

    # What the watch sees (watch.Listener)

    def expected(self) -> set[str]:
        with self._lock:
            return {each.pod for each in self._tasks.values() if each.created and not each.gone}

    def changed(self, pod: Json) -> None:
        with self._lock:
            task = self._by_pod.get(pod["metadata"]["name"])
            if task is None:
                return
            facts = read_pod(pod)
            had_room = task.no_room is None
            self._send(task, task.saw(facts))
            if had_room and task.no_room is not None:
                self._timers.after(self._no_room_after, partial(self._give_up, task))
            if facts.is_ending and not task.ending:
                task.ending = True
                self._has_been_deleted(task, facts.grace)

    def deleted(self, pod: Json) -> None:
        with self._lock:
            self.changed(pod)
            task = self._by_pod.get(pod["metadata"]["name"])
            if task is not None:
                self._send(task, task.is_gone(task.why_ending))

    def missing(self, names: set[str]) -> None:
        with self._lock:
            for task in [self._by_pod[name] for name in names if name in self._by_pod]:
                self._send(task, task.is_gone("the Pod is gone and nobody saw its end"))

    def unreachable(self, error: ApiError) -> None:
        _log.error("All tasks are lost: %s", error)
        with self._lock:
            for task in list(self._tasks.values()):
                if not task.gone:
                    self._send(task, task.is_gone(error.message))

    def _give_up(self, task: Task) -> None:
        """No node has taken the Pod for too long."""
        with self._lock:
            if task.no_room is not None and not task.gone and not task.deleting:
                self._send(task, task.is_gone(reasons.no_room(task.no_room)))

    # Jobs: in the pool, one after another for each task

    def _release(self, task: Task) -> None:
        """Let go all containers that were told to start since the last time."""
        with self._lock:
            waiting = [each for each in task.in_phase(Phase.STARTING) if not each.prepared]
        for container in waiting:
            self._prepare(task, container)
        with self._lock:
            ready = [each for each in waiting if each.is_starting]
            for container in ready:
                container.released = True
        if not ready:
            return
        try:
            if task.created:
                self._set_images(task, {each.place: each.spec.image for each in ready})
            else:
                self._create(task, ready)
        except ApiError as error:
            # A Pod that is gone is the watch's to report.
            if error.status != 404:
                for container in ready:
                    self._never_ran(task, container, reasons.cannot_start(error.message))

    def _prepare(self, task: Task, container: Container) -> None:
        """Have its image in the cluster, as far as that is up to us."""
        spec = container.spec
        with self._lock:
            container.prepared = True
            self._send(task, task.pull_begins())
        if spec.pull_error is not None:
            self._never_ran(task, container, reasons.pull_refused(spec.pull_error))
            return
        obstacle = find_obstacle(task.spec, spec, can_share=self._shared is not None)
        if obstacle is not None:
            self._never_ran(task, container, reasons.cannot_have(obstacle))
            return
        try:
            self._cluster.provide_image(spec.image)
        except EngineError as error:
            self._never_ran(task, container, reasons.cannot_load(error))

    def _create(self, task: Task, ready: Sequence[Container]) -> None:
        """Create the Pod only now: kubelet needs half a second more for containers that it saw
        held before.
        """
        secret = build_secret(task.spec, self._environment)
        try:
            pod = build_pod(
                task.spec,
                self._environment,
                released={each.spec.name for each in ready},
                shared_directory=self._shared,
                hosts=self._make_services(task),
            )
            if secret is not None:
                task.has_secret = True
                self._api.create_secret(self._namespace, secret)
            self._api.create_pod(self._namespace, pod)
        except ApiError as error:
            self._gone(task, f"the Pod could not be created: {error.message}")
            return
        with self._lock:
            task.created = True

    def _make_services(self, task: Task) -> dict[str, str]:
        """The addresses of what the task finds by name."""
        addresses = {}
        for host, service in build_services(task.spec, self._environment).items():
            task.services.append(service["metadata"]["name"])
            addresses[host] = self._api.create_service(self._namespace, service)
        return addresses

    def _hold_again(self, task: Task, place: Place) -> None:
        """kubelet would go on trying to pull or to create it."""
        try:
            self._set_images(task, {place: GATE_IMAGE})
        except ApiError as error:
            _log.info("Task %s, holding %s: %s", task.id, place.name, error)

    def _delete(self, task: Task) -> None:
        if task.gone or not task.created:
            self._clear(task)
            return
        grace = self._stopper.kill(task)
        with self._lock:
            containers = list(task.containers.values())
        self._keep_logs(task, containers)
        try:
            self._api.delete_pod(self._namespace, task.pod, grace)
            if task.has_secret:
                self._api.delete_secret(self._namespace, task.pod)
            for service in task.services:
                self._api.delete_service(self._namespace, service)
        except ApiError as error:
            _log.warning("Task %s was not deleted: %s", task.id, error)
        if grace:
            self._force_after(task, grace)

    def _clear(self, task: Task) -> None:
        """A Pod that the cluster ended is still there as an object; others are not."""
        self._keep_logs(task, list(task.containers.values()))
        try:
            if task.created:
                self._api.delete_pod(self._namespace, task.pod, 0, patience=0)
            if task.has_secret:
                self._api.delete_secret(self._namespace, task.pod, patience=0)
            for service in task.services:
                self._api.delete_service(self._namespace, service, patience=0)
        except ApiError as error:
            _log.warning("Task %s was not deleted: %s", task.id, error)
        self._gone(task, "")

    def _force_after(self, task: Task, grace: float) -> None:
        """Should the node not answer, a Pod that is being deleted would stay for ever."""
        self._timers.after(grace + _FORCE_SECONDS, lambda: self._force(task))

    def _force(self, task: Task) -> None:
        def delete() -> None:
            if not task.gone:
                self._api.delete_pod(self._namespace, task.pod, 0)

        self._pool.submit(task.id, delete)

    def _set_images(self, task: Task, images: Mapping[Place, str]) -> None:
        patch: list[Json] = []
        for place, image in images.items():
            patch += image_patch(place, image)
        self._api.patch_pod(self._namespace, task.pod, patch)

    def _never_ran(self, task: Task, container: Container, reason: str) -> None:
        with self._lock:
            self._send(task, task.never_ran(container, reason))

    def _gone(self, task: Task, why: str) -> None:
        with self._lock:
            self._send(task, task.is_gone(why))

    def _keep_logs(self, task: Task, containers: Iterable[Container]) -> None:
        """Of those that have ended; logs that are followed come to their end by themselves."""
        for container in containers:
            if container.phase is Phase.STOPPED or container.killed:
                self._logs.keep(log_source(task, container))

    def _send(self, task: Task, observations: Iterable[Observation]) -> None:
        """Hand on what happened, and do what it calls for. The lock is held."""
        for observation in observations:
            self._observe(observation)
            if isinstance(observation, ContainerStarted):
                self._has_started(task, task.containers[observation.container])
            elif isinstance(observation, ContainerStopped):
                self._has_stopped(task, task.containers[observation.container])

    def _has_started(self, task: Task, container: Container) -> None:
        self._logs.begin(log_source(task, container))
        if container.stop_asked and container.phase is Phase.RUNNING:
            self._stopper.stop(task, [container])

    def _has_been_deleted(self, task: Task, grace: float) -> None:
        """kubelet deletes the log files as soon as the containers have ended."""
        if not task.deleting:
            self._force_after(task, grace)
        for container in task.in_phase(Phase.RUNNING):
            source = log_source(task, container)
            self._pool.submit(task.id, partial(self._logs.save, source))

    def _has_stopped(self, task: Task, container: Container) -> None:
        place = container.place
        self._pool.submit(task.id, partial(self._logs.keep, log_source(task, container)))
        if container.released and not container.runtime_id and not task.deleting:
            self._pool.submit(task.id, partial(self._hold_again, task, place))
