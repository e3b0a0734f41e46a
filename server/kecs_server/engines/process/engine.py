"""The process engine: a container is a process of this machine and all that descends from it."""

from __future__ import annotations

import itertools
import logging
import os
import socket
import sys
import threading
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from kecs_server.domain import instance
from kecs_server.domain.faults import BlackHole
from kecs_server.domain.faults import PacketLoss
from kecs_server.domain.images import digest_of
from kecs_server.engines.base import KILLED
from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import EngineError
from kecs_server.engines.base import ExecResult
from kecs_server.engines.base import Observation
from kecs_server.engines.base import Observer
from kecs_server.engines.base import Progress
from kecs_server.engines.base import Provisioned
from kecs_server.engines.base import PullStarted
from kecs_server.engines.base import PullStopped
from kecs_server.engines.base import Removed
from kecs_server.engines.base import TaskEnding
from kecs_server.engines.base import TaskLost
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.base import Usage
from kecs_server.engines.folders import delete_tree
from kecs_server.engines.folders import open_folder
from kecs_server.engines.logs import ContainerLog
from kecs_server.engines.machine import this_machine
from kecs_server.engines.process.cgroups import FILE as CGROUP_FILE
from kecs_server.engines.process.cgroups import VARIABLE as CGROUP_VARIABLE
from kecs_server.engines.process.cgroups import Cgroups
from kecs_server.engines.process.errors import RUNC
from kecs_server.engines.process.errors import LaunchError
from kecs_server.engines.process.errors import as_exec_failure
from kecs_server.engines.process.errors import describe
from kecs_server.engines.process.launching import COOKIE
from kecs_server.engines.process.launching import DEFAULT_PATH
from kecs_server.engines.process.launching import Host
from kecs_server.engines.process.launching import describe_failure
from kecs_server.engines.process.launching import describe_pull_error
from kecs_server.engines.process.launching import prepare_command
from kecs_server.engines.process.launching import prepare_launch
from kecs_server.engines.process.leftovers import end_leftovers
from kecs_server.engines.process.leftovers import set_subreaper
from kecs_server.engines.process.link import SupervisorLink
from kecs_server.engines.process.logwatch import LogWatch
from kecs_server.engines.process.memory import MemoryWatch
from kecs_server.engines.process.memory import in_bytes
from kecs_server.engines.process.namespaces import Namespace
from kecs_server.engines.process.namespaces import Namespaces
from kecs_server.engines.process.ports import EVERY_ADDRESS
from kecs_server.engines.process.ports import LOOPBACK
from kecs_server.engines.process.ports import Listeners
from kecs_server.engines.process.tasks import Container
from kecs_server.engines.process.tasks import Execution
from kecs_server.engines.process.tasks import Phase
from kecs_server.engines.process.tasks import Task
from kecs_server.engines.process.tasks import check_names
from kecs_server.engines.process.tasks import done
from kecs_server.engines.process.tasks import refused
from kecs_server.engines.process.usage import storage_of
from kecs_server.engines.process.usage import usage_of

READY_TIMEOUT = 30.0  # seconds for the supervisor to start, on a machine that is very busy
CLOSE_TIMEOUT = 15.0  # seconds; the supervisor itself gives up after 5 on what cannot be killed
LOST = "supervisor ended unexpectedly"
NETWORK_LOST = "the process that makes networks for tasks ended unexpectedly"
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"

log = logging.getLogger(__name__)


class ProcessEngine:
    """Runs containers as processes; see `engines.base.Engine`.

    A container without entry point and command is a process that idles until it is stopped. All
    pulls end when the first container starts: nothing is fetched. When a container's stop is
    observed, nothing of it runs any more.

    Observations come from the calling thread or the link's, under the engine's lock, which puts
    those of a task in order: an observer hands on and returns, and waits for nobody.

    :param environment_name: what the cookie in each container's variables says.
    :param directory: gets `tasks/<task id>/<container>/{work,tmp,stdout.log,stderr.log}`, and
        `volumes` that outlive tasks.
    :param interpreter: the Python whose directory comes first in PATH.
    :param rootdir: where relative working directories are looked for.
    :param pid1: a container whose first process does not handle SIGTERM is not sent it, as the
        kernel does with the first process of a PID namespace.
    :param netns: most tasks will have networks of their own; who makes them starts at once, and
        without them the engine does not.
    :param cgroup: a directory below which tasks get memory cgroups, see `cgroups`; None: what they
        use is watched.
    """

    name = "process"

    def __init__(
        self,
        *,
        environment_name: str,
        directory: Path,
        interpreter: str,
        rootdir: str,
        pid1: bool = False,
        netns: bool = False,
        cgroup: str | None = None,
    ) -> None:
        self._pid1 = pid1
        self._netns = netns
        self._namespaces: Namespaces | None = None
        self._cgroups = Cgroups(cgroup, environment_name) if cgroup else None
        self._directory = directory / "tasks"
        self._host = Host(
            environment_name=environment_name,
            directory=directory,
            interpreter=interpreter,
            rootdir=rootdir,
            path=os.environ.get("PATH") or DEFAULT_PATH,
            lang=os.environ.get("LANG"),
        )
        self._changed = threading.Condition(threading.RLock())
        self._tasks: dict[str, Task] = {}
        self._link: SupervisorLink | None = None
        self._listeners = Listeners()
        self._memory = MemoryWatch(self._on_excess)
        self._log_watch: LogWatch | None = None
        self._numbers = itertools.count(1)
        self._ready = False
        self._open = False
        self._was_subreaper = False

    def open(self, observe: Observer, progress: Progress) -> None:
        progress("starting the supervisor of processes")
        self._observe = observe
        self._was_subreaper = set_subreaper(enabled=True)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with self._changed:
                self._open = True
                self._log_watch = LogWatch()
                link = self._ensure_link()
                if self._netns:
                    self._ensure_namespaces()
                self._changed.wait_for(lambda: self._ready or not self._link, READY_TIMEOUT)
                ready = self._ready
        except OSError as error:
            self.close()
            raise EngineError(f"The process engine could not start: {error}") from error
        except EngineError:
            self.close()
            raise
        if not ready:
            self.close()
            raise EngineError(
                f"The process engine's supervisor ({sys.executable}) was not ready "
                f" within {READY_TIMEOUT:.0f} s; exit code {link.process.returncode}. "
                "The server's log may say more."
            )

    def hosts(self) -> Sequence[instance.Host]:
        return (this_machine(),)

    def provision(self, spec: TaskSpec) -> None:
        with self._changed:
            if not self._open or spec.task_id in self._tasks:
                return
            task = Task.from_spec(spec, self._directory / spec.task_id)
            self._tasks[spec.task_id] = task
            try:
                check_names(spec)
                for container in task.containers.values():
                    with open_folder(container.directory, self._host.directory):
                        pass
            except (OSError, ValueError) as error:
                task.lost = f"the task's directory could not be made: {error}"
            try:
                if spec.own_network is not None:
                    addresses = spec.own_network.addresses
                    task.namespace = self._make_network(addresses)
            except (OSError, EngineError) as error:
                task.lost = f"the task's network could not be made: {error}"
            try:
                if self._cgroups and task.limits_memory():
                    self._ensure_link()  # where the last one has ended, so have its cgroups
                    self._cgroups.make_task(spec.task_id, in_bytes(spec.memory))
                    task.has_cgroup = True
            except OSError as error:
                task.lost = f"the task's cgroup could not be made: {error}"
            if task.lost:
                self._observe(TaskLost(task_id=task.id, reason=task.lost))
                return
            self._observe(Provisioned(task_id=task.id, address=task.address))

    def start_container(self, task_id: str, container: str) -> None:
        with self._changed:
            it = self._find(task_id, container)
            if not self._open or it is None or it.task.removing or not it.may_start():
                return
            if it.task.lost:
                self._stopped(it, None, f"CannotStartContainerError: {it.task.lost}")
                return
            self._pull(it.task)
            if it.spec.pull_error is not None:
                self._stopped(it, None, describe_pull_error(it.spec.pull_error))
                return
            try:
                it.launch = prepare_launch(
                    it.spec,
                    it.directory,
                    self._host,
                    it.make_volumes(self._host.directory),
                    it.task.namespace,
                    self._make_cgroup(it),
                )
                link = self._ensure_link()
            except LaunchError as error:
                self._stopped(it, None, str(error))
            except OSError as error:
                self._stopped(it, None, f"CannotStartContainerError: no supervisor: {error}")
            else:
                it.phase = Phase.RUNNING
                it.out_of_memory = False
                it.log.begin()
                if self._log_watch:
                    self._log_watch.watch(it.log, it.directory)
                link.send({"do": "start", "key": it.key, **it.launch.to_wire()})

    def stop_containers(self, task_id: str, containers: Sequence[str]) -> None:
        with self._changed:
            found = [self._find(task_id, name) for name in containers]
            keys = [
                (it.key, it.spec.stop_timeout) for it in found if it and it.phase is Phase.RUNNING
            ]
            if keys and self._link:
                self._link.send({"do": "stop", "keys": keys, "pid1": self._pid1})

    def execute(
        self, task_id: str, container: str, command: Sequence[str], timeout: float
    ) -> Future[ExecResult]:
        with self._changed:
            it = self._find(task_id, container)
            if it is None or it.launch is None or it.pid is None or not self._link:
                return refused("the container does not run")
            number = next(self._numbers)
            try:
                output = it.directory / f"exec-{number}.log"
                launch = prepare_command(it.launch, command, output, timeout)
            except LaunchError as error:
                return done(ExecResult.not_executed(b"", as_exec_failure(str(error))))
            execution = Execution(key=f"{it.key}/{number}", container=it, launch=launch)
            it.task.executions[execution.key] = execution
            self._link.send({"do": "start", "key": execution.key, **launch.to_wire()})
            return execution.result

    def usage(self, task_id: str, container: str) -> Usage | None:
        with self._changed:
            it = self._find(task_id, container)
            pid = it.pid if it else None
        return None if pid is None else usage_of(pid)

    def storage(self, task_id: str) -> int | None:
        with self._changed:
            task = self._tasks.get(task_id)
        return None if task is None else storage_of(task.directory)

    def locate(self, task_id: str, container: str, port: int) -> str | None:
        leader, task = self._whereabouts(task_id, container)
        listener = self._listeners.find(leader, port, "tcp")
        if task.namespace is not None:
            return None
        return task.address if listener in EVERY_ADDRESS else listener

    def connect(
        self, task_id: str, container: str, port: int, protocol: str = "tcp"
    ) -> socket.socket:
        leader, task = self._whereabouts(task_id, container)
        if task.namespace is not None:
            make = task.namespace.open
            return self._listeners.connect(leader, port, protocol, LOOPBACK, make)
        return self._listeners.connect(leader, port, protocol, task.address)

    def listen(self, task_id: str, address: str, port: int) -> socket.socket:
        return self._namespace_of(task_id).face(address, port)

    def lose_packets(self, task_id: str, fault: BlackHole | PacketLoss) -> None:
        self._namespace_of(task_id).lose(fault)

    def keep_packets(self, task_id: str, fault: BlackHole | PacketLoss) -> None:
        self._namespace_of(task_id).keep(fault)

    def _namespace_of(self, task_id: str) -> Namespace:
        """:raises ConnectionRefusedError: the task has none."""
        with self._changed:
            task = self._tasks.get(task_id)
            if task is None or task.namespace is None:
                raise ConnectionRefusedError("the task has no network of its own")
            return task.namespace

    def _whereabouts(self, task_id: str, container: str) -> tuple[int, Task]:
        """The container's first process, and its task.

        :raises ConnectionRefusedError: it does not run.
        """
        with self._changed:
            it = self._find(task_id, container)
            if it is None or it.pid is None:
                raise ConnectionRefusedError(f"the container {container} does not run")
            return it.pid, it.task

    def remove(self, task_id: str) -> None:
        with self._changed:
            task = self._tasks.get(task_id)
            if task is None or task.removing:
                return
            task.removing = True
            if self._link:
                keys = [it.key for it in task.running()]
                self._link.send({"do": "kill", "keys": [*keys, *task.executions]})
            self._finish_removal(task)

    def discard(self, task_id: str) -> None:
        with self._changed:
            task = self._tasks.get(task_id)
            if task is None or not task.removed:
                return
            del self._tasks[task_id]
        try:
            delete_tree(task.directory)
        except OSError as error:  # the next to try is the end of the environment
            log.warning("the directory of a removed task could not be deleted: %s", error)

    def logs(self, task_id: str, container: str) -> ContainerLog:
        with self._changed:
            return self._tasks[task_id].containers[container].log

    def close(self) -> None:
        with self._changed:
            self._open = False
            for task_id in list(self._tasks):
                self.remove(task_id)
            self._changed.wait_for(
                lambda: all(task.is_idle() for task in self._tasks.values()) or not self._link,
                CLOSE_TIMEOUT,
            )
            link = self._link
        self._memory.close()
        if self._namespaces:
            self._namespaces.close()
        if link:
            link.hang_up()
            if not link.join(CLOSE_TIMEOUT):
                link.process.kill()
                link.join(CLOSE_TIMEOUT)
        if self._cgroups:
            self._cgroups.close()
        with self._changed:
            if self._was_subreaper is False:
                set_subreaper(enabled=False)
            log_watch, self._log_watch = self._log_watch, None
        if log_watch:
            log_watch.close()

    # -- what the supervisor says

    def _on_event(self, event: dict[str, Any]) -> None:
        with self._changed:
            if event["event"] == "ready":
                self._ready = True
                self._changed.notify_all()
                return
            task_id, name, *number = event["key"].split("/")
            it = self._find(task_id, name)
            if it is None:
                return
            if number:
                self._on_execution(it.task, event)
                return
            if it.phase is not Phase.RUNNING:
                return
            if event["event"] == "started":
                it.pid = event["pid"]
                self._watch_memory(it, event["pid"])
                self._observe(
                    ContainerStarted(
                        task_id=it.task.id,
                        container=it.spec.name,
                        runtime_id=it.runtime_id,
                        image_digest=digest_of(it.spec.image),
                    )
                )
            elif event["event"] == "failed":
                assert it.launch is not None
                reason = describe_failure(it.launch, event["step"], event["errno"])
                self._stopped(it, None, reason)
            else:
                is_excess = event["code"] == KILLED and self._used_too_much(it)
                self._stopped(it, event["code"], OUT_OF_MEMORY if is_excess else None)

    def _on_execution(self, task: Task, event: dict[str, Any]) -> None:
        execution = task.executions.get(event["key"])
        if execution is None:
            return
        if event["event"] == "started":
            execution.pid = event["pid"]
            self._watch_memory(execution.container, event["pid"])
            return
        del task.executions[event["key"]]
        if execution.pid is not None:
            self._memory.drop(task.id, execution.container.key, execution.pid)
        if event["event"] == "failed":
            reason = describe_failure(execution.launch, event["step"], event["errno"])
            execution.finish_unexecuted(as_exec_failure(reason))
        elif event["overdue"]:
            execution.finish_overdue()
        else:
            execution.finish(event["code"])
        self._finish_removal(task)

    def _on_excess(self, key: str) -> None:
        """A container uses more memory than it may: its first process takes all others along."""
        task_id, _, name = key.partition("/")
        with self._changed:
            it = self._find(task_id, name)
            if it is not None and it.phase is Phase.RUNNING and self._link:
                it.out_of_memory = True
                self._link.send({"do": "kill", "keys": [key]})

    def _on_end(self, link: SupervisorLink) -> None:
        """The supervisor is gone: as asked by `close`, or all that ran is lost."""
        link.reap(CLOSE_TIMEOUT)
        with self._changed:
            leaders = [it.pid for it in self._all_running() if it.pid is not None]
        if link.process.returncode != 0:  # else it has left nothing, asked by `close` or a signal
            end_leftovers(self._host.environment_name, leaders)
        with self._changed:
            self._link = None
            if self._open and self._ready:
                log.error("%s, exit code %s", LOST, link.process.returncode)
            for task in list(self._tasks.values()):
                self._lose(task)
            self._changed.notify_all()

    def _lose(self, task: Task) -> None:
        for execution in task.executions.values():
            execution.finish_lost(LOST)
        task.executions.clear()
        if task.removed or task.is_over():
            self._finish_removal(task)
            return
        task.lost = LOST
        if not task.removing:
            self._observe(TaskEnding(task_id=task.id, reason=LOST))
        for it in list(task.running()):
            self._stopped(it, None, f"ContainerRuntimeError: {LOST}")
        if not task.removing:
            self._observe(TaskLost(task_id=task.id, reason=LOST))

    def _on_namespaces_end(self, ended: Namespaces) -> None:
        """Who makes networks was killed: nothing leads into those that it made any more, which
        go with what runs in them.
        """
        log.error(NETWORK_LOST)
        with self._changed:
            self._forget_namespaces(ended)
            for task in self._tasks.values():
                if task.namespace is None or task.namespace.owner is not ended:
                    continue
                task.lost = NETWORK_LOST
                if task.removing:
                    continue
                self._observe(TaskEnding(task_id=task.id, reason=NETWORK_LOST))
                if self._link:
                    keys = [it.key for it in task.running()]
                    self._link.send({"do": "kill", "keys": [*keys, *task.executions]})

    # -- under the lock

    def _find(self, task_id: str, container: str) -> Container | None:
        task = self._tasks.get(task_id)
        return task.containers.get(container) if task else None

    def _all_running(self) -> Iterator[Container]:
        return (it for task in self._tasks.values() for it in task.running())

    def _ensure_link(self) -> SupervisorLink:
        """The supervisor; a new one when the last was lost.

        :raises OSError: it cannot be started.
        """
        if self._link is None:
            variables = {COOKIE: self._host.environment_name}
            if self._cgroups:
                (self._host.directory / CGROUP_FILE).write_text(self._cgroups.path)
                self._cgroups.open()
                variables[CGROUP_VARIABLE] = self._cgroups.path
            self._link = SupervisorLink(
                variables=variables,
                on_event=self._on_event,
                on_end=self._on_end,
            )
        return self._link

    def _make_network(self, addresses: Sequence[str]) -> Namespace:
        """:raises OSError, EngineError: it cannot be had."""
        made_by = self._ensure_namespaces()
        try:
            return made_by.make(addresses)
        except ConnectionError:  # it has ended, of which we are yet to be told
            self._forget_namespaces(made_by)
            return self._ensure_namespaces().make(addresses)

    def _ensure_namespaces(self) -> Namespaces:
        """Who makes networks; another one when the last was killed.

        :raises OSError, EngineError: it cannot be started.
        """
        if self._namespaces is None:
            variables = {COOKIE: self._host.environment_name}
            self._namespaces = Namespaces(variables, self._on_namespaces_end)
        return self._namespaces

    def _forget_namespaces(self, ended: Namespaces) -> None:
        if self._namespaces is ended:
            self._namespaces = None

    def _make_cgroup(self, it: Container) -> str | None:
        """The file by which the container's processes enter its cgroup, if it has one.

        :raises LaunchError: it cannot be made.
        """
        if self._cgroups is None or not it.task.has_cgroup:
            return None
        try:
            return self._cgroups.make_container(it.task.id, it.spec.name, in_bytes(it.spec.memory))
        except OSError as error:
            text = f"unable to apply cgroup configuration: {error.filename}: {describe(error)}"
            raise LaunchError(RUNC.format(text)) from error

    def _used_too_much(self, it: Container) -> bool:
        if self._cgroups and it.task.has_cgroup:
            return self._cgroups.has_killed(it.task.id, it.spec.name)
        return it.out_of_memory

    def _watch_memory(self, it: Container, pid: int) -> None:
        if it.task.has_cgroup:
            return
        limit, task_limit = it.spec.memory, it.task.spec.memory
        self._memory.add(it.task.id, it.key, pid, limit=limit, task_limit=task_limit)

    def _pull(self, task: Task) -> None:
        if not task.pulled:
            task.pulled = True
            self._observe(PullStarted(task_id=task.id))
            self._observe(PullStopped(task_id=task.id))

    def _stopped(self, it: Container, exit_code: int | None, reason: str | None) -> None:
        it.phase = Phase.STOPPED
        it.pid = None
        self._memory.drop(it.task.id, it.key)
        if self._cgroups and it.task.has_cgroup:
            self._cgroups.drop_container(it.task.id, it.spec.name)
        if it.log.is_live and self._log_watch:
            self._log_watch.unwatch(it.log)
        it.log.end()
        if self._link:
            keys = [each.key for each in it.task.executions.values() if each.container is it]
            self._link.send({"do": "kill", "keys": keys})
        stopped: Observation = ContainerStopped(
            task_id=it.task.id, container=it.spec.name, exit_code=exit_code, reason=reason
        )
        self._observe(stopped)
        self._finish_removal(it.task)

    def _finish_removal(self, task: Task) -> None:
        if task.removing and not task.removed and task.is_idle():
            task.removed = True
            if task.namespace:
                task.namespace.drop()
            if self._cgroups and task.has_cgroup:
                self._cgroups.drop_task(task.id)
            self._observe(Removed(task_id=task.id))
            self._changed.notify_all()
