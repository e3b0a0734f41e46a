"""The process engine: a container is a process of this machine and all that descends from it."""

from __future__ import annotations

import itertools
import logging
import os
import socket
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from kecs_server.domain import instance
from kecs_server.domain.faults import BlackHole
from kecs_server.domain.faults import PacketLoss
from kecs_server.engines.base import EngineError
from kecs_server.engines.base import ExecResult
from kecs_server.engines.base import Observer
from kecs_server.engines.base import Progress
from kecs_server.engines.base import Provisioned
from kecs_server.engines.base import PullStarted
from kecs_server.engines.base import PullStopped
from kecs_server.engines.base import TaskLost
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.base import Usage
from kecs_server.engines.folders import delete_tree
from kecs_server.engines.folders import open_folder
from kecs_server.engines.logs import ContainerLog
from kecs_server.engines.machine import this_machine
from kecs_server.engines.process.cgroups import Cgroups
from kecs_server.engines.process.errors import LaunchError
from kecs_server.engines.process.errors import as_exec_failure
from kecs_server.engines.process.launching import COOKIE
from kecs_server.engines.process.launching import DEFAULT_PATH
from kecs_server.engines.process.launching import Host
from kecs_server.engines.process.launching import describe_pull_error
from kecs_server.engines.process.launching import prepare_command
from kecs_server.engines.process.launching import prepare_launch
from kecs_server.engines.process.leftovers import set_subreaper
from kecs_server.engines.process.namespaces import Namespace
from kecs_server.engines.process.networks import TaskNetworks
from kecs_server.engines.process.ports import EVERY_ADDRESS
from kecs_server.engines.process.ports import LOOPBACK
from kecs_server.engines.process.ports import Listeners
from kecs_server.engines.process.running import Running
from kecs_server.engines.process.supervision import END_TIMEOUT
from kecs_server.engines.process.supervision import Supervision
from kecs_server.engines.process.tasks import Execution
from kecs_server.engines.process.tasks import Phase
from kecs_server.engines.process.tasks import Task
from kecs_server.engines.process.tasks import check_names
from kecs_server.engines.process.tasks import done
from kecs_server.engines.process.tasks import refused
from kecs_server.engines.process.usage import storage_of
from kecs_server.engines.process.usage import usage_of

READY_TIMEOUT = 30.0  # seconds for the supervisor to start, on a machine that is very busy

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
        self._directory = directory / "tasks"
        self._host = Host(
            environment_name=environment_name,
            directory=directory,
            interpreter=interpreter,
            rootdir=rootdir,
            path=os.environ.get("PATH") or DEFAULT_PATH,
            lang=os.environ.get("LANG"),
        )
        self._running = Running(Cgroups(cgroup, environment_name) if cgroup else None, directory)
        self._supervision = Supervision(self._running, environment_name)
        self._networks = TaskNetworks({COOKIE: environment_name}, self._supervision.on_network_loss)
        self._listeners = Listeners()
        self._numbers = itertools.count(1)
        self._was_subreaper = False

    def open(self, observe: Observer, progress: Progress) -> None:
        progress("starting the supervisor of processes")
        self._was_subreaper = set_subreaper(enabled=True)
        running = self._running
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with running.changed:
                running.open(observe)
                link = self._supervision.ensure()
                if self._netns:
                    self._networks.open()
                running.changed.wait_for(
                    lambda: self._supervision.is_ready or not running.link, READY_TIMEOUT
                )
                ready = self._supervision.is_ready
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
                f"within {READY_TIMEOUT:.0f} s; exit code {link.process.returncode}. "
                "The server's log may say more."
            )

    def hosts(self) -> Sequence[instance.Host]:
        return (this_machine(),)

    def provision(self, spec: TaskSpec) -> None:
        running = self._running
        with running.changed:
            if not running.is_open or spec.task_id in running.tasks:
                return
            task = Task.from_spec(spec, self._directory / spec.task_id)
            running.tasks[spec.task_id] = task
            task.lost = self._provide(task)
            if task.lost:
                running.observe(TaskLost(task_id=task.id, reason=task.lost))
            else:
                running.observe(Provisioned(task_id=task.id, address=task.address))

    def _provide(self, task: Task) -> str | None:
        """Make what a task needs before its first container; returns why it could not be."""
        what = "directory"
        try:
            check_names(task.spec)
            for container in task.containers.values():
                with open_folder(container.directory, self._host.directory):
                    pass
            if task.spec.own_network is not None:
                what = "network"
                task.namespace = self._networks.make(task.spec.own_network.addresses)
            if self._running.limits.concern(task):
                what = "cgroup"
                self._supervision.ensure()  # where the last one has ended, so have its cgroups
                self._running.limits.begin(task)
        except (OSError, ValueError, EngineError) as error:
            return f"the task's {what} could not be made: {error}"
        return None

    def start_container(self, task_id: str, container: str) -> None:
        with self._running.changed:
            it = self._running.find(task_id, container)
            if not self._running.is_open or it is None or it.task.removing or not it.may_start():
                return
            if it.task.lost:
                self._running.stopped(it, None, f"CannotStartContainerError: {it.task.lost}")
                return
            self._pull(it.task)
            if it.spec.pull_error is not None:
                self._running.stopped(it, None, describe_pull_error(it.spec.pull_error))
                return
            try:
                it.launch = prepare_launch(
                    it.spec,
                    it.directory,
                    self._host,
                    it.make_volumes(self._host.directory),
                    it.task.namespace,
                    self._running.limits.entry(it),
                )
                link = self._supervision.ensure()
            except LaunchError as error:
                self._running.stopped(it, None, str(error))
            except OSError as error:
                self._running.stopped(
                    it, None, f"CannotStartContainerError: no supervisor: {error}"
                )
            else:
                it.phase = Phase.RUNNING
                it.out_of_memory = False
                it.log.begin()
                if self._running.log_watch:
                    self._running.log_watch.watch(it.log, it.directory)
                link.send({"do": "start", "key": it.key, **it.launch.to_wire()})

    def stop_containers(self, task_id: str, containers: Sequence[str]) -> None:
        with self._running.changed:
            found = [self._running.find(task_id, name) for name in containers]
            keys = [
                (it.key, it.spec.stop_timeout) for it in found if it and it.phase is Phase.RUNNING
            ]
            if keys and self._running.link:
                self._running.link.send({"do": "stop", "keys": keys, "pid1": self._pid1})

    def execute(
        self, task_id: str, container: str, command: Sequence[str], timeout: float
    ) -> Future[ExecResult]:
        with self._running.changed:
            it = self._running.find(task_id, container)
            if it is None or it.launch is None or it.pid is None or not self._running.link:
                return refused("the container does not run")
            number = next(self._numbers)
            try:
                output = it.directory / f"exec-{number}.log"
                launch = prepare_command(it.launch, command, output, timeout)
            except LaunchError as error:
                return done(ExecResult.not_executed(b"", as_exec_failure(str(error))))
            execution = Execution(key=f"{it.key}/{number}", container=it, launch=launch)
            it.task.executions[execution.key] = execution
            self._running.link.send({"do": "start", "key": execution.key, **launch.to_wire()})
            return execution.result

    def usage(self, task_id: str, container: str) -> Usage | None:
        with self._running.changed:
            it = self._running.find(task_id, container)
            pid = it.pid if it else None
        return None if pid is None else usage_of(pid)

    def storage(self, task_id: str) -> int | None:
        with self._running.changed:
            task = self._running.tasks.get(task_id)
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
        with self._running.changed:
            task = self._running.tasks.get(task_id)
            if task is None or task.namespace is None:
                raise ConnectionRefusedError("the task has no network of its own")
            return task.namespace

    def _whereabouts(self, task_id: str, container: str) -> tuple[int, Task]:
        """The container's first process, and its task.

        :raises ConnectionRefusedError: it does not run.
        """
        with self._running.changed:
            it = self._running.find(task_id, container)
            if it is None or it.pid is None:
                raise ConnectionRefusedError(f"the container {container} does not run")
            return it.pid, it.task

    def remove(self, task_id: str) -> None:
        with self._running.changed:
            task = self._running.tasks.get(task_id)
            if task is None or task.removing:
                return
            task.removing = True
            self._running.kill(task)
            self._running.finish_removal(task)

    def discard(self, task_id: str) -> None:
        with self._running.changed:
            task = self._running.tasks.get(task_id)
            if task is None or not task.removed:
                return
            del self._running.tasks[task_id]
        try:
            delete_tree(task.directory)
        except OSError as error:  # the next to try is the end of the environment
            log.warning("the directory of a removed task could not be deleted: %s", error)

    def logs(self, task_id: str, container: str) -> ContainerLog:
        with self._running.changed:
            return self._running.tasks[task_id].containers[container].log

    def close(self) -> None:
        running = self._running
        with running.changed:
            running.is_open = False
            for task_id in list(running.tasks):
                self.remove(task_id)
            running.changed.wait_for(
                lambda: all(task.is_idle() for task in running.tasks.values()) or not running.link,
                END_TIMEOUT,
            )
            link = running.link
        running.limits.stop_watching()
        self._networks.close()
        if link:
            link.hang_up()
            if not link.join(END_TIMEOUT):
                link.process.kill()
                link.join(END_TIMEOUT)
        running.limits.close()
        with running.changed:
            if self._was_subreaper is False:
                set_subreaper(enabled=False)
            log_watch, running.log_watch = running.log_watch, None
        if log_watch:
            log_watch.close()

    def _pull(self, task: Task) -> None:
        if not task.pulled:
            task.pulled = True
            self._running.observe(PullStarted(task_id=task.id))
            self._running.observe(PullStopped(task_id=task.id))
