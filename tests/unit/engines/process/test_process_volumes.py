"""Volumes: where they are, who shares them, how long they live, and that nothing leads astray."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from engine_driver import Driver
from engine_driver import container
from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import Mount
from kecs_server.engines.base import TaskLost
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.base import Volume
from kecs_server.engines.base import VolumeKind

SCRATCH = Volume(name="my-data_1", kind=VolumeKind.TASK)
OTHER = Volume(name="other", kind=VolumeKind.TASK)
CREATE = "CannotCreateContainerError: Error response from daemon: "


def at(path: str, volume: Volume = SCRATCH, **fields: Any) -> Mount:
    return Mount(volume=volume.name, path=path, **fields)


def run(driver: Driver, task: str, name: str = "app") -> str:
    """Run a container of the task to its end, which must be good; returns what it wrote."""
    driver.engine.start_container(task, name)
    stopped = driver.wait(ContainerStopped, task, name)
    logs = driver.logs(task, name)
    assert (stopped.exit_code, stopped.reason) == (0, None), (stopped, logs)
    return logs.stdout.decode()


def shell(script: str, *mounts: Mount, name: str = "app", **fields: Any) -> ContainerSpec:
    return container("sh", "-c", script, name=name, mounts=mounts, **fields)


def test_containers_share_a_volume_of_their_task(driver: Driver) -> None:
    first = shell("echo hello > in/put", at("/in"), name="first")
    second = shell('cat out/put; cat "$KECS_VOLUME_MY_DATA_1/put"', at("/out"), name="second")
    task = driver.provision(first, second, volumes=(SCRATCH,))
    run(driver, task, "first")
    assert run(driver, task, "second") == "hello\nhello\n"


def test_tasks_do_not_share_a_volume_of_that_kind(driver: Driver) -> None:
    for _ in range(2):
        task = driver.provision(shell("ls in; touch in/file", at("/in")), volumes=(SCRATCH,))
        assert run(driver, task) == ""


def test_a_shared_volume_outlives_its_tasks(driver: Driver) -> None:
    one = Volume(name="one", kind=VolumeKind.SHARED, source="docker/x")
    task = driver.provision(shell("echo kept > in/file", at("/in", one)), volumes=(one,))
    run(driver, task)
    driver.remove(task)
    driver.engine.discard(task)
    same = Volume(name="two", kind=VolumeKind.SHARED, source="docker/x")
    task = driver.provision(shell('cat "$KECS_VOLUME_TWO/file"', at("/a", same)), volumes=(same,))
    assert run(driver, task) == "kept\n"
    other = Volume(name="one", kind=VolumeKind.SHARED, source="docker/../../y")
    task = driver.provision(shell("ls in; cd in; pwd -P", at("/in", other)), volumes=(other,))
    volumes = os.path.realpath(driver.directory(task).parent.parent / "volumes")
    assert os.path.dirname(run(driver, task).strip()) == volumes


def test_a_directory_of_the_host(driver: Driver, tmp_path: Path) -> None:
    there = tmp_path / "host"
    there.mkdir()
    (there / "file").write_text("of the host\n")
    volume = Volume(name="host", kind=VolumeKind.HOST, source=str(there))
    task = driver.provision(
        shell("cat etc/x/file; echo y > etc/x/new", at("/etc/x", volume)), volumes=(volume,)
    )
    assert run(driver, task) == "of the host\n"
    assert (there / "new").read_text() == "y\n"


def test_a_directory_of_the_host_survives_its_tasks(driver: Driver, tmp_path: Path) -> None:
    """Wherever the container has put links to it, and whatever else it did in its own directory."""
    there = tmp_path / "host"
    (there / "deep").mkdir(parents=True)
    (there / "deep" / "file").write_text("precious")
    volume = Volume(name="host", kind=VolumeKind.HOST, source=str(there))
    script = (
        f"ln -s '{there}' link; ln -s '{there}' \"$TMPDIR/link\"; ln -s '{there}/deep/file' .; ls"
    )
    mounts = (at("/in", volume), at("/deep", volume), at("/scratch"))
    task = driver.provision(
        shell(f"{script}; ln -s '{there}' scratch/link", *mounts, restarts=True),
        volumes=(volume, SCRATCH),
    )
    run(driver, task)
    driver.remove(task)
    driver.engine.discard(task)
    assert not driver.directory(task).exists()
    assert (there / "deep" / "file").read_text() == "precious"


def test_a_task_directory_that_was_made_a_link(driver: Driver, tmp_path: Path) -> None:
    there = tmp_path / "host"
    there.mkdir()
    (there / "file").write_text("precious")
    script = f"cd ../..; rm -r app/work app/tmp; ln -s '{there}' app/work; ln -s '{there}' app/tmp"
    task = driver.provision(shell(script))
    run(driver, task)
    driver.remove(task)
    driver.engine.discard(task)
    assert (there / "file").read_text() == "precious"


@pytest.mark.parametrize("above", ["", "/..", "/../.."], ids=["itself", "volumes", "task"])
def test_a_volume_that_was_made_a_link(driver: Driver, tmp_path: Path, above: str) -> None:
    """What it leads to is neither opened to others nor written to, and the next container that
    mounts the volume says why it does not start."""
    there = tmp_path / "private"
    there.mkdir(mode=0o700)
    script = (
        f'cd "$KECS_VOLUME_MY_DATA_1{above}"; d=$(pwd -P); mv "$d" "$d-away"; '
        f'ln -s "{there}" "$d"; cd /'
    )
    task = driver.provision(
        shell(script, at("/in"), name="first"),
        shell("true", at("/in"), name="second"),
        volumes=(SCRATCH,),
    )
    run(driver, task, "first")
    before = there.stat()
    driver.engine.start_container(task, "second")
    reason = driver.wait(ContainerStopped, task, "second").reason
    replaced = Path(os.path.normpath(f"{driver.directory(task)}/.volumes/my-data_1{above}"))
    assert reason == (
        f"{CREATE}create my-data_1: mkdir {replaced}: it has become a link, which is not followed"
    )
    assert (there.stat().st_mode, list(there.iterdir())) == (before.st_mode, [])


@pytest.mark.parametrize("name", ["work", "tmp", "work/app"])
def test_a_directory_that_was_made_a_link(driver: Driver, tmp_path: Path, name: str) -> None:
    """A container that starts again makes nothing where the link leads to."""
    there = tmp_path / "there"
    there.mkdir()
    script = f'cd "$HOME/.."; mv {name} away; ln -s "{there}" {name}'
    spec = shell(script, at("/in"), working_directory="/app/deep", restarts=True)
    task = driver.provision(spec, volumes=(SCRATCH,))
    run(driver, task)
    driver.seen.clear()
    driver.engine.start_container(task, "app")
    reason = driver.wait(ContainerStopped, task).reason or ""
    path = driver.directory(task) / "app" / name
    assert f"mkdir {path}: it has become a link, which is not followed" in reason
    assert list(there.iterdir()) == []


def test_folders_that_may_not_be_changed_are_deleted(driver: Driver, tmp_path: Path) -> None:
    """And what a link leads to keeps its mode."""
    there = tmp_path / "host"
    there.mkdir(mode=0o500)
    script = f"""
        mkdir -p mod/pkg; echo 1 > mod/pkg/f; ln -s '{there}' mod/link; chmod 555 mod/pkg mod
        mkdir -p in/a/b; touch in/a/b/c; chmod 000 in/a/b in/a
    """
    task = driver.provision(shell(script, at("/in")), volumes=(SCRATCH,))
    run(driver, task)
    driver.remove(task)
    driver.engine.discard(task)
    assert not driver.directory(task).exists()
    assert there.stat().st_mode & 0o777 == 0o500


def test_a_directory_of_the_host_is_made(driver: Driver, tmp_path: Path) -> None:
    """As Docker does; `..` is resolved before anything is looked at."""
    (tmp_path / "a").symlink_to("/")
    volume = Volume(name="host", kind=VolumeKind.HOST, source=f"{tmp_path}/a/../made/here")
    task = driver.provision(shell("touch in/file", at("/in", volume)), volumes=(volume,))
    run(driver, task)
    assert (tmp_path / "made" / "here" / "file").exists()


def test_a_file_of_the_host(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "settings").write_text("x = 1\n")
    volume = Volume(name="host", kind=VolumeKind.HOST, source=str(tmp_path / "settings"))
    task = driver.provision(
        shell("cat etc/settings", at("/etc/settings", volume)), volumes=(volume,)
    )
    assert run(driver, task) == "x = 1\n"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("relative/path", "the host path 'relative/path' of the volume host is not absolute"),
        ("../x", "the host path '../x' of the volume host is not absolute"),
        ("/etc/passwd/x", "error while creating mount source path '/etc/passwd/x': mkdir"),
        ("/a\0b", r"the host path '/a\x00b' of the volume host is not absolute"),
    ],
)
def test_a_directory_of_the_host_that_cannot_be(driver: Driver, source: str, text: str) -> None:
    volume = Volume(name="host", kind=VolumeKind.HOST, source=source)
    task = driver.provision(shell("true", at("/in", volume)), volumes=(volume,))
    driver.engine.start_container(task, "app")
    stopped = driver.wait(ContainerStopped, task)
    assert stopped.exit_code is None
    assert (stopped.reason or "").startswith(CREATE + text)


@pytest.mark.parametrize("path", ["/../../etc", "/etc", "/./x/..//etc/", "//etc"])
def test_a_path_ends_at_the_root(driver: Driver, path: str) -> None:
    task = driver.provision(shell("cd etc && touch file && pwd -P", at(path)), volumes=(SCRATCH,))
    volume = os.path.realpath(driver.directory(task) / ".volumes" / SCRATCH.name)
    assert run(driver, task).strip() == volume
    assert not os.path.exists("/etc/file")


@pytest.mark.parametrize("path", ["/", "/..", "/a/.."])
def test_nothing_is_mounted_at_the_root(driver: Driver, path: str) -> None:
    task = driver.provision(shell("true", at(path)), volumes=(SCRATCH,))
    driver.engine.start_container(task, "app")
    reason = driver.wait(ContainerStopped, task).reason
    text = "invalid mount config: invalid specification: destination can't be '/'"
    assert reason == CREATE + text


@pytest.mark.parametrize("path", ["rel", "../../../../tmp/x", "a/..", ""])
def test_a_path_must_be_absolute(driver: Driver, path: str) -> None:
    task = driver.provision(shell("true", at(path)), volumes=(SCRATCH,))
    driver.engine.start_container(task, "app")
    text = f"invalid mount config: invalid mount path: '{path}' mount path must be absolute"
    assert driver.wait(ContainerStopped, task).reason == CREATE + text


def test_a_mount_below_the_working_directory(driver: Driver) -> None:
    spec = shell("touch data/file; pwd -P", at("/app/data"), working_directory="/app")
    task = driver.provision(spec, volumes=(SCRATCH,))
    work = os.path.realpath(driver.directory(task) / "app" / "work")
    assert run(driver, task).strip() == f"{work}/app"
    assert (driver.directory(task) / ".volumes" / SCRATCH.name / "file").exists()


@pytest.mark.parametrize("wanted", ["/tmp", "/tmp/made"])
def test_a_working_directory_in_a_mount(driver: Driver, wanted: str) -> None:
    """Though this machine has a directory of that name too."""
    spec = shell("pwd -P", at("/tmp"), working_directory=wanted)
    task = driver.provision(spec, volumes=(SCRATCH,))
    volume = os.path.realpath(driver.directory(task) / ".volumes" / SCRATCH.name)
    assert run(driver, task).strip() == volume + wanted.removeprefix("/tmp")


def test_of_two_mounts_at_one_place_the_first_counts(driver: Driver) -> None:
    """The container's own come before what volumesFrom brings."""
    spec = shell("touch in/file", at("/in"), at("/in/", OTHER))
    task = driver.provision(spec, volumes=(SCRATCH, OTHER))
    run(driver, task)
    assert (driver.directory(task) / ".volumes" / SCRATCH.name / "file").exists()


def test_a_mount_in_a_mount_is_reached_by_its_variable(driver: Driver) -> None:
    spec = shell('ls in; touch "$KECS_VOLUME_OTHER/file"', at("/in/deep", OTHER), at("/in"))
    task = driver.provision(spec, volumes=(SCRATCH, OTHER))
    assert run(driver, task) == ""
    assert (driver.directory(task) / ".volumes" / "other" / "file").exists()


def test_mounts_of_a_container_that_starts_again(driver: Driver) -> None:
    spec = shell("echo x >> a/b/in/file; cat a/b/in/file", at("/a/b/in"), restarts=True)
    task = driver.provision(spec, volumes=(SCRATCH,))
    run(driver, task)
    driver.seen.clear()
    assert run(driver, task) == "x\nx\nx\n"


def test_a_link_that_the_container_made_is_not_followed(driver: Driver, tmp_path: Path) -> None:
    spec = shell(f"rm -r a; ln -s '{tmp_path}' a", at("/a/in"), restarts=True)
    task = driver.provision(spec, volumes=(SCRATCH,))
    run(driver, task)
    driver.seen.clear()
    driver.engine.start_container(task, "app")
    driver.wait(ContainerStopped, task)
    assert not os.path.lexists(tmp_path / "in")


def test_the_definitions_variable_wins(driver: Driver) -> None:
    environment = {"KECS_VOLUME_OTHER": "mine"}
    spec = shell("echo $KECS_VOLUME_OTHER", at("/x", OTHER), environment=environment)
    assert run(driver, driver.provision(spec, volumes=(OTHER,))) == "mine\n"


def test_a_volumes_name_does_not_lead_out(driver: Driver) -> None:
    volume = Volume(name="../../x", kind=VolumeKind.TASK)
    spec = TaskSpec(
        task_id="1" * 32,
        task_arn="arn",
        family="family",
        containers=(shell("true", at("/x", volume)),),
        volumes=(volume,),
    )
    driver.engine.provision(spec)
    assert "'../../x' is not a name" in driver.wait(TaskLost, spec.task_id).reason
