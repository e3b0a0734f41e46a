"""Limits of memory, of tasks and containers: the kernel's, where there are cgroups for them, else
the watch's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kecs_server.engines.process.cgroups import FILE
from kecs_server.engines.process.cgroups import VARIABLE
from kecs_server.engines.process.cgroups import Cgroups
from kecs_server.engines.process.errors import RUNC
from kecs_server.engines.process.errors import LaunchError
from kecs_server.engines.process.errors import describe
from kecs_server.engines.process.memory import MemoryWatch
from kecs_server.engines.process.memory import in_bytes
from kecs_server.engines.process.tasks import Container
from kecs_server.engines.process.tasks import Task


class MemoryLimits:
    """Called under the engine's lock.

    :param cgroups: the environment's; None: what containers use is watched.
    :param directory: the environment's, where `prune` finds the name of its cgroup.
    :param on_excess: gets the key of a container that the watch has found to use too much.
    """

    def __init__(
        self, cgroups: Cgroups | None, directory: Path, on_excess: Callable[[str], None]
    ) -> None:
        self._cgroups = cgroups
        self._directory = directory
        self._watch = MemoryWatch(on_excess)

    def open(self) -> dict[str, str]:
        """Make the environment's cgroup; returns what the supervisor, which removes it at its end,
        is told in its variables.

        :raises OSError: with a text for the user.
        """
        if self._cgroups is None:
            return {}
        (self._directory / FILE).write_text(self._cgroups.path)
        self._cgroups.open()
        return {VARIABLE: self._cgroups.path}

    def concern(self, task: Task) -> bool:
        """Whether the task is to have a cgroup."""
        return self._cgroups is not None and task.limits_memory()

    def begin(self, task: Task) -> None:
        """:raises OSError: its cgroup cannot be made."""
        assert self._cgroups is not None
        self._cgroups.make_task(task.id, in_bytes(task.spec.memory))
        task.has_cgroup = True

    def entry(self, it: Container) -> str | None:
        """The file by which the container's processes enter its cgroup, if it has one.

        :raises LaunchError: it cannot be made.
        """
        cgroups = self._cgroups_of(it.task)
        if cgroups is None:
            return None
        try:
            return cgroups.make_container(it.task.id, it.spec.name, in_bytes(it.spec.memory))
        except OSError as error:
            text = f"unable to apply cgroup configuration: {error.filename}: {describe(error)}"
            raise LaunchError(RUNC.format(text)) from error

    def add(self, it: Container, pid: int) -> None:
        """One more process of the container has begun."""
        if not it.task.has_cgroup:
            limit, task_limit = it.spec.memory, it.task.spec.memory
            self._watch.add(it.task.id, it.key, pid, limit=limit, task_limit=task_limit)

    def drop(self, it: Container, pid: int) -> None:
        """A process of the container has ended that was not its first."""
        self._watch.drop(it.task.id, it.key, pid)

    def end(self, it: Container) -> None:
        """Nothing of the container runs any more."""
        self._watch.drop(it.task.id, it.key)
        cgroups = self._cgroups_of(it.task)
        if cgroups is not None:
            cgroups.drop_container(it.task.id, it.spec.name)

    def end_task(self, task: Task) -> None:
        cgroups = self._cgroups_of(task)
        if cgroups is not None:
            cgroups.drop_task(task.id)

    def was_exceeded(self, it: Container) -> bool:
        """Whether the container was killed for what it, or its task, used."""
        cgroups = self._cgroups_of(it.task)
        if cgroups is not None:
            return cgroups.has_killed(it.task.id, it.spec.name)
        return it.out_of_memory

    def stop_watching(self) -> None:
        """Not under the engine's lock, for which the watch may be waiting."""
        self._watch.close()

    def close(self) -> None:
        """Remove the environment's cgroup, in which nothing runs any more."""
        if self._cgroups is not None:
            self._cgroups.close()

    def _cgroups_of(self, task: Task) -> Cgroups | None:
        return self._cgroups if task.has_cgroup else None
