"""Folders of the environment: what is opened, and that all is deleted, by whoever owns it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from kecs_server.engines.folders import LinkError
from kecs_server.engines.folders import delete_tree
from kecs_server.engines.folders import open_folder

NOBODY = 65534


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that is an ordinary user's, where everybody can go."""
    with tempfile.TemporaryDirectory(prefix="kecs-test-") as name:
        path = Path(name)
        if os.geteuid() == 0:
            path.chmod(0o711)
            os.chown(path, NOBODY, NOBODY)
        yield path


def delete_as_user(path: Path) -> int:
    """Delete as an ordinary user would; returns the number of the error."""
    pid = os.fork()
    if pid == 0:
        code = 255
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            delete_tree(path)
            code = 0
        except OSError as error:
            code = error.errno or 254
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def own(*paths: Path) -> None:
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


@pytest.mark.parametrize("mode", [0o000, 0o555, 0o444, 0o300])
def test_deletion_changes_modes_on_its_way(place: Path, mode: int) -> None:
    top, other = place / "top", place / "other"
    deep = top / "a" / "b"
    deep.mkdir(parents=True)
    other.mkdir()
    (deep / "file").touch()
    (other / "file").touch()
    (top / "link").symlink_to(other)
    own(top, top / "a", deep, deep / "file", top / "link", other, other / "file")
    other.chmod(0o500)
    for folder in (deep, top / "a", top):
        folder.chmod(mode)
    assert delete_as_user(top) == 0
    assert list(place.iterdir()) == [other]
    assert (other.stat().st_mode & 0o777, os.listdir(other)) == (0o500, ["file"])
    other.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a folder of another user")
def test_what_cannot_be_deleted_is_an_error(place: Path) -> None:
    foreign = place / "top" / "foreign"
    foreign.mkdir(parents=True)
    (foreign / "file").touch()
    own(place / "top")
    assert delete_as_user(place / "top") == 13
    assert (foreign / "file").exists()


def test_a_deep_folder_is_deleted(tmp_path: Path) -> None:
    """Deeper than recursion, descriptors and paths go."""
    top = tmp_path / "top"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("folder", dir_fd=here)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        below = os.open("folder", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    delete_tree(top)
    assert list(tmp_path.iterdir()) == []


def test_deleting_a_link_leaves_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    delete_tree(tmp_path / "link")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize("link", ["top", "top/a", "top/a/b"])
def test_a_folder_is_not_opened_through_a_link(tmp_path: Path, link: str) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / link).symlink_to(there)
    with pytest.raises(LinkError) as caught, open_folder(tmp_path / "top/a/b", tmp_path / "top"):
        pass
    assert caught.value.filename == str(tmp_path / link)
    assert list(there.iterdir()) == []


def test_folders_are_made(tmp_path: Path) -> None:
    with open_folder(tmp_path / "a" / "b", tmp_path) as descriptor:
        assert os.fstat(descriptor).st_ino == (tmp_path / "a" / "b").stat().st_ino
