"""Memory cgroups: the kernel's own limits, for a task and each of its containers. Linux.

Below a cgroup that the user names is one for the environment, below it one for each task that has
a limit, and below that one for each of its containers, in which the container's processes are:

    PARENT/<environment>/<task id>/<container>

Where PARENT lies in the unified hierarchy (version 2), it has no processes of its own. A cgroup
that nobody has named is not divided: one writer for each is the rule, and it may be systemd's.

Nothing is swapped out, as on Fargate: what is above its limit is above it on every machine. The
kernel kills as on ECS, one process: what becomes of the container is up to its first one.

Imported by the supervisor: standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time

UNLIMITED = -1
PATIENCE = 2.0  # seconds; a process that was killed leaves its cgroup a little later
VARIABLE = "KECS_CGROUP"
"""Names the environment's cgroup to the supervisor, which removes it at its end."""

FILE = "cgroup"
"""Of the environment's directory: names it to `prune`, if supervisor and server are killed."""


class Cgroups:
    """Those of an environment.

    All methods raise OSError where the system refuses.
    """

    def __init__(self, parent: str, environment_name: str) -> None:
        self.path = os.path.join(parent, environment_name)
        self._parent = parent
        self._unified = os.path.exists(os.path.join(parent, "cgroup.controllers"))

    def open(self) -> None:
        """Make the environment's cgroup, unless it is there.

        :raises OSError: with a text for the user.
        """
        try:
            if self._unified:
                _lead_on(self._parent)
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.path)
            if self._unified:
                _lead_on(self.path)
            else:
                _write(os.path.join(self.path, "memory.use_hierarchy"), "1")
        except OSError as error:
            self.close()
            raise OSError(
                f"kecs_cgroup: {self._parent} is no cgroup that this user may divide by memory: "
                f"{error.strerror} ({error.filename}). It has to be a directory of a cgroup "
                "file system, in version 2 one without processes of its own and with the "
                "controller memory."
            ) from error

    def make_task(self, task_id: str, limit: int | None) -> None:
        """:param limit: bytes; None: it has no limit of its own."""
        path = os.path.join(self.path, task_id)
        os.mkdir(path)
        self._limit(path, limit)
        if self._unified:
            _lead_on(path)

    def make_container(self, task_id: str, name: str, limit: int | None) -> str:
        """Of a task that has one; returns the file by which a process enters: it writes 0.

        One that runs again has one anew, in which nothing was killed yet.
        """
        self.drop_container(task_id, name)
        path = os.path.join(self.path, task_id, name)
        with contextlib.suppress(FileExistsError):  # what is in it cannot be killed
            os.mkdir(path)
        self._limit(path, limit)
        # A process alone is moved by `tasks` without waiting for the whole system.
        return os.path.join(path, "cgroup.procs" if self._unified else "tasks")

    def has_killed(self, task_id: str, name: str) -> bool:
        """Whether the kernel has killed a process of it, for what it or its task uses."""
        events = "memory.events" if self._unified else "memory.oom_control"
        try:
            with open(os.path.join(self.path, task_id, name, events)) as file:
                counts = dict(line.split() for line in file)
        except OSError:  # somebody has removed it
            return False
        return int(counts.get("oom_kill", 0)) > 0

    def drop_container(self, task_id: str, name: str) -> None:
        """Nothing of it runs any more. What is held up goes with the task, or at the end."""
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(self.path, task_id, name))

    def drop_task(self, task_id: str) -> None:
        remove_tree(os.path.join(self.path, task_id), patience=0)

    def close(self) -> None:
        remove_tree(self.path)

    def _limit(self, path: str, limit: int | None) -> None:
        if limit is None:
            return
        if self._unified:
            _write(os.path.join(path, "memory.max"), str(limit))
            _write_if_there(os.path.join(path, "memory.swap.max"), "0")
        else:
            again = os.path.join(path, "memory.memsw.limit_in_bytes")
            # In this order, and for one that is used again after having been given up.
            _write_if_there(again, str(UNLIMITED))
            _write(os.path.join(path, "memory.limit_in_bytes"), str(limit))
            _write_if_there(again, str(limit))


def enter(file: str) -> None:
    """Move this process, which has one thread, to the cgroup of which `make_container` told."""
    _write(file, "0")


def remove_tree(path: str, patience: float = PATIENCE) -> bool:
    """Remove a cgroup and those below it, in which nothing runs any more; False: it cannot be.

    :param patience: seconds to wait for what still runs there.
    """
    deadline = time.monotonic() + patience
    for folder, _, _ in os.walk(path, topdown=False):
        while True:
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                pass
            except OSError as error:
                # Of a process that leaves it version 1 tells nobody.
                if error.errno == errno.EBUSY and time.monotonic() < deadline:
                    time.sleep(0.01)
                    continue
                return False
            break
    return True


def members(path: str) -> list[int]:
    """The processes of a cgroup and those below it."""
    found = []
    for folder, _, _ in os.walk(path):
        with (
            contextlib.suppress(OSError),
            open(os.path.join(folder, "cgroup.procs")) as file,
        ):
            found += [int(line) for line in file]
    return found


def _lead_on(path: str) -> None:
    """Have the limits of what is below it enforced."""
    control = os.path.join(path, "cgroup.subtree_control")
    with open(control) as file:
        if "memory" in file.read().split():
            return
    _write(control, "+memory")


def _write(path: str, text: str) -> None:
    try:
        fd = os.open(path, os.O_WRONLY)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    except OSError as error:
        error.filename = path
        raise


def _write_if_there(path: str, text: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        _write(path, text)
