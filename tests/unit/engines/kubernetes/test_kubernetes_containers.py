"""What a container of a task is as a container of a Pod."""

from __future__ import annotations

from typing import Any

import pytest
from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import Mount
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.base import Tmpfs
from kecs_server.engines.base import Volume
from kecs_server.engines.base import VolumeKind
from kecs_server.engines.kubernetes.containers import build_container
from kecs_server.engines.kubernetes.containers import find_obstacle
from kecs_server.engines.kubernetes.pods import build_pod

VOLUMES = (
    Volume(name="My_Data", kind=VolumeKind.TASK),
    Volume(name="etc", kind=VolumeKind.HOST, source="/etc/app"),
    Volume(name="efs", kind=VolumeKind.SHARED, source="efs/fs-1"),
)


def task(container: ContainerSpec, **more: Any) -> TaskSpec:
    fields = {"task_id": "ab" * 16, "task_arn": "arn", "family": "f", **more}
    return TaskSpec(containers=(container,), **fields)


def built(of_task: Any = None, **container: Any) -> dict[str, Any]:
    spec = ContainerSpec(name="app", image="i", **container)
    whole = task(spec, **(of_task or {}))
    return build_container(whole, spec, name="app", image="i", index=0, is_copy=False)


def obstacle(*, can_share: bool = True, **container: Any) -> str | None:
    spec = ContainerSpec(name="app", image="i", **container)
    return find_obstacle(task(spec, volumes=VOLUMES), spec, can_share=can_share)


def test_nothing_is_said_of_what_is_not_asked_for() -> None:
    assert built() == {"name": "app", "image": "i", "imagePullPolicy": "IfNotPresent"}


@pytest.mark.parametrize(
    ("given", "context"),
    [
        ({"user": "1000"}, {"runAsUser": 1000}),
        ({"user": "1000:2000"}, {"runAsUser": 1000, "runAsGroup": 2000}),
        ({"user": "0"}, {"runAsUser": 0}),
        ({"user": "root"}, {"runAsUser": 0}),
        ({"user": "1000:root"}, {"runAsUser": 1000, "runAsGroup": 0}),
        ({"user": "app"}, None),
        ({"privileged": True}, {"privileged": True}),
        ({"read_only_root": True}, {"readOnlyRootFilesystem": True}),
        (
            {"capabilities_added": ("SYS_PTRACE",), "capabilities_dropped": ("ALL",)},
            {"capabilities": {"add": ["SYS_PTRACE"], "drop": ["ALL"]}},
        ),
        ({"security_options": ("no-new-privileges",)}, {"allowPrivilegeEscalation": False}),
        (
            {"security_options": ("label:type:app_t", "label:level:s0:c1,c2")},
            {"seLinuxOptions": {"type": "app_t", "level": "s0:c1,c2"}},
        ),
        ({"security_options": ("label:disable", "apparmor:x")}, None),
    ],
)
def test_security(given: Any, context: Any) -> None:
    assert built(**given).get("securityContext") == context


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("data", "invalid mount path: 'data' mount path must be absolute"),
        ("../data", "invalid mount path: '../data' mount path must be absolute"),
        ("/", "invalid specification: destination can't be '/'"),
        ("/a/..", "invalid specification: destination can't be '/'"),
    ],
)
def test_where_docker_mounts_nothing(path: str, problem: str) -> None:
    expected = f"Error response from daemon: invalid mount config: {problem}"
    assert obstacle(mounts=(Mount(volume="My_Data", path=path),)) == expected
    assert obstacle(tmpfs=(Tmpfs(path=path, size=1),)) == expected
    assert obstacle(mounts=(Mount(volume="My_Data", path="/data"),)) is None


def test_the_storage_of_a_task_is_a_limit_of_its_pod() -> None:
    """kubelet sums up what the containers have, and counts volumes on disk."""
    one, two = (ContainerSpec(name=name, image="i", restarts=True) for name in ("one", "two"))
    sized = Volume(name="ebs", kind=VolumeKind.TASK, size=2048)
    spec = TaskSpec(
        task_id="ab" * 16,
        task_arn="arn",
        family="f",
        containers=(one, two),
        volumes=(sized, Volume(name="own", kind=VolumeKind.TASK)),
        ephemeral_storage=20480,
    )
    pod = build_pod(spec, "env")["spec"]
    first, *rest = (each.get("resources") for each in pod["containers"])
    expected = ({"ephemeral-storage": "22528Mi"}, {"ephemeral-storage": "0"})
    assert (first["limits"], first["requests"]) == expected
    assert set(rest) == {None}
    assert [each["emptyDir"] for each in pod["volumes"]] == [{"sizeLimit": "2048Mi"}, {}]


def test_gpus() -> None:
    assert built(gpus=2)["resources"] == {"limits": {"nvidia.com/gpu": "2"}}


@pytest.mark.parametrize("user", ["app", "1000:app", "app:1000", "rooty", "-1", ""])
def test_users_that_are_names_are_refused(user: str) -> None:
    found = obstacle(user=user)
    assert found is not None
    assert f"the user {user!r} is not a number" in found


@pytest.mark.parametrize("user", [None, "1", "1:2", "root", "root:root"])
def test_users_that_are_numbers_are_not(user: str | None) -> None:
    assert obstacle(user=user) is None


def test_terminals() -> None:
    assert (
        built(interactive=True, pseudo_terminal=True).items()
        >= {"stdin": True, "tty": True}.items()
    )


@pytest.mark.parametrize(
    ("of_task", "given", "limits", "requests"),
    [
        ({}, {"memory": 64}, {"memory": "64Mi"}, {"memory": "64Mi"}),
        ({}, {"memory": 64, "memory_reservation": 16}, {"memory": "64Mi"}, {"memory": "16Mi"}),
        ({}, {"memory_reservation": 16}, None, {"memory": "16Mi"}),
        ({}, {"cpu": 1024}, None, {"cpu": "100m"}),
        ({}, {"cpu": 1}, None, {"cpu": "1m"}),
        ({"memory": 512}, {}, {"memory": "512Mi"}, {"memory": "0Mi"}),
        ({"memory": 512}, {"memory": 64}, {"memory": "64Mi"}, {"memory": "64Mi"}),
        ({"memory": 64}, {"memory": 512}, {"memory": "64Mi"}, {"memory": "64Mi"}),
        ({"cpu": 256}, {}, {"cpu": "250m"}, {"cpu": "0"}),
        ({"cpu": 256}, {"cpu": 128}, {"cpu": "250m"}, {"cpu": "12m"}),
    ],
)
def test_resources(of_task: Any, given: Any, limits: Any, requests: Any) -> None:
    resources = built(of_task, **given)["resources"]

    assert (resources.get("limits"), resources.get("requests")) == (limits, requests)


def test_volumes() -> None:
    app = ContainerSpec(
        name="app",
        image="i",
        mounts=(
            Mount(volume="My_Data", path="/data"),
            Mount(volume="My_Data", path="/again", read_only=True),
            Mount(volume="efs", path="/efs"),
        ),
        tmpfs=(Tmpfs(path="/fast", size=8), Tmpfs(path="/fixed", size=9, options=("ro", "noexec"))),
        shared_memory=32,
    )

    pod = build_pod(task(app, volumes=VOLUMES), "mine", shared_directory="/shared/mine")["spec"]

    task_volume, host, shared, *memory = pod["volumes"]
    assert task_volume == {"name": "volume-0", "emptyDir": {}}
    assert host == {
        "name": "volume-1",
        "hostPath": {"path": "/etc/app", "type": "DirectoryOrCreate"},
    }
    assert shared["hostPath"]["type"] == "DirectoryOrCreate"
    assert shared["hostPath"]["path"].startswith("/shared/mine/")
    assert memory == [
        {"name": "tmpfs-0-0", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}},
        {"name": "tmpfs-0-1", "emptyDir": {"medium": "Memory", "sizeLimit": "9Mi"}},
        {"name": "shm-0", "emptyDir": {"medium": "Memory", "sizeLimit": "32Mi"}},
    ]
    assert pod["containers"][0]["volumeMounts"] == [
        {"name": "volume-0", "mountPath": "/data"},
        {"name": "volume-0", "mountPath": "/again", "readOnly": True},
        {"name": "volume-2", "mountPath": "/efs"},
        {"name": "tmpfs-0-0", "mountPath": "/fast"},
        {"name": "tmpfs-0-1", "mountPath": "/fixed", "readOnly": True},
        {"name": "shm-0", "mountPath": "/dev/shm"},
    ]


def test_a_path_is_mounted_once() -> None:
    mounts = (Mount(volume="etc", path="/data"), Mount(volume="efs", path="/data"))
    only = built({"volumes": VOLUMES}, mounts=mounts)["volumeMounts"]

    assert only == [{"name": "volume-1", "mountPath": "/data"}]


def test_shared_volumes_of_one_source_are_one() -> None:
    def path(name: str, source: str) -> str:
        volume = Volume(name=name, kind=VolumeKind.SHARED, source=source)
        whole = task(ContainerSpec(name="app", image="i"), volumes=(volume,))
        (only,) = build_pod(whole, "mine", shared_directory="/s")["spec"]["volumes"]
        return str(only["hostPath"]["path"])

    assert path("a", "efs/fs-1") == path("b", "efs/fs-1") != path("a", "efs/fs-2")
    assert ".." not in path("a", "../../etc")


def test_shared_volumes_without_a_place_for_them() -> None:
    mounts = (Mount(volume="efs", path="/efs"),)

    assert obstacle(mounts=mounts) is None
    assert obstacle(mounts=mounts[:0], can_share=False) is None
    assert "the volume 'efs' is shared by tasks" in str(obstacle(mounts=mounts, can_share=False))
