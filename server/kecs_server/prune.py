"""Removing what an environment left whose server, and supervisor, were killed outright.

While one of the two lives it removes everything itself. Afterwards the cookie in the variables
of the containers' processes tells what was theirs. Used by `kecs prune` and by the next run.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path

import psutil

from kecs_server.engines.folders import delete_tree
from kecs_server.engines.kubernetes.commands import CommandError
from kecs_server.engines.kubernetes.kind import MARK
from kecs_server.engines.kubernetes.kind import Kind
from kecs_server.engines.process.cgroups import FILE
from kecs_server.engines.process.cgroups import members
from kecs_server.engines.process.cgroups import remove_tree
from kecs_server.engines.process.launching import COOKIE

KILL_TIMEOUT = 10.0  # seconds until what has not ended counts as impossible to kill


def cookie(environment_name: str) -> dict[str, str]:
    """The variables by which a process, with all that descends from it, is the environment's."""
    return {COOKIE: environment_name}


def leftover_processes(environment_name: str) -> list[int]:
    """The pids of an environment's processes: those with its cookie and all that descends from
    them. Never this process. What one has no right to look into is not found.
    """
    return sorted(process.pid for process in find_leftovers(environment_name))


def find_leftovers(environment_name: str) -> list[psutil.Process]:
    processes: dict[int, psutil.Process] = {}
    parents: dict[int, int] = {}
    marked: set[int] = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            parents[process.pid] = process.ppid()
            processes[process.pid] = process
            if process.environ().get(COOKIE) == environment_name:
                marked.add(process.pid)
    found = (marked | descendants(marked, parents)) - {os.getpid()}
    return [processes[pid] for pid in found]


def descendants(roots: set[int], parents: dict[int, int]) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    ahead = list(roots)
    while ahead:
        new = [pid for pid in children.get(ahead.pop(), ()) if pid not in found]
        found.update(new)
        ahead += new
    return found


def kill_leftovers(environment_name: str) -> list[int]:
    """Kill them until none is found; returns what was killed. What cannot be killed within
    `KILL_TIMEOUT` seconds stays, and `leftover_processes` goes on to name it.
    """
    killed: set[int] = set()
    deadline = time.monotonic() + KILL_TIMEOUT
    while time.monotonic() < deadline and (found := find_leftovers(environment_name)):
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
                killed.add(process.pid)
        for process in found:
            wait_ended(process, deadline - time.monotonic())
    return sorted(killed)


def wait_ended(process: psutil.Process, timeout: float) -> None:
    """Wait until a process has ended, on Linux whether or not its parent has reaped it: the first
    process of a container image may take a second to do so, or never do it.
    """
    with contextlib.suppress(psutil.Error, OSError):
        if sys.platform == "linux":
            with open(os.pidfd_open(process.pid), "rb") as ended:
                poll = select.poll()
                poll.register(ended, select.POLLIN)
                poll.poll(max(timeout, 0.0) * 1000)
        else:
            process.wait(max(timeout, 0.0))


def remove_environment(directory: Path, name: str) -> tuple[list[str], list[str]]:
    """Remove all that is left of an environment whose server is dead: processes, its kind cluster
    if it began to make one, and its directory.

    :returns: what was removed; what could not be, and why. One line for each, for a person.
    """
    removed: list[str] = []
    left: list[str] = []
    if killed := kill_leftovers(name):
        removed.append(f"{name}: killed {len(killed)} processes")
    if alive := leftover_processes(name):
        left.append(f"{name}: cannot kill {', '.join(map(str, alive))}")
    if problem := remove_cgroup(directory, name):
        left.append(f"{name}: {problem}")
    if os.path.exists(directory / MARK):
        if problem := delete_kind_cluster(directory, name):
            left.append(f"{name}: {problem}")
        else:
            removed.append(f"{name}: deleted its kind cluster")
    if directory.exists():
        try:
            delete_tree(directory)
            removed.append(f"{name}: removed {directory}")
        except OSError as error:
            left.append(f"{name}: {directory} could not be deleted: {error}")
    return removed, left


def remove_cgroup(directory: Path, name: str) -> str | None:
    """Kill what is in the environment's cgroup, with a cookie or without, and remove it; returns
    why it is left, None if it is not.
    """
    try:
        path = (directory / FILE).read_text()
    except OSError:  # it never had one
        return None
    if os.path.basename(path) != name:  # cut short; others may be in that one
        return f"{path} is not its cgroup"
    for pid in members(path):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    if remove_tree(path):
        return None
    return f"cgroup {path} could not be removed; in it: {members(path)}"


def delete_kind_cluster(directory: Path, name: str) -> str | None:
    """Returns why it may be left, None if it is not."""
    by_hand = f"; delete it by `kind delete cluster --name {name}`"
    if shutil.which("kind") is None:
        return f"its kind cluster may be left: there is no `kind` in PATH{by_hand}"
    kubeconfig = directory / "kubeconfig"
    kind = Kind(name, kubeconfig)
    try:
        # kind writes the kubeconfig last, so with it there is no creation that must be ended.
        if kubeconfig.exists():
            kind.delete()
        else:
            kind.clear()
    except CommandError as error:
        return f"its kind cluster could not be deleted: {error.stderr}{by_hand}"
    return None
