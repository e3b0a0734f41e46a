"""Memory limits that the kernel enforces, where a memory cgroup can be divided."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_driver import DAEMON
from engine_driver import Driver
from engine_driver import Fifo
from engine_driver import container
from engine_driver import python
from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import EngineError
from kecs_server.engines.process import cgroups
from kecs_server.engines.process.cgroups import Cgroups
from kecs_server.engines.process.engine import ProcessEngine
from kecs_server.prune import remove_cgroup

OUT_OF_MEMORY = (137, "OutOfMemoryError: Container killed due to memory usage")

TAKE = """
import sys
block = bytearray(int(sys.argv[1]) << 20)
block[::4096] = b"x" * len(block[::4096])
"""


def make_cgroup() -> Path | None:
    """A memory cgroup with nothing in it, where this user may make one at the root."""
    name = f"kecs-test-{uuid.uuid4().hex[:6]}"
    for root in (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")):
        controllers = root / "cgroup.controllers"
        if root.name == "memory" or (
            controllers.exists() and "memory" in controllers.read_text().split()
        ):
            with contextlib.suppress(OSError):
                (root / name).mkdir()
                return root / name
    return None


@pytest.fixture
def cgroup() -> Iterator[Path]:
    made = make_cgroup()
    if made is None:
        pytest.skip("this user cannot make a memory cgroup here")
    yield made
    children = [path for path in made.iterdir() if path.is_dir()]
    assert cgroups.remove_tree(str(made))
    assert children == []


@pytest.fixture
def driver(cgroup: Path, no_leaks: None, environment_name: str) -> Iterator[Driver]:
    with tempfile.TemporaryDirectory(prefix="kecs-test-") as directory:  # open to other users
        engine = ProcessEngine(
            environment_name=environment_name,
            directory=Path(directory) / environment_name,
            interpreter=sys.executable,
            rootdir=directory,
            cgroup=str(cgroup),
        )
        driver = Driver(engine)
        engine.open(driver.observe, lambda phase: None)
        yield driver
        engine.close()


def folders(cgroup: Path) -> list[str]:
    """Below the environment's."""
    (own,) = (path for path in cgroup.iterdir() if path.is_dir())
    return [str(path.relative_to(own)) for path in own.rglob("*") if path.is_dir()]


def test_the_kernel_ends_what_is_above_its_limit(driver: Driver, cgroup: Path) -> None:
    """However short that is: nobody has to look."""
    stopped = driver.run(*python(TAKE, "100"), memory=64)
    assert (stopped.exit_code, stopped.reason) == OUT_OF_MEMORY
    assert driver.engine._running.limits._watch._thread is None
    assert folders(cgroup) == [stopped.task_id]
    driver.remove(stopped.task_id)
    assert folders(cgroup) == []


def test_below_its_limit(driver: Driver) -> None:
    assert driver.run(*python(TAKE, "30"), memory=64).exit_code == 0


def test_of_what_others_kill_memory_is_not_the_reason(driver: Driver) -> None:
    stopped = driver.run("sh", "-c", "kill -KILL $$", memory=64)
    assert (stopped.exit_code, stopped.reason) == (137, None)


def test_a_task_without_limits_has_none(driver: Driver, cgroup: Path) -> None:
    assert driver.run("true", memory_reservation=64).exit_code == 0
    assert folders(cgroup) == []


def test_containers_share_the_limit_of_their_task(driver: Driver) -> None:
    hold = "import signal\n" + TAKE + "print(flush=True); signal.pause()"
    task = driver.provision(
        container(*python(TAKE + "signal.pause()", "20"), name="small"),
        container(*python(hold, "70"), name="large", memory=1000),
        memory=64,
    )
    driver.engine.start_container(task, "large")
    stopped = driver.wait(ContainerStopped, task, "large")
    assert (stopped.exit_code, stopped.reason) == OUT_OF_MEMORY


def test_as_on_ecs_one_process_is_killed(driver: Driver) -> None:
    """A server outlives its worker, and a command its container's first process."""
    code = "import os; print(os.spawnv(os.P_WAIT, sys.executable, sys.argv[1:]))"
    take = python(TAKE, "100")
    task = driver.start(*python(f"import sys\n{code}", *take), memory=64)
    stopped = driver.wait(ContainerStopped, task)
    assert (stopped.exit_code, stopped.reason) == (0, None)

    task = driver.start("sleep", "1000", memory=64)
    driver.wait(ContainerStarted, task)
    assert driver.engine.execute(task, "app", take, 100.0).result(30).exit_code == 137
    driver.engine.stop_containers(task, ["app"])
    assert driver.wait(ContainerStopped, task).exit_code == 143


def test_each_start_counts_anew(driver: Driver) -> None:
    first = 'test -e began && kill -KILL $$; touch began; exec "$0" "$@"'
    task = driver.provision(
        container("sh", "-c", first, *python(TAKE, "100"), memory=64, restarts=True)
    )
    for reason in (OUT_OF_MEMORY[1], None):
        driver.engine.start_container(task, "app")
        stopped = driver.wait(ContainerStopped, task)
        assert (stopped.exit_code, stopped.reason) == (137, reason)
        driver.seen.clear()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_it_is_entered_before_the_user_changes(driver: Driver) -> None:
    stopped = driver.run("sh", "-c", "grep -q kecs- /proc/self/cgroup", memory=64, user="65534")
    assert stopped.exit_code == 0


def test_what_the_system_refuses(driver: Driver, cgroup: Path) -> None:
    """The task's cgroup has gone meanwhile."""
    task = driver.provision(container("true", memory=64))
    (own,) = (path for path in cgroup.iterdir() if path.is_dir())
    (own / task).rmdir()
    driver.engine.start_container(task, "app")
    stopped = driver.wait(ContainerStopped, task)
    assert stopped.reason is not None
    assert stopped.reason.startswith("CannotStartContainerError: ")
    assert "unable to apply cgroup configuration" in stopped.reason


def test_with_the_supervisor_it_goes_and_comes(driver: Driver, cgroup: Path) -> None:
    """What the next one starts has cgroups, too."""
    link = driver.engine._running.link
    assert link is not None
    task = driver.start("sleep", "1000", memory=64)
    driver.wait(ContainerStarted, task)
    os.kill(link.process.pid, signal.SIGTERM)
    driver.wait(ContainerStopped, task)
    driver.remove(task)
    assert [path for path in cgroup.iterdir() if path.is_dir()] == []
    stopped = driver.run(*python(TAKE, "100"), memory=64)
    assert (stopped.exit_code, stopped.reason) == OUT_OF_MEMORY


def test_what_will_never_go_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "cgroup").mkdir()
    (tmp_path / "cgroup" / "no cgroup").touch()
    assert not cgroups.remove_tree(str(tmp_path / "cgroup"), patience=float("inf"))


def test_what_is_left_of_a_killed_environment(cgroup: Path, fifo: Fifo, tmp_path: Path) -> None:
    """`prune` finds there even what has dropped all that tells whose it is."""
    directory = tmp_path / "kecs-0a1b2c"
    directory.mkdir()
    assert remove_cgroup(directory, directory.name) is None
    groups = Cgroups(str(cgroup), directory.name)
    groups.open()
    groups.make_task("task", None)
    file = groups.make_container("task", "app", 64 << 20)
    pid = os.fork()
    if pid == 0:
        cgroups.enter(file)
        os.execv(sys.executable, python(DAEMON, fifo.path, "0"))
    daemon = int(fifo.read_line())
    os.waitpid(pid, 0)
    assert cgroups.members(groups.path) == [daemon]
    assert not cgroups.remove_tree(groups.path, patience=0)

    (directory / cgroups.FILE).write_text(str(cgroup))
    assert remove_cgroup(directory, directory.name) == f"{cgroup} is not its cgroup"
    (directory / cgroups.FILE).write_text(groups.path)
    assert remove_cgroup(directory, directory.name) is None
    fifo.wait_closed()
    assert not os.path.exists(groups.path)


def test_a_directory_that_is_no_cgroup(no_leaks: None, tmp_path: Path) -> None:
    engine = ProcessEngine(
        environment_name="kecs-x",
        directory=tmp_path / "environment",
        interpreter=sys.executable,
        rootdir=str(tmp_path),
        cgroup=str(tmp_path),
    )
    with pytest.raises(EngineError, match=r"no cgroup .* may divide by memory: No such file") as it:
        engine.open(lambda observation: None, lambda phase: None)
    assert "memory.use_hierarchy" in str(it.value)
    assert not (tmp_path / "kecs-x").exists()


def test_version_2(tmp_path: Path) -> None:
    """What is written where, as the kernel's documentation of version 2 says."""
    for path in ("", "kecs-x", "kecs-x/task", "kecs-x/task/app"):
        (tmp_path / path).mkdir(exist_ok=True)
        for name in ("cgroup.controllers", "cgroup.subtree_control", "memory.max"):
            (tmp_path / path / name).touch()
    (tmp_path / "kecs-x/task/app/memory.swap.max").touch()
    groups = Cgroups(str(tmp_path), "kecs-x")
    groups.open()
    with pytest.raises(FileExistsError):
        groups.make_task("task", 1000)
    groups._limit(f"{groups.path}/task", 1000)
    assert groups.make_container("task", "app", 500) == f"{groups.path}/task/app/cgroup.procs"
    written = {
        "cgroup.subtree_control": "+memory",
        "kecs-x/cgroup.subtree_control": "+memory",
        "kecs-x/task/memory.max": "1000",
        "kecs-x/task/app/memory.max": "500",
        "kecs-x/task/app/memory.swap.max": "0",
        "kecs-x/task/app/cgroup.subtree_control": "",
    }
    assert {name: (tmp_path / name).read_text() for name in written} == written
    events = tmp_path / "kecs-x/task/app/memory.events"
    for text, killed in (("oom 3\noom_kill 0\n", False), ("oom 3\noom_kill 2\n", True)):
        events.write_text(text)
        assert groups.has_killed("task", "app") is killed
    events.unlink()
    assert groups.has_killed("task", "app") is False
