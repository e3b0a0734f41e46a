"""The environment's own folders: opened without following links, and deleted whatever their modes.

A container runs as who runs the server, so where a folder was it can put a link. What is then made
there, given away or opened to others would be what the link leads to.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterable
from collections.abc import Iterator
from errno import ELOOP
from pathlib import Path

# Linux opens a folder as a place, with no right to read it; elsewhere that right is needed.
_PLACE = os.O_PATH if sys.platform == "linux" else os.O_RDONLY
_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class LinkError(OSError):
    """A link stands where a folder of the environment should be."""


@contextlib.contextmanager
def open_folder(path: Path, top: Path) -> Iterator[int]:
    """A descriptor of `path`, which is `top` or below it, and made if need be.

    :raises LinkError: `top`, `path` or a folder between them is a link.
    """
    here = top
    descriptor = _open(here, here, None)
    try:
        for name in path.relative_to(top).parts:
            here /= name
            below = _open_or_make(name, here, descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def make_folders(path: Path, top: Path, names: Iterable[str]) -> None:
    """Make the folders of these names in `path`, where they are not there, and `path` itself.

    :raises LinkError: as `open_folder`, or one of them is a link.
    """
    with open_folder(path, top) as descriptor:
        for name in names:
            os.close(_open_or_make(name, path / name, descriptor))


def set_mode(descriptor: int, mode: int) -> None:
    if sys.platform == "linux":
        os.chmod(f"/proc/self/fd/{descriptor}", mode)
    else:
        os.fchmod(descriptor, mode)


def delete_tree(top: Path) -> None:
    """Delete a folder with all in it, of which nobody makes use any more, however deep it is.
    Folders that their owner may not read or change are made so that he may; links are deleted, not
    followed.

    :raises OSError: something stays.
    """
    if top.is_symlink():
        top.unlink()
        return
    try:
        shutil.rmtree(top)
    except (OSError, RecursionError):
        _delete_flat(top)


def _delete_flat(top: Path) -> None:
    """Delete without recursion: folders are moved up into `top`, and there have their turn."""
    _unlock(str(top), None)
    up = os.open(top, _FOLDER | os.O_RDONLY)
    try:
        ahead = _empty(".", up)
        while ahead:
            name = ahead.pop()
            ahead += _empty(name, up)
            os.rmdir(name, dir_fd=up)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(top)) from error
    finally:
        os.close(up)
    top.rmdir()


def _empty(name: str, up: int) -> list[str]:
    """Delete what is in the folder `name` but folders: those are moved to `up`, and returned."""
    moved = []
    folder = os.open(name, _FOLDER | os.O_RDONLY, dir_fd=up)
    try:
        with os.scandir(folder) as entries:
            for entry in list(entries):
                if entry.is_dir(follow_symlinks=False):
                    _unlock(entry.name, folder)
                    moved.append(entry.name if name == "." else secrets.token_hex(16))
                    os.rename(entry.name, moved[-1], src_dir_fd=folder, dst_dir_fd=up)
                else:
                    os.unlink(entry.name, dir_fd=folder)
    finally:
        os.close(folder)
    return moved


def _open_or_make(name: str, path: Path, parent: int) -> int:
    try:
        return _open(name, path, parent)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=parent)
        return _open(name, path, parent)


def _open(name: Path | str, path: Path, parent: int | None) -> int:
    try:
        return os.open(name, _FOLDER | _PLACE, dir_fd=parent)
    except OSError as error:
        if os.path.islink(path):
            raise LinkError(ELOOP, os.strerror(ELOOP), str(path)) from error
        error.filename = str(path)
        raise


def _unlock(name: str, parent: int | None) -> None:
    """Let a folder's owner read and change it. What is no folder, or another's, stays as it is."""
    with contextlib.suppress(OSError):
        if sys.platform == "linux":
            descriptor = os.open(name, _FOLDER | _PLACE, dir_fd=parent)
            try:
                set_mode(descriptor, stat.S_IRWXU)
            finally:
                os.close(descriptor)
        else:
            os.chmod(name, stat.S_IRWXU, dir_fd=parent, follow_symlinks=False)
