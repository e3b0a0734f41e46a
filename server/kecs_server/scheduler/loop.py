"""The one thread that acts: takes observations and wake-ups, reconciles, gives engines commands."""

from __future__ import annotations

import errno
import logging
import os
import queue
import threading
from collections.abc import Callable
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.service import Service
from kecs_server.domain.target import Target
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import Engine
from kecs_server.engines.base import ExecResult
from kecs_server.engines.base import HealthChecked
from kecs_server.engines.base import Observation
from kecs_server.engines.base import PortsBound
from kecs_server.engines.base import Removed
from kecs_server.engines.base import TaskLost
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.host import EngineHost
from kecs_server.network.host_ports import PortError
from kecs_server.network.network import Network
from kecs_server.scheduler import agent
from kecs_server.scheduler import daemons
from kecs_server.scheduler import service_tasks
from kecs_server.scheduler import services
from kecs_server.scheduler import targets
from kecs_server.scheduler.agenda import Agenda
from kecs_server.scheduler.managed import look_after
from kecs_server.scheduler.rollouts import HookCall
from kecs_server.state.realm import Managed
from kecs_server.state.realm import Realm

_log = logging.getLogger(__name__)

SpecOf = Callable[[Realm, Task], TaskSpec]
Fetch = Callable[[Realm, Task], None]
CallHook = Callable[[Realm, Cluster, Service, HookCall], None]
CheckTarget = Callable[[Realm, Task, Target], None]


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where a task is that somebody is to report of."""

    realm: Realm
    cluster: Cluster
    task: Task


@dataclass(frozen=True, slots=True)
class _End:
    """The realm has ended: its tasks are to go."""

    realm: Realm


@dataclass(frozen=True, slots=True)
class _Forget:
    """Tasks that are in no store any more are to go."""

    realm: Realm
    tasks: list[Task]


@dataclass(frozen=True, slots=True)
class _Due:
    """Something on the agenda is due."""


Item = Observation | Realm | _End | _Forget | _Due | None
Dirty = TypeVar("Dirty")


class Scheduler:
    """Owns the tasks' way to their engines. Realms wake it, engines call `observe`.

    :param fetch: gets what a task refers to; returns at once and ends in an observation.
    :param call_hook: calls a hook of a deployment; returns at once and ends in a change.
    :param check_target: makes a target's health check; returns at once and ends in an observation.
    """

    def __init__(
        self,
        engines: Mapping[str, EngineHost],
        network: Network,
        spec_of: SpecOf,
        fetch: Fetch,
        call_hook: CallHook,
        check_target: CheckTarget,
    ) -> None:
        self._engines = engines
        self._network = network
        self._spec_of = spec_of
        self._fetch = fetch
        self._call_hook = call_hook
        self._check_target = check_target
        self._fetching: dict[str, _Placed] = {}
        self._inbox: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._placed: dict[str, _Placed] = {}
        self._ending: dict[Realm, threading.Event] = {}
        self._agenda = Agenda()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; engines are left as they are."""
        self._inbox.put(None)
        self._thread.join()

    def wake(self, realm: Realm) -> None:
        """Something changed in the realm. Thread-safe."""
        self._inbox.put(realm)

    def observe(self, observation: Observation) -> None:
        """An engine saw something. Thread-safe."""
        self._inbox.put(observation)

    def end(self, realm: Realm) -> threading.Event:
        """Kill and forget every task of the realm, which changes no more. Thread-safe.

        :returns: set when the engine has nothing of the realm any more.
        """
        realm.end()
        gone = self._ending[realm] = threading.Event()
        self._inbox.put(_End(realm))
        return gone

    def forget(self, realm: Realm, tasks: list[Task]) -> None:
        """Kill tasks that were dropped from the realm. Thread-safe."""
        self._inbox.put(_Forget(realm, tasks))

    def _run(self) -> None:
        while True:
            try:
                item = self._inbox.get(timeout=self._agenda.patience())
            except queue.Empty:
                item = _Due()
            if item is None:
                return
            try:
                self._handle(item)
            except Exception:
                _log.exception("the scheduler could not handle %r", item)

    def _handle(self, item: Item) -> None:
        if isinstance(item, Realm):
            self._reconcile(item)
        elif isinstance(item, _End):
            self._agenda.forget(item.realm)
            self._remove(item.realm, self._tasks_of(item.realm))
            self._notice_end(item.realm)
        elif isinstance(item, _Forget):
            self._remove(item.realm, item.tasks)
        elif isinstance(item, Observation):
            self._take(item)
        # Also while others keep the inbox from ever being empty.
        if self._agenda.patience() == 0:
            self._look_at_what_is_due()

    def _look_at_what_is_due(self) -> None:
        realms: set[Realm] = set()
        for realm, look in self._agenda.take_due():
            realms.add(realm)
            with realm.reading():
                look()
        for realm in realms:
            self._reconcile(realm)

    def _look_at_task(self, realm: Realm, cluster: Cluster, task: Task) -> None:
        if task.is_visible(realm.clock.now()):
            realm.look_at_task(cluster, task)
        elif cluster.tasks.pop(task.id, None) and not task.is_orphaned:
            self._discard(realm, task)

    def _look_at_service(self, realm: Realm, cluster: Cluster, name: str) -> None:
        service = cluster.services.get(name)
        if service is None:
            return
        if service.is_visible(realm.clock.now()):
            realm.touch_service(cluster, service)
        else:
            del cluster.services[name]

    def _tasks_of(self, realm: Realm) -> list[Task]:
        """Those with records, and orphans that run on without."""
        known = {task.id: task for task in realm.tasks()}
        placed = {p.task.id: p.task for p in self._placed.values() if p.realm is realm}
        return list({**known, **placed}.values())

    def _remove(self, realm: Realm, tasks: list[Task]) -> None:
        for task in tasks:
            if task.id in self._placed:
                self._network.detach(task.id)
                self._carry_out(realm, task, agent.Remove())
            elif task.provision_asked:
                # Of any other task the engine knows nothing: it need not even be opened.
                self._discard(realm, task)

    def _discard(self, realm: Realm, task: Task) -> None:
        self._command(realm, task, lambda engine: engine.discard(task.id))

    def _notice_end(self, realm: Realm) -> None:
        if all(placed.realm is not realm for placed in self._placed.values()):
            gone = self._ending.pop(realm, None)
            if gone is not None:
                gone.set()

    def _take(self, observation: Observation) -> None:
        placed = self._placed.get(observation.task_id)
        if placed is None:
            # Nothing of it is in the engine yet: no more than this is reported.
            placed = self._fetching.pop(observation.task_id, None)
        if placed is None:
            return
        realm, cluster, task = placed.realm, placed.cluster, placed.task
        is_last = isinstance(observation, Removed) or (
            # The engine itself is gone: there is nobody left to remove the task.
            isinstance(observation, TaskLost) and (task.is_stopped or realm.ended)
        )
        if is_last:
            del self._placed[task.id]
        if is_last and task.id not in cluster.tasks:
            self._discard(realm, task)
        if realm.ended:
            if is_last:
                self._discard(realm, task)
                self._notice_end(realm)
            return
        if isinstance(observation, targets.TargetChecked):
            self._take_check(realm, cluster, task, observation)
        else:
            with realm.changing():
                before, now = task.last_status, realm.clock.now()
                agent.observed(task, observation, now)
                self._publish(realm, cluster, task, before, now)
        self._reconcile(realm)

    def _take_check(
        self, realm: Realm, cluster: Cluster, task: Task, observation: targets.TargetChecked
    ) -> None:
        """Most checks change nothing, and nobody is told of them."""
        with realm.reading():
            now = realm.clock.now()
            if targets.take_check(task, observation, now):
                with realm.changing():
                    self._publish(realm, cluster, task, task.last_status, now)
            else:
                realm.look_at_task(cluster, task)

    def _reconcile(self, realm: Realm) -> None:
        """One look: tasks first, then the services that they touched. What changes by that wakes
        the loop again, so that observations, other realms and the end have their turn.
        """
        if realm.ended or not (realm.dirty_tasks or realm.dirty_services or realm.dirty_managed):
            return
        commands: list[tuple[Task, agent.Command]] = []
        with realm.changing():
            for cluster, task in _taken(realm.dirty_tasks):
                commands += [(task, c) for c in self._advance(realm, cluster, task)]
            # The tasks of DAEMON services are started before others (ecs-facts 7.6).
            dirty = sorted(_taken(realm.dirty_services), key=lambda each: not each[1].is_daemon)
            for cluster, service in dirty:
                self._reconcile_service(realm, cluster, service)
            for thing in _taken(realm.dirty_managed):
                self._look_after(realm, thing)
        for task, command in commands:
            self._try(realm, task, command)

    def _advance(self, realm: Realm, cluster: Cluster, task: Task) -> list[agent.Command]:
        before, now = task.last_status, realm.clock.now()
        if daemons.is_held(cluster, task):
            return []
        commands = agent.next_commands(task, now)
        if task.last_status != before:
            self._publish(realm, cluster, task, before, now)
        if agent.Fetch() in commands:
            self._fetching[task.id] = _Placed(realm, cluster, task)
        if agent.Provision() in commands:
            self._placed[task.id] = _Placed(realm, cluster, task)
        if agent.Remove() in commands:
            # Before anybody can see that the task has stopped.
            self._network.detach(task.id)
        at = agent.look_again_at(task)
        if at is not None:
            self._agenda.add(realm, at, task.arn, partial(self._look_at_task, realm, cluster, task))
        return commands

    def _publish(
        self, realm: Realm, cluster: Cluster, task: Task, before: Status, now: float
    ) -> None:
        service = cluster.services.get(task.service_name or "")
        if service is not None:
            targets.note(service, task)
        if service is not None and before != task.last_status:
            service_tasks.notice(service, task, before, now)
        daemon = cluster.daemons.get(task.daemon_name or "")
        if daemon is not None:
            daemons.notice(daemon, task, before, now)
        realm.touch_task(cluster, task)

    def _reconcile_service(self, realm: Realm, cluster: Cluster, service: Service) -> None:
        alarms = realm.registered.alarms
        targets.announce(service, realm.clock.now())
        outcome = services.reconcile(cluster, service, realm.clock.now(), alarms)
        for task in outcome.touched:
            realm.touch_task(cluster, task)
        for call in outcome.calls:
            self._call_hook(realm, cluster, service, call)
        realm.publish_service(service)
        if outcome.look_again_at is not None:
            look = partial(self._look_at_service, realm, cluster, service.name)
            self._agenda.add(realm, outcome.look_again_at, service.arn, look)

    def _look_after(self, realm: Realm, thing: Managed) -> None:
        at = look_after(realm, thing)
        realm.publish_managed(thing)
        if at is not None:
            self._agenda.add(realm, at, thing.arn, partial(realm.touch_managed, thing))

    def _try(self, realm: Realm, task: Task, command: agent.Command) -> None:
        """Carry out a command; a task that cannot be served is lost, not left waiting for ever."""
        try:
            self._carry_out(realm, task, command)
        except Exception as error:
            reason = f"Internal error: {error!r}"
            if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
                reason = f"the server has {os.strerror(error.errno).lower()}"
            _log.exception("%r for task %s failed", command, task.id)
            self.observe(TaskLost(task_id=task.id, reason=reason))

    def _carry_out(self, realm: Realm, task: Task, command: agent.Command) -> None:
        match command:
            case agent.Fetch():
                self._fetch(realm, task)
            case agent.Provision():
                spec = self._spec_of(realm, task)
                self._command(realm, task, lambda engine: engine.provision(spec))
            case agent.StartContainer(name):
                self._start(realm, task, name)
            case agent.StopContainers(names):
                self._command(realm, task, lambda engine: engine.stop_containers(task.id, names))
            case agent.CheckHealth(name, argv, timeout):
                self._command(
                    realm,
                    task,
                    lambda engine: self._tell_health(
                        task.id, name, engine.execute(task.id, name, argv, timeout)
                    ),
                )
            case targets.CheckTarget(target):
                self._check_target(realm, task, target)
            case agent.Remove():
                self._command(realm, task, lambda engine: engine.remove(task.id))

    def _start(self, realm: Realm, task: Task, name: str) -> None:
        try:
            bindings = self._network.open(task, name)
        except PortError as error:
            self.observe(
                ContainerStopped(task_id=task.id, container=name, exit_code=None, reason=str(error))
            )
            return
        if bindings:
            self.observe(PortsBound(task_id=task.id, container=name, bindings=bindings))
        self._command(realm, task, lambda engine: engine.start_container(task.id, name))

    def _tell_health(self, task_id: str, container: str, future: Future[ExecResult]) -> None:
        def tell(done: Future[ExecResult]) -> None:
            result = done.result()
            self.observe(
                HealthChecked(
                    task_id=task_id,
                    container=container,
                    exit_code=result.exit_code,
                    output=result.output.decode(errors="replace"),
                )
            )

        future.add_done_callback(tell)

    def _command(self, realm: Realm, task: Task, command: Callable[[Engine], None]) -> None:
        self._engines[realm.engine].command(task.id, command)


def _taken(dirty: dict[str, Dirty]) -> list[Dirty]:
    items = list(dirty.values())
    dirty.clear()
    return items
