"""Express services: a service whose task definition, ingress and scaling ECS makes from a few
members (developer guide, "Resources created by Amazon ECS Express Mode services").

Everything that its task definition says is read from it, so that the two cannot disagree. Load
balancer, certificate and scaling policies are records.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kecs_server.domain.ingress import Backend
from kecs_server.domain.ingress import LoadBalancer
from kecs_server.domain.task_definition import TaskDefinition

Structure = dict[str, Any]

MAIN = "Main"
"""The container that gets the traffic."""

DEFAULT_PORT = 80
DEFAULT_HEALTH_CHECK_PATH = "/ping"
DEFAULT_SCALING: Structure = {
    "minTaskCount": 1,
    "maxTaskCount": 20,
    "autoScalingMetric": "AVERAGE_CPU",
    "autoScalingTargetValue": 60,
}
_DEFAULT_SIZES = {"cpu": "256", "memory": "512"}
_STOP_TIMEOUT = 30
_GIVEN_TO_MAIN = ("command", "environment", "secrets", "repositoryCredentials")
_OF_DEFINITION = ("executionRoleArn", "taskRoleArn", "cpu", "memory")


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a deployment has besides its task definition and network."""

    health_check_path: str
    scaling: Structure


@dataclass(slots=True, kw_only=True)
class Express:
    """What ECS keeps of an Express service beside the service. `family`: of the definitions that
    it makes. `exposures`: by the number of the deployment.
    """

    infrastructure_role_arn: str
    host_name: str
    balancer: LoadBalancer
    backend: Backend
    family: str
    log_group: str
    updated_at: float
    exposures: dict[str, Exposure] = field(default_factory=dict)

    def exposure_of(self, number: str) -> Exposure:
        """The deployment's; one that somebody else began has the last one's."""
        return self.exposures.get(number) or list(self.exposures.values())[-1]


def name_for(image: str) -> str:
    """The name of a service that was given none: its image's, made unique."""
    name = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return f"{re.sub('[^A-Za-z0-9_-]', '-', name)[:200] or 'express'}-{secrets.token_hex(2)}"


def log_group_for(cluster: str, service: str) -> str:
    return f"/aws/ecs/{cluster}/{service}-{secrets.token_hex(2)}"


def registration(family: str, members: Structure, *, region: str, log_group: str) -> Structure:
    """The task definition to register for the `members` of a request, with the defaults.

    The CPU architecture is written down only if it was asked for: no image is looked into, and
    the default is not to keep a container off a host of another architecture.
    """
    container = members["primaryContainer"]
    port = container.get("containerPort", DEFAULT_PORT)
    logs = container.get("awsLogsConfiguration", {})
    main: Structure = {
        "name": MAIN,
        "image": container["image"],
        "essential": True,
        "portMappings": [{"name": f"main-{port}-tcp", "containerPort": port, "protocol": "tcp"}],
        "linuxParameters": {"initProcessEnabled": True},
        "stopTimeout": _STOP_TIMEOUT,
        "versionConsistency": "enabled",
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": logs.get("logGroup", log_group),
                "awslogs-create-group": "true",
                "awslogs-region": region,
                "awslogs-stream-prefix": logs.get("logStreamPrefix", "ecs"),
                "mode": "non-blocking",
                "max-buffer-size": "25m",
            },
        },
        **{member: container[member] for member in _GIVEN_TO_MAIN if member in container},
    }
    definition: Structure = {
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "containerDefinitions": [main],
        **_DEFAULT_SIZES,
        **{member: members[member] for member in _OF_DEFINITION if member in members},
    }
    if "cpuArchitecture" in members:
        definition["runtimePlatform"] = {
            "operatingSystemFamily": "LINUX",
            "cpuArchitecture": members["cpuArchitecture"],
        }
    return definition


def members_of(definition: TaskDefinition) -> Structure:
    """The members of a request that would make this task definition."""
    body = definition.body
    members = {member: body[member] for member in _OF_DEFINITION if member in body}
    architecture = body.get("runtimePlatform", {}).get("cpuArchitecture")
    if architecture is not None:
        members["cpuArchitecture"] = architecture
    main = main_container(definition)
    if main is not None:
        members["primaryContainer"] = _primary_container(main)
    return members


def main_container(definition: TaskDefinition) -> Structure | None:
    return next((each for each in definition.containers if each["name"] == MAIN), None)


def _primary_container(main: Structure) -> Structure:
    container: Structure = {"image": main["image"]}
    if main["portMappings"]:
        container["containerPort"] = main["portMappings"][0]["containerPort"]
    logs = main.get("logConfiguration", {})
    options = logs.get("options", {})
    if logs.get("logDriver") == "awslogs":
        container["awsLogsConfiguration"] = {
            "logGroup": options["awslogs-group"],
            "logStreamPrefix": options.get("awslogs-stream-prefix", ""),
        }
    container.update({member: main[member] for member in _GIVEN_TO_MAIN if main.get(member)})
    return container
