"""Rules of volumes, and of what containers mount."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kecs_server.domain.arns import NAME
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.task_definition import runs_windows

Structure = dict[str, Any]

_NAMED = (
    "efsVolumeConfiguration",
    "s3filesVolumeConfiguration",
    "configuredAtLaunch",
)
_KINDS = (
    *_NAMED,
    "dockerVolumeConfiguration",
    "fsxWindowsFileServerVolumeConfiguration",
    "logDriverVolumeConfiguration",
)


def problems(definition: Structure) -> Iterator[str]:
    """Of the volumes, and of volumesFrom."""
    volumes = definition.get("volumes", [])
    names = [volume["name"] for volume in volumes if volume.get("name")]
    for volume in volumes:
        yield from _volume_problems(volume, definition)
    if len(set(names)) < len(names):
        yield "Volume names must be unique within a Task Definition."
    yield from _launch_problems(volumes, definition["containerDefinitions"])
    yield from _source_problems(definition["containerDefinitions"])


def mount_problems(container: Structure, definition: Structure) -> Iterator[str]:
    """Of one container's mount points."""
    volumes = {volume.get("name") for volume in definition.get("volumes", ())}
    for mount in container.get("mountPoints", ()):
        source = mount.get("sourceVolume")
        if source is None or source not in volumes:
            yield f"Unknown volume '{source or 'null'}'."
        if not mount.get("containerPath"):
            yield f"A mount point of container '{container['name']}' has no containerPath."


def _volume_problems(volume: Structure, definition: Structure) -> Iterator[str]:
    kinds = [kind for kind in _KINDS if volume.get(kind)]
    if "sourcePath" in volume.get("host", {}):
        kinds.append("host")
        if not volume["host"]["sourcePath"]:
            yield "host.sourcePath should not be blank."
    if len(kinds) > 1:
        yield (
            "When the volume parameter is specified, only one volume configuration type should be "
            "used."
        )
    name = volume.get("name")
    if not name and set(kinds) & set(_NAMED):
        yield "Volume.name should not be null or empty."
    if name and not NAME.match(name):
        yield "Volume.name contains invalid characters."
    if volume.get("logDriverVolumeConfiguration", {}).get("driver", "json-file") != "json-file":
        yield "The driver of a logDriverVolumeConfiguration must be json-file."
    yield from _docker_problems(volume.get("dockerVolumeConfiguration", {}), definition)
    yield from _efs_problems(volume.get("efsVolumeConfiguration", {}))
    yield from _s3_files_problems(volume.get("s3filesVolumeConfiguration", {}))


def _docker_problems(docker: Structure, definition: Structure) -> Iterator[str]:
    if "autoprovision" in docker and docker.get("scope", "task") != "shared":
        yield "The autoprovision of a Docker volume can only be set when its scope is shared."
    if runs_windows(definition) and docker.get("driver", "local") != "local":
        yield "Windows containers only support the volume driver local."


def _efs_problems(efs: Structure) -> Iterator[str]:
    authorization = efs.get("authorizationConfig", {})
    access_point = authorization.get("accessPointId")
    encrypted = efs.get("transitEncryption") == "ENABLED"
    if authorization.get("iam") == "ENABLED" and not encrypted:
        yield "EFS IAM authorization requires TransitEncryption to be enabled."
    if access_point and not encrypted:
        yield "An EFS access point requires TransitEncryption to be enabled."
    if access_point and efs.get("rootDirectory", "/") != "/":
        yield (
            'When using an EFS access point, the root directory must either be set to "/" or be '
            "omitted."
        )
    if "transitEncryptionPort" in efs and not encrypted:
        yield "TransitEncryptionPort requires that TransitEncryption is enabled."
    yield from _port_problems(efs)


def _s3_files_problems(files: Structure) -> Iterator[str]:
    for member in ("fileSystemArn", "accessPointArn"):
        if member in files and parse_arn(files[member]) is None:
            yield "Invalid arn syntax."
    if files.get("accessPointArn") and files.get("rootDirectory", "/") != "/":
        yield (
            'When using an S3 Files access point, the root directory must either be set to "/" or '
            "be omitted."
        )
    yield from _port_problems(files)


def _port_problems(configuration: Structure) -> Iterator[str]:
    if not 1 <= configuration.get("transitEncryptionPort", 1) <= 65535:
        yield "TransitEncryptionPort is not between 1 and 65535."


def _launch_problems(volumes: list[Structure], containers: list[Structure]) -> Iterator[str]:
    at_launch = [volume["name"] for volume in volumes if volume.get("configuredAtLaunch")]
    if len(at_launch) > 1:
        yield "A task definition can have only one volume that is configured at launch."
    mounted = {
        mount.get("sourceVolume")
        for container in containers
        for mount in container.get("mountPoints", ())
    }
    unused = [name for name in at_launch if name not in mounted]
    if unused:
        yield f"Volumes [{', '.join(unused)}] are not referenced by any of the containers."


def _source_problems(containers: list[Structure]) -> Iterator[str]:
    names = {container["name"] for container in containers}
    for container in containers:
        for source in container.get("volumesFrom", ()):
            name = source.get("sourceContainer")
            if name not in names:
                yield f"Invalid 'volumesFrom' setting. Unknown container: '{name or 'null'}'"
