"""Rules of log drivers and FireLens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kecs_server.domain.registration.environment import is_object_arn

Structure = dict[str, Any]

_REQUIRED_OPTIONS = {
    "awslogs": ("awslogs-region", "awslogs-group"),
    "splunk": ("splunk-token", "splunk-url"),
}


def problems(container: Structure, definition: Structure) -> Iterator[str]:
    """Of one container."""
    configuration = container.get("logConfiguration", {})
    driver = configuration.get("logDriver")
    required = _REQUIRED_OPTIONS.get(driver, ())
    given = {
        *(name for name, value in configuration.get("options", {}).items() if value),
        *(secret["name"] for secret in configuration.get("secretOptions", ())),
    }
    if not given.issuperset(required):
        yield f"Log driver {driver} requires options: {', '.join(required)}"
    yield from _router_problems(container)


def task_problems(definition: Structure) -> Iterator[str]:
    """Of the containers together: a router, and somebody who logs to it."""
    containers = definition["containerDefinitions"]
    routers = [each for each in containers if "firelensConfiguration" in each]
    logging = [
        each
        for each in containers
        if each.get("logConfiguration", {}).get("logDriver") == "awsfirelens"
    ]
    if logging and not routers:
        yield (
            "When awsfirelens log driver is specified in log configuration, a firelens "
            "configuration object must be configured in one of the containers."
        )
    if routers and not logging:
        yield (
            "When a firelensConfiguration object is specified, at least one container has to be "
            "configured with the awsfirelens log driver."
        )
    if len(routers) > 1:
        yield "Only one container of a task definition can have a firelensConfiguration object."
    if routers and routers[0] in logging:
        yield "The container with the firelensConfiguration object cannot log to itself."


def _router_problems(container: Structure) -> Iterator[str]:
    options = container.get("firelensConfiguration", {}).get("options", {})
    if options.get("enable-ecs-log-metadata", "true") not in ("true", "false"):
        yield "The FireLens option enable-ecs-log-metadata must be true or false."
    kind = options.get("config-file-type")
    if kind not in (None, "s3", "file"):
        yield "The FireLens option config-file-type must be s3 or file."
    if (kind is None) != ("config-file-value" not in options):
        yield "The FireLens options config-file-type and config-file-value go together."
    if kind == "s3" and not is_object_arn(options["config-file-value"]):
        yield "Invalid arn syntax."
