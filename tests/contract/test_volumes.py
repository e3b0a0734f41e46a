"""Volumes: shared by a task's containers, by tasks, with the host.

A mount at `/data` is there in a Pod. On the process engine it is `data`, below the directory in
which a container starts without a wish, and what KECS_VOLUME_<NAME> says.
"""

from __future__ import annotations

from typing import Any

import pytest

from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.documented


@pytest.fixture
def root(engine: str) -> str:
    """What an absolute path of a mount begins with in the container."""
    return "" if engine == "process" else "/"


def mount(volume: str, path: str, **fields: Any) -> dict[str, Any]:
    return {"mountPoints": [{"sourceVolume": volume, "containerPath": path, **fields}]}


def after(name: str) -> dict[str, Any]:
    return {"dependsOn": [{"containerName": name, "condition": "SUCCESS"}]}


def test_containers_share_a_volume(kecs: Kecs, register: Any, root: str) -> None:
    first = {
        "command": f"echo hello > {root}in/put",
        "essential": False,
        **mount("scratch", "/in"),
    }
    second = {"command": f"cat {root}a/out/put", **mount("scratch", "/a/out"), **after("first")}
    family = register("share", {"volumes": [{"name": "scratch"}]}, first=first, second=second)
    task = kecs.run_task(family)
    kecs.assert_stopped(task, exit_code=0, container="second")
    assert kecs.logs(task, "second") == "hello\n"


def test_a_tasks_volume_is_its_own(kecs: Kecs, register: Any, root: str) -> None:
    app = {"command": f"ls {root}in; touch {root}in/file", **mount("scratch", "/in")}
    family = register("own", {"volumes": [{"name": "scratch"}]}, app=app)
    for _ in range(2):
        task = kecs.run_task(family)
        kecs.assert_stopped(task, exit_code=0)
        assert kecs.logs(task) == ""


def test_volumes_from_another_container(kecs: Kecs, register: Any, root: str) -> None:
    first = {
        "command": f"echo hello > {root}in/put",
        "essential": False,
        **mount("scratch", "/in"),
    }
    second = {
        "command": f"cat {root}in/put",
        "volumesFrom": [{"sourceContainer": "first"}],
        **after("first"),
    }
    family = register("from", {"volumes": [{"name": "scratch"}]}, first=first, second=second)
    task = kecs.run_task(family)
    kecs.assert_stopped(task, exit_code=0, container="second")
    assert kecs.logs(task, "second") == "hello\n"


def test_a_volume_that_is_configured_at_launch(kecs: Kecs, register: Any, root: str) -> None:
    """Each task has an empty one of its own."""
    configuration = {"roleArn": "arn:aws:iam::123456789012:role/x", "sizeInGiB": 1}
    app = {"command": f"ls {root}in; echo hello | tee {root}in/file", **mount("ebs", "/in")}
    family = register("ebs", {"volumes": [{"name": "ebs", "configuredAtLaunch": True}]}, app=app)
    for _ in range(2):
        task = kecs.run_task(
            family, volumeConfigurations=[{"name": "ebs", "managedEBSVolume": configuration}]
        )
        kecs.assert_stopped(task, exit_code=0)
        assert kecs.logs(task) == "hello\n"
        (attachment,) = kecs.describe(task)["attachments"]
        assert attachment["status"] == "DELETED"


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("data", "invalid mount path: 'data' mount path must be absolute"),
        ("/a/..", "invalid specification: destination can't be '/'"),
    ],
)
def test_where_docker_mounts_nothing(kecs: Kecs, register: Any, path: str, problem: str) -> None:
    app = {"command": "true", **mount("scratch", path)}
    task = kecs.run_task(register("nowhere", {"volumes": [{"name": "scratch"}]}, app=app))
    stopped = kecs.wait_stopped(task)
    assert stopped["stopCode"] == "TaskFailedToStart"
    assert stopped.containers["app"]["reason"] == (
        f"CannotCreateContainerError: Error response from daemon: invalid mount config: {problem}"
    )


def test_a_path_that_tries_to_leave_ends_at_the_root(kecs: Kecs, register: Any, root: str) -> None:
    script = f"cd {root}kecs-etc && touch file && ls"
    app = {"command": script, **mount("scratch", "/../../kecs-etc")}
    task = kecs.run_task(register("astray", {"volumes": [{"name": "scratch"}]}, app=app))
    kecs.assert_stopped(task, exit_code=0)
    assert kecs.logs(task) == "file\n"


def test_a_shared_docker_volume_outlives_its_task(kecs: Kecs, register: Any, root: str) -> None:
    docker = {"scope": "shared", "autoprovision": True}
    volumes = [{"name": "kept", "dockerVolumeConfiguration": docker}]
    writer = {"command": f"echo hello > {root}in/put", **mount("kept", "/in")}
    kecs.assert_stopped(
        kecs.run_task(register("writer", {"volumes": volumes}, app=writer)), exit_code=0
    )
    reader = {"command": f"cat {root}out/put", **mount("kept", "/out")}
    task = kecs.run_task(register("reader", {"volumes": volumes}, app=reader))
    kecs.assert_stopped(task, exit_code=0)
    assert kecs.logs(task) == "hello\n"


def test_a_volume_and_a_user(kecs: Kecs, register: Any, root: str) -> None:
    """Who is not root can write to a volume of the task."""
    app = {"command": f"touch {root}in/file", "user": "1234", **mount("scratch", "/in")}
    task = kecs.run_task(register("user", {"volumes": [{"name": "scratch"}]}, app=app))
    kecs.assert_stopped(task, exit_code=0)


def test_a_directory_of_the_host(kecs: Kecs, register: Any, engine: str, tmp_path: Any) -> None:
    if engine != "process":
        pytest.skip("a Pod's host is the node, into which a test cannot look")
    (tmp_path / "file").write_text("of the host\n")
    volumes = [{"name": "host", "host": {"sourcePath": str(tmp_path)}}]
    app = {"command": "cat in/file; echo x > in/new", **mount("host", "/in")}
    task = kecs.run_task(register("host", {"volumes": volumes}, app=app))
    kecs.assert_stopped(task, exit_code=0)
    assert kecs.logs(task) == "of the host\n"
    assert (tmp_path / "new").read_text() == "x\n"


def test_the_variable_of_a_volume(kecs: Kecs, register: Any, engine: str) -> None:
    if engine != "process":
        pytest.skip("in a Pod the mount is at its path")
    app = {"command": "echo $KECS_VOLUME_MY_DATA; cd data; pwd -P", **mount("my-data", "/data")}
    task = kecs.run_task(register("variable", {"volumes": [{"name": "my-data"}]}, app=app))
    kecs.assert_stopped(task, exit_code=0)
    variable, directory = kecs.logs(task).splitlines()
    assert variable == directory
