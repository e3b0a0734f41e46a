"""Volumes of a task -> volumes of its Pod, and where its containers mount them. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.base import Volume
from kecs_server.engines.base import VolumeKind
from kecs_server.engines.kubernetes.secrets import build_file_mounts

Json = dict[str, Any]


def build_volumes(spec: TaskSpec, shared_directory: str | None) -> list[Json]:
    """The volumes of the task itself.

    :param shared_directory: where on a node volumes are that tasks share; None: they cannot, and
        containers that mount one are not started.
    """
    return [{"name": name, **_source(volume, shared_directory)} for name, volume in _named(spec)]


def build_memory_volumes(spec: ContainerSpec, index: int) -> list[Json]:
    """The file systems in memory of one container, which is the Pod's number `index`."""
    return [
        {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": f"{size}Mi"}}
        for name, _, size, _ in _memory(spec, index)
    ]


def build_mounts(task: TaskSpec, spec: ContainerSpec, index: int) -> list[Json]:
    """A path is mounted once: files that it is given come before the container's own mount points,
    and those before the ones of volumesFrom.
    """
    names = {volume.name: name for name, volume in _named(task)}
    mounts = [(names[each.volume], each.path, each.read_only) for each in spec.mounts]
    mounts += [(name, path, read_only) for name, path, _, read_only in _memory(spec, index)]
    built = build_file_mounts(task, spec)
    for name, path, read_only in mounts:
        mount = {"name": name, "mountPath": path, **({"readOnly": True} if read_only else {})}
        built.setdefault(path, mount)
    return list(built.values())


def storage_limit(task: TaskSpec) -> int | None:
    """MiB of all that the Pod stores. What kubelet counts has its volumes in it."""
    if task.ephemeral_storage is None:
        return None
    return task.ephemeral_storage + sum(volume.size or 0 for volume in task.volumes)


def uses_shared(task: TaskSpec, spec: ContainerSpec) -> list[str]:
    """Names of the volumes of the container that tasks share."""
    shared = {each.name for each in task.volumes if each.kind is VolumeKind.SHARED}
    return [each.volume for each in spec.mounts if each.volume in shared]


def _named(spec: TaskSpec) -> Iterator[tuple[str, Volume]]:
    """ECS's names need not be DNS labels: the Pod's are numbered."""
    for number, volume in enumerate(spec.volumes):
        yield f"volume-{number}", volume


def _source(volume: Volume, shared_directory: str | None) -> Json:
    path = volume.source if volume.kind is VolumeKind.HOST else None
    if volume.kind is VolumeKind.SHARED and shared_directory is not None:
        path = f"{shared_directory}/{hashlib.sha256(volume.source.encode()).hexdigest()[:16]}"
    if path is None:
        return {"emptyDir": {"sizeLimit": f"{volume.size}Mi"} if volume.size else {}}
    return {"hostPath": {"path": path, "type": "DirectoryOrCreate"}}


def _memory(spec: ContainerSpec, index: int) -> Iterator[tuple[str, str, int, bool]]:
    """Name, path, MiB, read-only."""
    for number, tmpfs in enumerate(spec.tmpfs):
        yield f"tmpfs-{index}-{number}", tmpfs.path, tmpfs.size, "ro" in tmpfs.options
    if spec.shared_memory is not None:
        yield f"shm-{index}", "/dev/shm", spec.shared_memory, False
