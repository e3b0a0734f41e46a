"""Who a container runs as: `user` of its definition, looked up on this machine as Docker does in
the image."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from kecs_server.engines.folders import open_folder
from kecs_server.engines.folders import set_mode
from kecs_server.engines.process.errors import DAEMON
from kecs_server.engines.process.errors import LaunchError

HIGHEST = 2**31 - 1
PASSABLE = stat.S_IXGRP | stat.S_IXOTH


@dataclass(frozen=True, slots=True)
class User:
    uid: int
    gid: int


def find_user(wanted: str | None) -> User | None:
    """`uid[:gid]` or `name[:group]`; None: as the server itself, which only root can change.

    The user's own group is that of the password file, or 0 as in Docker.

    :raises LaunchError: no such user or group, whoever asks.
    """
    if not wanted:
        return None
    name, _, group = wanted.partition(":")
    user = _user(name or "0")
    if group:
        user = User(user.uid, _group(group))
    if os.geteuid() != 0 or user == User(0, 0):
        return None
    return user


def open_way(directory: Path, environment: Path) -> None:
    """Let other users into the container's directory, if they know its name: the way there, from
    the folder of environments on, can be passed and not listed.

    :raises LaunchError: there is a closed folder above that.
    :raises LinkError: one of them has become a link.
    """
    home = environment.parent
    for folder in (home, *_between(environment, directory)):
        with open_folder(folder, home) as descriptor:
            mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
            wanted = mode | PASSABLE if folder == home else mode & stat.S_IRWXU | PASSABLE
            if mode != wanted:
                set_mode(descriptor, wanted)
    for folder in environment.parents:
        if folder.stat().st_mode & PASSABLE != PASSABLE:
            raise LaunchError(
                f"CannotStartContainerError: {folder} is closed to other users than root, and the "
                "container's directory is below it: set KECS_HOME to a folder that they can reach"
            )


def _between(top: Path, bottom: Path) -> list[Path]:
    return [folder for folder in (bottom, *bottom.parents) if folder.is_relative_to(top)]


def _user(name: str) -> User:
    try:
        entry = pwd.getpwuid(int(name)) if _is_number(name) else pwd.getpwnam(name)
    except (KeyError, ValueError):
        if _is_number(name):
            return User(_in_range(name), 0)
        raise _unknown("user", name, "passwd") from None
    return User(entry.pw_uid, entry.pw_gid)


def _group(name: str) -> int:
    if _is_number(name):
        return _in_range(name)
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        raise _unknown("group", name, "group") from None


def _is_number(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit()


def _in_range(text: str) -> int:
    number = int(text)
    if not 0 <= number <= HIGHEST:
        raise LaunchError(DAEMON.format(f"uids and gids must be in range 0-{HIGHEST}"))
    return number


def _unknown(kind: str, name: str, file: str) -> LaunchError:
    text = f"unable to find {kind} {name}: no matching entries in {file} file"
    return LaunchError(DAEMON.format(text))
