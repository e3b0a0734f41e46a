"""Namespaces of Linux: making them, entering them, and what is mounted in them.

Part of the supervisor, and as that: standard library only.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import ExitStack
from typing import TypedDict

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
MS_RDONLY = 0x1
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_SLAVE = 0x80000

# What a mount forbids already, which an ordinary user has to forbid again.
KEPT = (
    (os.ST_NOSUID, 0x2),
    (os.ST_NODEV, 0x4),
    (os.ST_NOEXEC, 0x8),
    (os.ST_NOATIME, 0x400),
    (os.ST_NODIRATIME, 0x800),
    (os.ST_RELATIME, 0x200000),
)

HOSTS = "/etc/hosts"


class Isolation(TypedDict):
    """The network of a task, for a process that is to have it.

    user: the user namespace in which an ordinary user may enter the others, as a path; None as
        root, who needs none.
    net: the network namespace, as a path.
    hosts: the file that stands in for /etc/hosts.
    read_only: directories and files of the machine to which it may not write.
    """

    user: str | None
    net: str
    hosts: str
    read_only: list[str]


def isolate(isolation: Isolation) -> None:
    """Enter the network, with an /etc/hosts of one's own. What else is mounted stays the same.

    :raises OSError: a namespace is gone, or the system forbids it.
    """
    user, net = isolation["user"], isolation["net"]
    with ExitStack() as stack:
        opened = []
        for path, kind in ((user, CLONE_NEWUSER), (net, CLONE_NEWNET)):
            if path is not None:
                fd = os.open(path, os.O_RDONLY)
                stack.callback(os.close, fd)
                opened.append((fd, kind))
        for fd, kind in opened:
            setns(fd, kind)
    unshare(CLONE_NEWNS)
    mount_instead(isolation["hosts"], HOSTS)


def mount_instead(source: str, target: str) -> None:
    """Let a file stand in for another, in this mount namespace alone."""
    _mount(None, "/", MS_REC | MS_SLAVE)  # what the machine mounts later is seen, not the reverse
    _mount(source, target, MS_BIND)


def make_read_only(path: str) -> None:
    """In this mount namespace alone; as in Docker, not what is mounted below it."""
    flags = os.statvfs(path).f_flag
    kept = sum(mount for shown, mount in KEPT if flags & shown)
    _mount(path, path, MS_BIND | MS_REC)
    _mount(None, path, MS_REMOUNT | MS_BIND | MS_RDONLY | kept)


def unshare(kinds: int) -> None:
    _check(_libc().unshare(kinds))


def setns(fd: int, kind: int) -> None:
    _check(_libc().setns(fd, kind))


def _mount(source: str | None, target: str, flags: int) -> None:
    name = None if source is None else os.fsencode(source)
    _check(_libc().mount(name, os.fsencode(target), None, ctypes.c_ulong(flags), None))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
