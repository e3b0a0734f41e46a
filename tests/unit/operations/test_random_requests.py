"""Whatever a request of the model's shape holds, it is accepted or refused: nothing fails."""

from __future__ import annotations

import contextlib
import json
from random import Random
from typing import Any

import pytest
from botocore.model import Shape
from kecs_server.domain import task_definition as definitions
from kecs_server.domain.registration.check import check_registration
from kecs_server.domain.registration.check import fits_fargate
from kecs_server.errors import EcsError
from kecs_server.operations.overrides import checked_overrides
from kecs_server.operations.run_rules import check_request
from kecs_server.operations.volume_rules import check_volumes
from kecs_server.protocol.model import operation_model
from kecs_server.protocol.parameters import parse_parameters

NAMES = ("app", "a", "b")
TEXTS = (
    *NAMES,
    *("", "a b", "\0", "é", "0", "1", "-1", "512", "1 vCPU", "1GB", "ALL", "/x", "s3", "file"),
    *("CMD", "CMD-SHELL", "NONE", "1-2", "80-90", "90-80", "net.x", "config-file-type", "arn:"),
    *("arn:aws:s3:::bucket/key.env", "arn:aws:ssm:r:123456789012:parameter/x"),
)
NUMBERS = (-2, -1, 0, 1, 2, 4, 21, 60, 100, 512, 65535, 65536, 200_000)


def made(shape: Shape, random: Random, density: float) -> Any:
    """A value of the shape. `density`: how likely an optional member is there."""
    if shape.type_name == "structure":
        return {
            name: made(member, random, density)
            for name, member in shape.members.items()
            if name in shape.required_members or random.random() < density
        }
    if shape.type_name == "list":
        return [made(shape.member, random, density) for _ in range(random.choice((0, 1, 1, 2)))]
    if shape.type_name == "map":
        return {random.choice(TEXTS): made(shape.value, random, density)}
    if shape.type_name == "string":
        return random.choice(shape.enum or TEXTS)
    if shape.type_name == "boolean":
        return random.random() < 0.5
    return random.choice(NUMBERS)


def registration(random: Random) -> dict[str, Any]:
    """A random request that is likely to come past the first rules."""
    shape = operation_model("RegisterTaskDefinition").input_shape
    request: dict[str, Any] = made(shape, random, random.choice((0.02, 0.05, 0.1, 0.2)))
    request["family"] = "app"
    for name, container in zip(NAMES, request["containerDefinitions"], strict=False):
        container.update(name=name, image="x", memory=512, essential=True)
    for member in ("cpu", "memory"):
        if random.random() < 0.8:
            request.pop(member, None)
    return request


def run_request(random: Random) -> dict[str, Any]:
    request: dict[str, Any] = made(operation_model("RunTask").input_shape, random, 0.3)
    for override in request.get("overrides", {}).get("containerOverrides", ()):
        override["name"] = random.choice(NAMES)
    return request


@pytest.mark.parametrize("seed", range(8))
def test_a_request_is_accepted_or_refused(seed: int) -> None:
    random = Random(seed)
    accepted = refused = 0
    for _ in range(250):
        body = json.dumps(registration(random)).encode()
        try:
            params = parse_parameters("RegisterTaskDefinition", body)
            check_registration(params)
        except EcsError:
            refused += 1
            continue
        accepted += 1
        check_a_run_of(definition_of(params), random)
    # Both happen, or this test would see half of it only.
    assert accepted > 10
    assert refused > 10


def definition_of(params: dict[str, Any]) -> definitions.TaskDefinition:
    body = definitions.with_defaults(params)
    return definitions.TaskDefinition(
        arn="arn",
        family="app",
        revision=1,
        body=body,
        compatibilities=definitions.compatibilities(body, fits_fargate=fits_fargate(body)),
        requires_attributes=definitions.required_attributes(body),
        registered_at=0,
        registered_by="me",
    )


def check_a_run_of(definition: definitions.TaskDefinition, random: Random) -> None:
    params = parse_parameters("RunTask", json.dumps(run_request(random)).encode())
    overrides = params.get("overrides", {})
    with contextlib.suppress(EcsError):
        checked_overrides(overrides, definition, on_fargate=random.random() < 0.5)
    with contextlib.suppress(EcsError):
        volumes = params.get("volumeConfigurations", [])
        check_volumes(volumes, definition, on_fargate=True)
    with contextlib.suppress(EcsError):
        check_request(params)
