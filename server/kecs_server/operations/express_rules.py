"""What the operations of Express services refuse (the model's words; refusals are ours)."""

from __future__ import annotations

from typing import Any

from kecs_server.domain import express
from kecs_server.domain.arns import NAME
from kecs_server.domain.express import Exposure
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.errors import InvalidParameterException
from kecs_server.operations.service_rules import MAX_TASKS

Structure = dict[str, Any]

OF_DEFINITION = (
    "primaryContainer",
    "executionRoleArn",
    "taskRoleArn",
    "cpu",
    "memory",
    "cpuArchitecture",
)
"""Members that make a task definition, so that none can be given."""

_HIGHEST_TARGET = {"AVERAGE_CPU": 100, "AVERAGE_MEMORY": 100, "REQUEST_COUNT_PER_TARGET": 65536}


def check_source(params: Structure) -> None:
    """:raises InvalidParameterException: a task definition is given, and its parts too."""
    given = [member for member in OF_DEFINITION if member in params]
    if "taskDefinitionArn" in params and given:
        raise InvalidParameterException(
            f"taskDefinitionArn cannot be specified together with {', '.join(given)}."
        )


def check_new_source(params: Structure) -> None:
    """:raises InvalidParameterException: there is nothing to run, or nobody to start it."""
    check_source(params)
    if "taskDefinitionArn" in params:
        return
    for member in ("primaryContainer", "executionRoleArn"):
        if member not in params:
            raise InvalidParameterException(
                f"{member} is required unless a taskDefinitionArn is specified."
            )


def check_name(name: str) -> None:
    if not NAME.match(name):
        raise InvalidParameterException("Service name contains invalid characters.")


def check_container(container: Structure | None) -> None:
    if container is None:
        return
    if not 1 <= container.get("containerPort", 1) <= 65535:
        raise InvalidParameterException("containerPort must be between 1 and 65535.")
    credentials = container.get("repositoryCredentials")
    if credentials is not None and "credentialsParameter" not in credentials:
        raise InvalidParameterException("credentialsParameter can not be null.")


def check_definition(definition: TaskDefinition) -> None:
    """:raises InvalidParameterException: no Express service can be made of the definition."""
    if "FARGATE" not in definition.compatibilities:
        raise InvalidParameterException("The task definition must have FARGATE compatibility.")
    main = express.main_container(definition)
    if main is None:
        raise InvalidParameterException(
            f"The task definition must have a container named {express.MAIN}."
        )
    mappings = main["portMappings"]
    if len(mappings) != 1 or mappings[0]["protocol"] != "tcp" or not mappings[0].get("name"):
        raise InvalidParameterException(
            f"The container {express.MAIN} must have a single TCP port mapping with a name."
        )
    if "containerPort" not in mappings[0]:
        raise InvalidParameterException(
            f"The port mapping of the container {express.MAIN} must have a containerPort."
        )


def checked_exposure(params: Structure, old: Exposure | None = None) -> Exposure:
    """Health check path and scaling as asked for, else as they were, else the defaults."""
    path = old.health_check_path if old else express.DEFAULT_HEALTH_CHECK_PATH
    path = params.get("healthCheckPath", path)
    if not path.startswith("/"):
        raise InvalidParameterException("healthCheckPath must begin with '/'.")
    scaling = {
        **(old.scaling if old else express.DEFAULT_SCALING),
        **params.get("scalingTarget", {}),
    }
    lowest, highest = scaling["minTaskCount"], scaling["maxTaskCount"]
    if not 0 <= lowest <= highest or not 1 <= highest <= MAX_TASKS:
        raise InvalidParameterException(
            f"minTaskCount and maxTaskCount must be between 0 and {MAX_TASKS}, in this order, and "
            "maxTaskCount at least 1."
        )
    most = _HIGHEST_TARGET[scaling["autoScalingMetric"]]
    if not 1 <= scaling["autoScalingTargetValue"] <= most:
        raise InvalidParameterException(f"autoScalingTargetValue must be between 1 and {most}.")
    return Exposure(path, scaling)
