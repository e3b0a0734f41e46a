"""The order in which a registration is looked at (ecs-facts 4.2).

A request that breaks several rules reports the first only, as ECS does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kecs_server.domain.registration import compatibility
from kecs_server.domain.registration import containers
from kecs_server.domain.registration import dependencies
from kecs_server.domain.registration import environment
from kecs_server.domain.registration import fargate
from kecs_server.domain.registration import linux
from kecs_server.domain.registration import logs
from kecs_server.domain.registration import ports
from kecs_server.domain.registration import task
from kecs_server.domain.registration import volumes
from kecs_server.errors import ClientException
from kecs_server.errors import InvalidParameterException

Structure = dict[str, Any]

MAX_LENGTH = 65536
"""Bytes of a whole registration."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))


def check_registration(definition: Structure) -> None:
    """Refuse what ECS refuses.

    :raises ClientException, InvalidParameterException: the first broken rule.
    """
    _check_length(definition)
    _refuse_first(task.family_problems(definition))
    if not task.has_valid_cpu(definition):
        raise InvalidParameterException("Invalid 'cpu' setting for task.")
    _refuse_first(_problems(definition))


def fits_fargate(definition: Structure) -> bool:
    """Whether the definition, which is otherwise valid, breaks no rule of Fargate."""
    return next(_fargate_problems(definition), None) is None


def _fargate_problems(definition: Structure) -> Iterator[str]:
    yield from fargate.network_problems(definition)
    yield from fargate.problems(definition)


def _check_length(definition: Structure) -> None:
    length = len(_ENCODER.encode(definition).encode())
    if length > MAX_LENGTH:
        raise ClientException(
            f"Actual length: '{length}'. Max allowed length is '{MAX_LENGTH}' bytes."
        )


def _refuse_first(problems: Iterator[str]) -> None:
    text = next(problems, None)
    if text is not None:
        raise ClientException(text)


def _problems(definition: Structure) -> Iterator[str]:
    wants_fargate = "FARGATE" in definition.get("requiresCompatibilities", ())
    yield from task.memory_problems(definition)
    if wants_fargate:
        yield from fargate.network_problems(definition)
    yield from containers.list_problems(definition)
    yield from volumes.problems(definition)
    for container in definition["containerDefinitions"]:
        yield from _container_problems(container, definition)
    yield from ports.task_problems(definition)
    yield from logs.task_problems(definition)
    yield from dependencies.problems(definition["containerDefinitions"])
    if wants_fargate:
        yield from fargate.problems(definition)
    yield from compatibility.problems(definition)
    yield from task.problems(definition)


def _container_problems(container: Structure, definition: Structure) -> Iterator[str]:
    yield from containers.problems(container, definition)
    yield from ports.problems(container, definition)
    yield from logs.problems(container, definition)
    yield from environment.problems(container, definition)
    yield from volumes.mount_problems(container, definition)
    yield from linux.problems(container, definition)
