"""JSON bodies to parameters: each kind of shape, well and badly formed."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from kecs_server.errors import EcsError
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import SerializationException
from kecs_server.protocol.parameters import parse_parameters

WRONG: tuple[Any, ...] = ({"a": 1}, [1], "x", 1, 1.5, True)


def parsed(operation: str, **members: Any) -> dict[str, Any]:
    return parse_parameters(operation, json.dumps(members).encode())


def test_nothing_is_an_empty_object() -> None:
    assert parse_parameters("ListClusters", b"") == {}
    assert parse_parameters("ListClusters", b" {} ") == {}


def test_what_is_absent_or_unknown_is_dropped() -> None:
    assert parsed("ListClusters", nextToken=None, maxResults=5, other={"a": [1]}) == {
        "maxResults": 5
    }


def test_nothing_is_lost_of_a_whole_structure() -> None:
    container = {
        "name": "a",
        "memory": 5,
        "essential": False,
        "dockerLabels": {"b": "c", "": ""},
        "environment": [{"name": "X", "value": ""}, {}],
        "logConfiguration": {"logDriver": "awslogs", "options": {"k": "v"}},
    }
    members = {"family": "f", "containerDefinitions": [container]}
    assert parsed("RegisterTaskDefinition", **members) == members


@pytest.mark.parametrize("value", [value for value in WRONG if value != "x"])
def test_strings(value: Any) -> None:
    with pytest.raises(SerializationException):
        parsed("ListClusters", nextToken=value)


@pytest.mark.parametrize("value", [value for value in WRONG if value != 1])
def test_integers(value: Any) -> None:
    with pytest.raises(SerializationException):
        parsed("ListClusters", maxResults=value)


@pytest.mark.parametrize("value", [value for value in WRONG if value is not True])
def test_booleans(value: Any) -> None:
    with pytest.raises(SerializationException):
        parsed("DeleteService", service="s", force=value)


@pytest.mark.parametrize("value", [value for value in WRONG if value != [1]])
def test_lists(value: Any) -> None:
    with pytest.raises(SerializationException):
        parsed("DescribeClusters", clusters=value)


@pytest.mark.parametrize("value", [value for value in WRONG if value != {"a": 1}])
def test_structures_and_maps(value: Any) -> None:
    with pytest.raises(SerializationException):
        parsed("RunTask", taskDefinition="x", overrides=value)
    container = {"name": "a", "dockerLabels": value}
    with pytest.raises(SerializationException):
        parsed("RegisterTaskDefinition", family="f", containerDefinitions=[container])


def test_whole_floats_are_integers() -> None:
    assert parsed("ListClusters", maxResults=5.0) == {"maxResults": 5}


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 10**30])
def test_integers_out_of_range(number: int) -> None:
    with pytest.raises(SerializationException):
        parsed("ListClusters", maxResults=number)


def test_limits_of_integers_and_longs() -> None:
    assert parsed("ListClusters", maxResults=2**31 - 1) == {"maxResults": 2**31 - 1}
    assert parsed("ListClusters", maxResults=-(2**31)) == {"maxResults": -(2**31)}


def test_required_members() -> None:
    for members in ({}, {"taskDefinition": None}):
        with pytest.raises(InvalidParameterException) as caught:
            parsed("RunTask", **members)
        assert caught.value.message == "taskDefinition can not be null."
    with pytest.raises(InvalidParameterException):
        parsed("UpdateClusterSettings", cluster="c")


def test_enums() -> None:
    with pytest.raises(InvalidParameterException) as caught:
        parsed("RunTask", taskDefinition="x", launchType="X")
    assert caught.value.message == (
        "launch type should be one of [EC2,FARGATE,EXTERNAL,FMI,MANAGED_INSTANCES]"
    )
    with pytest.raises(InvalidParameterException):
        parsed("RegisterTaskDefinition", family="f", containerDefinitions=[], networkMode="X")
    # Checked by the operations, in their words and at their time.
    assert parsed("DescribeClusters", include=["X"]) == {"include": ["X"]}


@pytest.mark.parametrize(
    "body",
    [b"\xff", b"{", b"[]", b"1", b'"x"', b"null", b"{}{}", b'{"a"}', b"[" * 10**6, b"NaN"],
)
def test_no_object(body: bytes) -> None:
    with pytest.raises(SerializationException):
        parse_parameters("ListClusters", body)


@pytest.mark.parametrize("seed", range(20))
def test_mutilated_requests_end_in_an_error_of_ecs(seed: int) -> None:
    """Any byte of a large request replaced: parsed, or refused with a type of ECS."""
    chance = random.Random(seed)
    body = json.dumps(
        {
            "family": "f",
            "containerDefinitions": [
                {"name": "a", "memory": 5, "essential": True, "dockerLabels": {"a": "b"}}
            ],
            "tags": [{"key": "a", "value": "\u00e9"}],
        }
    ).encode()
    for _ in range(500):
        changed = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(body))] = chance.choice(b'{}[]",:\\0e-ntfu\xff\x00 1')
        try:
            parsed_members = parse_parameters("RegisterTaskDefinition", bytes(changed))
        except EcsError:
            continue
        json.dumps(parsed_members, ensure_ascii=False).encode()
