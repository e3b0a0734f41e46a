"""Task definitions: the record, and what ECS fills in at registration (ecs-facts 4.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kecs_server.domain.sizes import parse_cpu
from kecs_server.domain.sizes import parse_memory
from kecs_server.domain.tags import Tags

Structure = dict[str, Any]

ACTIVE = "ACTIVE"
INACTIVE = "INACTIVE"
DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"

DAEMON_BRIDGE = "daemon_bridge"
"""The network mode of daemons' tasks, which no registration can ask for."""

_CAPABILITY = "com.amazonaws.ecs.capability"


@dataclass(slots=True, kw_only=True)
class TaskDefinition:
    """One revision. `body` is what was registered with the defaults filled in, in wire form,
    and never changes.
    """

    arn: str
    family: str
    revision: int
    body: Structure
    compatibilities: list[str]
    requires_attributes: list[str]
    registered_at: float
    registered_by: str
    status: str = ACTIVE
    deregistered_at: float | None = None
    delete_requested_at: float | None = None
    tags: Tags = field(default_factory=list)

    @property
    def network_mode(self) -> str:
        return str(self.body.get("networkMode", "bridge"))

    @property
    def containers(self) -> list[Structure]:
        containers: list[Structure] = self.body["containerDefinitions"]
        return containers


def with_defaults(registered: Structure) -> Structure:
    """The registered structure as ECS gives it back; shares with it whatever stays as it is.
    Expects a validated one.
    """
    body = {name: value for name, value in registered.items() if name != "tags"}
    body.setdefault("volumes", [])
    body.setdefault("placementConstraints", [])
    if "cpu" in body:
        body["cpu"] = str(parse_cpu(body["cpu"]))
    if "memory" in body:
        body["memory"] = str(parse_memory(body["memory"]))
    network_mode = body.get("networkMode", "bridge")
    body["containerDefinitions"] = [
        _filled(container, network_mode) for container in body["containerDefinitions"]
    ]
    return body


def _filled(given: Structure, network_mode: str) -> Structure:
    container = dict(given)
    container.setdefault("cpu", 0)
    container.setdefault("essential", True)
    for name in (
        "portMappings",
        "environment",
        "mountPoints",
        "volumesFrom",
        "systemControls",
    ):
        container.setdefault(name, [])
    container["portMappings"] = [dict(mapping) for mapping in container["portMappings"]]
    for mapping in container["portMappings"]:
        mapping.setdefault("protocol", "tcp")
        if "containerPort" in mapping:
            same = mapping["containerPort"] if network_mode in ("awsvpc", "host") else 0
            mapping.setdefault("hostPort", same)
    if "healthCheck" in container:
        defaults = {"interval": 30, "timeout": 5, "retries": 3}
        container["healthCheck"] = {**defaults, **container["healthCheck"]}
    return container


def compatibilities(body: Structure, *, fits_fargate: bool) -> list[str]:
    """The launch types that the definition can be used with."""
    if body.get("networkMode") != "awsvpc":
        managed = "MANAGED_INSTANCES" in body.get("requiresCompatibilities", ())
        return ["EXTERNAL", "EC2", *(["MANAGED_INSTANCES"] if managed else [])]
    result = ["EC2"]
    if not runs_windows(body):
        result.append("MANAGED_INSTANCES")
    if fits_fargate:
        result.append("FARGATE")
    return result


def runs_windows(body: Structure) -> bool:
    family: str = body.get("runtimePlatform", {}).get("operatingSystemFamily", "LINUX")
    return family.startswith("WINDOWS")


def required_attributes(body: Structure) -> list[str]:
    """The capabilities that an instance needs for this definition, in ECS's names."""
    names = [f"{_CAPABILITY}.docker-remote-api.1.18"]
    if body.get("networkMode") == "awsvpc":
        names.append("ecs.capability.task-eni")
    if body.get("taskRoleArn"):
        names.append(f"{_CAPABILITY}.task-iam-role")
    if "pidMode" in body or "ipcMode" in body:
        names.append("ecs.capability.pid-ipc-namespace-sharing")
    if "proxyConfiguration" in body:
        names.append("ecs.capability.aws-appmesh")
    if "inferenceAccelerators" in body:
        names.append("ecs.capability.task-eia")
    for volume in body["volumes"]:
        names.extend(_volume_attributes(volume))
    for container in body["containerDefinitions"]:
        names.extend(_container_attributes(container, body))
    return list(dict.fromkeys(names))


def _volume_attributes(volume: Structure) -> Iterable[str]:
    efs = volume.get("efsVolumeConfiguration")
    if efs is not None:
        yield "ecs.capability.efs"
        if "authorizationConfig" in efs:
            yield "ecs.capability.efsAuth"
    docker = volume.get("dockerVolumeConfiguration")
    if docker is not None:
        yield f"ecs.capability.docker-plugin.{docker.get('driver', 'local')}"


def _container_attributes(container: Structure, body: Structure) -> Iterable[str]:
    if any(name in container for name in ("dependsOn", "startTimeout", "stopTimeout")):
        yield "ecs.capability.container-ordering"
    if "healthCheck" in container:
        yield "ecs.capability.container-health-check"
    if "restartPolicy" in container:
        yield "ecs.capability.container-restart-policy"
    if container.get("environmentFiles"):
        yield "ecs.capability.env-files.s3"
    if "firelensConfiguration" in container:
        yield f"ecs.capability.firelens.{container['firelensConfiguration']['type']}"
    if "repositoryCredentials" in container:
        yield "ecs.capability.private-registry-authentication.secretsmanager"
    if container.get("memoryReservation"):
        yield f"{_CAPABILITY}.docker-remote-api.1.21"
    if container.get("privileged"):
        yield f"{_CAPABILITY}.privileged-container"
    log_driver = container.get("logConfiguration", {}).get("logDriver")
    if log_driver:
        yield f"{_CAPABILITY}.logging-driver.{log_driver}"
        yield f"{_CAPABILITY}.docker-remote-api.1.19"
    has_role = bool(body.get("executionRoleArn"))
    if log_driver == "awslogs" and has_role:
        yield "ecs.capability.execution-role-awslogs"
    if ".dkr.ecr." in container["image"]:
        yield f"{_CAPABILITY}.ecr-auth"
        if has_role:
            yield "ecs.capability.execution-role-ecr-pull"
    for secret in container.get("secrets", ()):
        store = "asm" if ":secretsmanager:" in secret["valueFrom"] else "ssm"
        yield f"ecs.capability.secrets.{store}.environment-variables"
