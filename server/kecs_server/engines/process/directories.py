"""A container's directories, and what is mounted in them.

An image has no file system here. A container's root is its directory `work`: what the definition
mounts at `/data` is the link `work/data`, to a directory elsewhere. `..` ends at that root.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import Volume
from kecs_server.engines.base import VolumeKind
from kecs_server.engines.process.errors import CREATE
from kecs_server.engines.process.errors import RUNC
from kecs_server.engines.process.errors import LaunchError
from kecs_server.engines.process.errors import describe
from kecs_server.engines.process.users import User

OPEN_TO_ALL = 0o777
ONE_WAY = 0o711  # others may pass, and see nothing


def make_volume(volume: Volume, *, task: Path, shared: Path) -> Path:
    """Make the volume's directory if need be, and tell where it is. Directories of the host are
    made as Docker does, and are never removed.

    :param task: the task's directory; shared: where the volumes are that outlive tasks.
    :raises LaunchError: it cannot be made.
    """
    if volume.kind is VolumeKind.HOST:
        return _make_host_directory(volume)
    if volume.kind is VolumeKind.SHARED:
        path = (
            shared / hashlib.sha256(volume.source.encode(errors="surrogatepass")).hexdigest()[:32]
        )
    else:
        path = task / ".volumes" / volume.name  # no container can have this name
    try:
        path.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            path.chmod(OPEN_TO_ALL)  # its containers may be different users
            path.parent.chmod(ONE_WAY)
    except (OSError, ValueError) as error:
        text = f"create {volume.name}: mkdir {path}: {describe(error)}"
        raise LaunchError(CREATE.format(text)) from error
    return path


def make_directories(
    spec: ContainerSpec, directory: Path, rootdir: str, volumes: Mapping[str, Path]
) -> str:
    """Make `work`, `tmp`, the mounts and the working directory; returns the last.

    :raises LaunchError: something cannot be made, or nothing can be mounted there.
    """
    work = directory / "work"
    try:
        for folder in (work, directory / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        mounted = _mount(spec, directory, volumes)
        return _make_working_directory(spec.working_directory, work, rootdir, mounted)
    except (OSError, ValueError) as error:
        where = getattr(error, "filename", None) or work
        raise LaunchError(RUNC.format(f"mkdir {where}: {describe(error)}")) from error


def give_to(user: User, directory: Path) -> None:
    """Make the user the owner of what the container may write to, but not of what is mounted."""
    for top in (directory / "work", directory / "tmp", directory / "tmpfs"):
        for folder, _, _ in os.walk(top):
            os.chown(folder, user.uid, user.gid, follow_symlinks=False)


def volume_variables(spec: ContainerSpec, volumes: Mapping[str, Path]) -> dict[str, str]:
    """`KECS_VOLUME_<NAME>`: where each volume that the container mounts really is."""
    return {
        "KECS_VOLUME_" + _variable(mount.volume): str(volumes[mount.volume])
        for mount in spec.mounts
    }


def inside(path: str) -> str:
    """A path of the container, relative to its root."""
    return os.path.normpath("/" + path).lstrip("/")


def _make_host_directory(volume: Volume) -> Path:
    source = os.path.normpath(volume.source)
    if not os.path.isabs(source) or "\0" in source:
        text = f"the host path {volume.source!r} of the volume {volume.name} is not absolute"
        raise LaunchError(CREATE.format(text))
    path = Path(source)
    try:
        if not path.exists():
            path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = f"error while creating mount source path '{source}': mkdir {error.filename}"
        raise LaunchError(CREATE.format(f"{text}: {describe(error)}")) from error
    return path


def _mount(spec: ContainerSpec, directory: Path, volumes: Mapping[str, Path]) -> set[str]:
    """Link what is mounted; returns the places. Of two mounts at one place the first counts, which
    is the container's own before what volumesFrom brings.
    """
    targets: dict[str, Path] = {}
    for mount in spec.mounts:
        targets.setdefault(inside(mount.path), volumes[mount.volume])
    memory = directory / "tmpfs"
    if memory.exists():
        shutil.rmtree(memory)  # what was in memory is gone when the container starts again
    for number, tmpfs in enumerate(spec.tmpfs):
        target = targets.setdefault(inside(tmpfs.path), memory / str(number))
        if target.is_relative_to(memory):
            target.mkdir(parents=True)
    if "" in targets:
        text = "invalid mount config: invalid specification: destination can't be '/'"
        raise LaunchError(CREATE.format(text))
    for place in sorted(targets):
        _link(directory / "work", place, targets[place])
    return set(targets)


def _link(work: Path, place: str, target: Path) -> None:
    """Nothing is put into what is a link already: that is another mount, or the container's own
    doing; below it only the variable leads to the volume.
    """
    *parents, name = place.split("/")
    folder = work
    for parent in parents:
        folder /= parent
        if folder.is_symlink():
            return
        folder.mkdir(exist_ok=True)
    link = folder / name
    if link.is_symlink():
        link.unlink()
    link.symlink_to(target)


def _make_working_directory(wanted: str | None, work: Path, rootdir: str, mounted: set[str]) -> str:
    """Where the container starts.

    An absolute path that exists on this machine is taken as it is, unless something is mounted
    there, and a relative one that exists below `rootdir` is taken there. Any other is made below
    the container's root, as Docker makes a WORKDIR that the image lacks. Without a wish it is the
    root itself.
    """
    if not wanted:
        return str(work)
    place = inside(wanted)
    there = wanted if os.path.isabs(wanted) else os.path.join(rootdir, place)
    is_mounted = any(f"{place}/".startswith(f"{mount}/") for mount in mounted)
    if not is_mounted and os.path.exists(there):
        return there
    made = work / place
    made.mkdir(parents=True, exist_ok=True)
    return str(made)


def _variable(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name).upper()
