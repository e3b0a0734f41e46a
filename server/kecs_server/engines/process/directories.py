"""A container's directories, and what is mounted in them.

An image has no file system here. A container's root is its directory `work`: what the definition
mounts at `/data` is the link `work/data`, to a directory elsewhere. `..` ends at that root.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import Volume
from kecs_server.engines.base import VolumeKind
from kecs_server.engines.folders import LinkError
from kecs_server.engines.folders import delete_tree
from kecs_server.engines.folders import make_folders
from kecs_server.engines.folders import open_folder
from kecs_server.engines.folders import set_mode
from kecs_server.engines.mounts import inside
from kecs_server.engines.mounts import mount_problem
from kecs_server.engines.process.errors import CREATE
from kecs_server.engines.process.errors import RUNC
from kecs_server.engines.process.errors import LaunchError
from kecs_server.engines.process.errors import describe
from kecs_server.engines.process.users import User

OPEN_TO_ALL = 0o777
ONE_WAY = 0o711  # others may pass, and see nothing


def make_volume(volume: Volume, *, task: Path, environment: Path) -> Path:
    """Make the volume's directory if need be, and tell where it is. Directories of the host are
    made as Docker does, and are never removed.

    :param task: the task's directory; environment: it has `volumes`, which outlive tasks.
    :raises LaunchError: it cannot be made, or has become a link.
    """
    if volume.kind is VolumeKind.HOST:
        return _make_host_directory(volume)
    if volume.kind is VolumeKind.SHARED:
        name = hashlib.sha256(volume.source.encode(errors="surrogatepass")).hexdigest()[:32]
        path = environment / "volumes" / name
    else:
        path = task / ".volumes" / volume.name  # no container can have this name
    try:
        with open_folder(path, environment) as folder:
            if os.geteuid() == 0:
                set_mode(folder, OPEN_TO_ALL)  # its containers may be different users
                with open_folder(path.parent, environment) as parent:
                    set_mode(parent, ONE_WAY)
    except (OSError, ValueError) as error:
        where = getattr(error, "filename", None) or path
        text = f"create {volume.name}: mkdir {where}: {describe(error)}"
        raise LaunchError(CREATE.format(text)) from error
    return path


def make_directories(
    spec: ContainerSpec,
    directory: Path,
    environment: Path,
    rootdir: str,
    volumes: Mapping[str, Path],
) -> str:
    """Make `work`, `tmp`, the mounts and the working directory; returns the last. `directory` is
    the container's, below the `environment`'s.

    :raises LaunchError: something cannot be made, or nothing can be mounted there.
    """
    work = directory / "work"
    try:
        make_folders(directory, environment, (work.name, "tmp"))
        mounted = _mount(spec, directory, environment, volumes)
        return _make_working_directory(spec.working_directory, work, environment, rootdir, mounted)
    except (OSError, ValueError) as error:
        where = getattr(error, "filename", None) or work
        raise LaunchError(RUNC.format(f"mkdir {where}: {describe(error)}")) from error


def give_to(user: User, directory: Path, environment: Path) -> None:
    """Make the user the owner of what the container may write to, but not of what is mounted.

    :raises LinkError: the way to the container's directory has become a link.
    """
    with open_folder(directory, environment) as container:
        for name in ("work", "tmp", "tmpfs", "files"):
            with contextlib.suppress(FileNotFoundError):  # it may have neither of the last two
                for *_, files, folder in os.fwalk(name, dir_fd=container):
                    os.fchown(folder, user.uid, user.gid)
                    for file in files if name == "files" else ():
                        os.chown(file, user.uid, user.gid, dir_fd=folder, follow_symlinks=False)


def mount_variables(
    spec: ContainerSpec, directory: Path, volumes: Mapping[str, Path]
) -> dict[str, str]:
    """`KECS_VOLUME_<NAME>`, `KECS_TMPFS_<PATH>` and `KECS_FILE_<PATH>`: where each volume that the
    container mounts, each tmpfs and each file that it is given really is.
    """
    return {
        **{
            "KECS_TMPFS_" + _variable(inside(tmpfs.path)): str(_tmpfs(directory, number))
            for number, tmpfs in enumerate(spec.tmpfs)
        },
        **{
            "KECS_FILE_" + _variable(inside(path)): str(_file(directory, number))
            for number, path in enumerate(spec.files)
        },
        **{
            "KECS_VOLUME_" + _variable(mount.volume): str(volumes[mount.volume])
            for mount in spec.mounts
        },
    }


def read_only(spec: ContainerSpec, environment: Path, volumes: Mapping[str, Path]) -> Iterator[str]:
    """The volumes that the container may not write to, wherever it mounts them. Not one in which
    the environment is, where the container's own directories are.
    """
    writable = {mount.volume for mount in spec.mounts if not mount.read_only}
    home = os.path.realpath(environment)
    for name in sorted({mount.volume for mount in spec.mounts} - writable):
        path = os.path.realpath(volumes[name])
        if os.path.commonpath((path, home)) != path:
            yield path


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


def _mount(
    spec: ContainerSpec, directory: Path, environment: Path, volumes: Mapping[str, Path]
) -> dict[str, Path]:
    """Link what is mounted; returns what is at which place. Of two mounts at one place the first
    counts, which is the container's own before what volumesFrom brings.
    """
    targets: dict[str, Path] = {}
    for mount in spec.mounts:
        targets.setdefault(_place(mount.path), volumes[mount.volume])
    memory = directory / "tmpfs"
    if os.path.lexists(memory):
        delete_tree(memory)  # what was in memory is gone when the container starts again
    for number, tmpfs in enumerate(spec.tmpfs):
        target = _tmpfs(directory, number)
        targets.setdefault(_place(tmpfs.path), target)
        with open_folder(target, environment):
            pass
    for number, (path, text) in enumerate(spec.files.items()):
        target = _file(directory, number)
        targets.setdefault(_place(path), target)
        with open_folder(target.parent, environment) as folder:
            _write(target.name, text, folder)
    for place in sorted(targets):
        _link(directory / "work", environment, place, targets[place])
    return targets


def _place(path: str) -> str:
    """Where something is mounted, relative to the container's root.

    :raises LaunchError: with Docker's words, nothing can be mounted there.
    """
    problem = mount_problem(path)
    if problem:
        raise LaunchError(CREATE.format(problem))
    return inside(path)


def _tmpfs(directory: Path, number: int) -> Path:
    return directory / "tmpfs" / str(number)


def _file(directory: Path, number: int) -> Path:
    return directory / "files" / str(number)


def _write(name: str, text: str, folder: int) -> None:
    """Anew at each start; the container may have put a link there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
    with open(fd, "w", encoding="utf-8") as file:
        file.write(text)


def _link(work: Path, environment: Path, place: str, target: Path) -> None:
    """Nothing is put into what is a link already: that is another mount, or the container's own
    doing; below it only the variable leads to the volume.
    """
    link = work / place
    try:
        with open_folder(link.parent, environment) as folder:
            if link.is_symlink():
                os.unlink(link.name, dir_fd=folder)
            os.symlink(target, link.name, dir_fd=folder)
    except LinkError:
        return


def _make_working_directory(
    wanted: str | None, work: Path, environment: Path, rootdir: str, mounted: Mapping[str, Path]
) -> str:
    """Where the container starts.

    An absolute path that exists on this machine is taken as it is, unless something is mounted
    there, and a relative one that exists below `rootdir` is taken there. Any other is made below
    the container's root, as Docker makes a WORKDIR that the image lacks. Without a wish it is the
    root itself.
    """
    place = inside(wanted or "")
    if not place and not os.path.isabs(wanted or ""):
        return str(work)
    assert wanted is not None
    there = wanted if os.path.isabs(wanted) else os.path.join(rootdir, place)
    mount = min((m for m in mounted if f"{place}/".startswith(f"{m}/")), key=len, default=None)
    if mount is None and os.path.exists(there):
        return there
    made = work / place
    if not made.is_dir():
        top = environment if mount is None else mounted[mount].resolve()
        path = made if mount is None else top / os.path.relpath(place, mount)
        with open_folder(path, top):
            pass
    return str(made)


def _variable(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name).upper()
