"""Which volumes are one, and which are not."""

from __future__ import annotations

from typing import Any

import pytest
from kecs_server.engines.base import VolumeKind
from kecs_server.engines.spec import volume_of

EFS: dict[str, Any] = {"fileSystemId": "fs-1", "rootDirectory": "/a"}


def efs(**members: Any) -> dict[str, Any]:
    return {"name": "data", "efsVolumeConfiguration": {**EFS, **members}}


@pytest.mark.parametrize(
    "definition",
    [
        {"name": "data"},
        {"name": "data", "host": {}},
        {"name": "data", "dockerVolumeConfiguration": {}},
        {"name": "data", "dockerVolumeConfiguration": {"scope": "task"}},
    ],
)
def test_a_tasks_own(definition: dict[str, Any]) -> None:
    volume = volume_of(definition, "realm")
    assert (volume.kind, volume.source) == (VolumeKind.TASK, "")


def test_a_directory_of_the_host() -> None:
    volume = volume_of({"name": "data", "host": {"sourcePath": "/a/b"}}, "realm")
    assert (volume.kind, volume.source) == (VolumeKind.HOST, "/a/b")


def test_a_shared_docker_volume_is_named() -> None:
    docker = {"dockerVolumeConfiguration": {"scope": "shared"}}
    one, other = (volume_of({"name": name, **docker}, "realm") for name in ("one", "other"))
    assert one.kind is other.kind is VolumeKind.SHARED
    assert one.source != other.source
    assert one == volume_of({"name": "one", **docker}, "realm")


def test_the_same_file_system_is_one_however_it_is_reached() -> None:
    one = volume_of(efs(), "realm")
    other = volume_of(efs(transitEncryption="ENABLED", transitEncryptionPort=2999), "realm")
    third = volume_of(efs(authorizationConfig={"iam": "ENABLED"}), "realm")
    assert one.kind is VolumeKind.SHARED
    assert one.source == other.source == third.source


@pytest.mark.parametrize(
    "members",
    [
        {"fileSystemId": "fs-2"},
        {"rootDirectory": "/b"},
        {"authorizationConfig": {"accessPointId": "fsap-1"}},
    ],
)
def test_another_place_is_another_volume(members: dict[str, Any]) -> None:
    assert volume_of(efs(**members), "realm").source != volume_of(efs(), "realm").source


def test_realms_share_nothing() -> None:
    docker = {"name": "one", "dockerVolumeConfiguration": {"scope": "shared"}}
    for definition in (docker, efs()):
        assert volume_of(definition, "a").source != volume_of(definition, "b").source
