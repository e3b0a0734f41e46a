"""Watches what containers use of memory, and tells which uses more than it may. Linux.

What counts is what a memory cgroup charges and cannot take back: anonymous and shared memory, not
the pages of files. The resident set of a container's processes is never less than that and cheap
to read, so it comes first; only where it is above the limit does the proportional set decide, in
which a page that eight forked processes share counts once.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field

from kecs_server.engines.process.kernel import children_of
from kecs_server.engines.process.kernel import read

SHORTEST = 0.05  # seconds between two looks at a task that has just begun, or is near its limit
LONGEST = 0.5  # seconds between two looks at any other
GROWTH = 1.5
SHARE = 0.04  # of a processor that all looking may take; beyond that the intervals grow
PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Member:
    """A container: its limit in bytes, its first process and those of commands run in it."""

    limit: int | None
    pids: list[int] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Group:
    """A task: its limit in bytes, its containers by key, when it is to be looked at next."""

    limit: int | None
    members: dict[str, Member] = field(default_factory=dict)
    interval: float = SHORTEST
    due: float = 0.0


class MemoryWatch:
    """One thread, from the first limit on; it sleeps as long as no process has one.

    :param on_excess: gets the key of a container that uses too much, from the watch's thread. It
        is looked at no more.
    """

    def __init__(self, on_excess: Callable[[str], None]) -> None:
        self._on_excess = on_excess
        self._changed = threading.Condition()
        self._groups: dict[str, Group] = {}
        self._thread: threading.Thread | None = None
        self._wakes_at = 0.0
        self._closed = False

    def add(
        self, task_id: str, key: str, pid: int, *, limit: int | None, task_limit: int | None
    ) -> None:
        """Watch one more process of a container, and all that descends from it. Limits in MiB."""
        if sys.platform != "linux" or (limit is None and task_limit is None):
            return
        with self._changed:
            group = self._groups.setdefault(task_id, Group(limit=in_bytes(task_limit)))
            member = group.members.setdefault(key, Member(limit=in_bytes(limit)))
            member.pids.append(pid)
            group.interval = SHORTEST
            group.due = time.monotonic() + SHORTEST
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="memory-watch", daemon=True)
                self._thread.start()
            elif group.due < self._wakes_at:
                self._changed.notify()

    def drop(self, task_id: str, key: str, pid: int | None = None) -> None:
        """Watch a process no more, or a whole container."""
        with self._changed:
            group = self._groups.get(task_id)
            if group is None or key not in group.members:
                return
            pids = group.members[key].pids
            if pid in pids:
                pids.remove(pid)
            if pid is None or not pids:
                del group.members[key]
            if not group.members:
                del self._groups[task_id]

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        earliest = spent = 0.0
        while due := self._wait(earliest):
            for group, members in due:
                key = look_at(group, members)
                if key is not None:
                    self._on_excess(key)
            before, spent = spent, time.thread_time()
            earliest = time.monotonic() + (spent - before) / SHARE

    def _wait(self, earliest: float) -> list[tuple[Group, dict[str, Member]]]:
        """The tasks to look at, as they are now; none when it is the end."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                next_due = min((group.due for group in self._groups.values()), default=None)
                if next_due is None:
                    self._wakes_at = float("inf")
                    self._changed.wait()
                    continue
                self._wakes_at = max(next_due, earliest)
                if now >= self._wakes_at:
                    due = [group for group in self._groups.values() if group.due <= now]
                    return [(group, copy_of(group.members)) for group in due]
                self._changed.wait(self._wakes_at - now)
            return []


def look_at(group: Group, members: dict[str, Member]) -> str | None:
    """The key of the container to end, if one has to; sets when to look again."""
    trees = {key: tree_of(member.pids) for key, member in members.items()}
    resident = {key: sum(map(resident_of, tree)) for key, tree in trees.items()}
    total = sum(resident.values())
    sizes = [(m.limit, resident[key]) for key, m in members.items()]
    limited = [(limit, size) for limit, size in [(group.limit, total), *sizes] if limit is not None]
    is_over = any(size > limit for limit, size in limited)
    is_near = any(size > limit / 2 for limit, size in limited)
    excess = find_excess(group, members, trees) if is_over else None
    # One that shares much stays above its limit, and looking at it closely takes longer.
    hurries = is_near and not is_over
    group.interval = SHORTEST if hurries else min(group.interval * GROWTH, LONGEST)
    group.due = time.monotonic() + group.interval
    return excess


def find_excess(
    group: Group, members: dict[str, Member], trees: dict[str, list[int]]
) -> str | None:
    """A container above its own limit; or the largest, as the kernel takes, of a task above its."""
    used = {key: sum(map(used_by, tree)) for key, tree in trees.items()}
    for key, member in members.items():
        if member.limit is not None and used[key] > member.limit:
            return key
    if group.limit is not None and sum(used.values()) > group.limit:
        return max(used, key=lambda key: used[key])
    return None


def tree_of(pids: Iterable[int]) -> list[int]:
    """These processes and all that descends from them."""
    tree = list(pids)
    for pid in tree:
        tree.extend(children_of(pid))
    return tree


def resident_of(pid: int) -> int:
    """Bytes in memory, those of files too; 0 if the process is gone."""
    return counted_pages(pid)[0] * PAGE


def used_by(pid: int) -> int:
    """Bytes of anonymous and shared memory, each page divided by the number of its users."""
    try:
        lines = read(f"/proc/{pid}/smaps_rollup").decode().splitlines()[1:]
        sizes = {name: int(size.split()[0]) for name, _, size in (r.partition(":") for r in lines)}
        return 1024 * (sizes["Pss_Anon"] + sizes["Pss_Shmem"])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    except (PermissionError, KeyError):  # it does not show that, as ssh-agent; an older kernel
        resident, shared = counted_pages(pid)
        return (resident - shared) * PAGE


def counted_pages(pid: int) -> tuple[int, int]:
    """Resident pages, and those of them that files and shared memory have."""
    try:
        _, resident, shared, *_ = read(f"/proc/{pid}/statm").split()
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    return int(resident), int(shared)


def copy_of(members: dict[str, Member]) -> dict[str, Member]:
    return {key: Member(limit=m.limit, pids=list(m.pids)) for key, m in members.items()}


def in_bytes(limit: int | None) -> int | None:
    return None if limit is None else limit * MIB
