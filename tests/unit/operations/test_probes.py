"""Thousands of requests made from the model: each is answered as the model's shapes say or refused
as an error of ECS's, none fails inside, and what is refused changes nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kecs_server
import pytest
from answer_shapes import problems_of
from kecs_server.operations import effects
from kecs_server.operations.table import all_operations
from kecs_server.protocol.dispatch import Answer
from kecs_server.protocol.model import operation_model
from kecs_server.protocol.model import operation_names
from kecs_server.protocol.model import service_model
from kecs_server.protocol.parameters import parse_parameters
from probes.cases import ACCEPTED
from probes.cases import MALFORMED
from probes.cases import REFUSED
from probes.cases import Probe
from probes.cases import bases_of
from probes.cases import probes
from probes.echoes import contains
from probes.echoes import echoing
from probes.readers import read_from_records
from probes.reads import Watched
from probes.reads import members_of
from probes.world import World

SERVER = Path(kecs_server.__file__).parent
UNNAMED = {"ResourceNotFoundException", "ServiceNotFoundException"}
"""Errors of lookups that the model does not name for each operation that looks up."""


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.mark.parametrize("operation", sorted(all_operations().operations()))
def test_answers(world: World, operation: str, caplog: pytest.LogCaptureFixture) -> None:
    is_read = all_operations().operations()[operation].is_read
    Watched.seen.clear()
    world.restore()
    furnished = world.state()
    problems = []
    for probe in probes(operation, bases_of(operation, world)):
        answer = world.ask(operation, probe.body)
        problems += [
            f"{probe.name}: {problem} ({answer.body})"[:300]
            for problem in found(operation, probe, answer)
        ]
        if answer.status == 200 and not is_read:
            world.restore()
        elif answer.body.get("__type") != "SerializationException" and world.state() != furnished:
            problems.append(f"{probe.name}: {answer.status}, but something has changed")
            world.restore()
    errors = [record for record in caplog.records if record.levelno >= logging.WARNING]
    problems += [f"logged: {record.getMessage()} {record.exc_info}"[:300] for record in errors]
    problems += [f"{shape}.{member} is used by nothing" for shape, member in unused(operation)]
    assert not problems, f"{len(problems)} problems:\n" + "\n".join(problems[:20])


def found(operation: str, probe: Probe, answer: Answer) -> Iterator[str]:
    """What is wrong with an answer."""
    json.dumps(answer.body, ensure_ascii=False, allow_nan=False).encode()
    if answer.status == 200:
        yield from problems_of(operation_model(operation), answer.body)
        yield from not_echoed(operation, probe.body, answer.body)
        if probe.expected in (REFUSED, MALFORMED):
            yield f"accepted, not {probe.expected}"
        return
    code = answer.body.get("__type")
    if code not in errors_of(operation):
        yield f"{code} is no error of it"
    if not set(answer.body) <= {"__type", "message", "resourceIds"}:
        yield "members of no error"
    if answer.status not in (400, 501):
        yield f"status {answer.status}"
    if (code == "NotImplementedException") != (answer.status == 501):
        yield f"status {answer.status} of {code}"
    if probe.expected == MALFORMED and code != "SerializationException":
        yield f"{code}, not SerializationException"
    if probe.expected == ACCEPTED and answer.status != 501:
        yield f"{code}, not accepted"


@cache
def errors_of(operation: str) -> frozenset[str]:
    """Errors that the model names for the operation, and those of every one."""
    named = {shape.name for shape in operation_model(operation).error_shapes}
    return frozenset(named | {"SerializationException", "NotImplementedException"} | UNNAMED)


def unused(operation: str) -> list[tuple[str, str]]:
    """Members that no handler looked at, nor what works from its records, and which are not listed
    as having no effect.
    """
    listed = {(row.where, m) for row in (*effects.STORED, *effects.REFUSED) for m in row.members}
    return sorted(members_of(operation, listed) - Watched.seen - read_from_records().keys())


@pytest.mark.parametrize(("member", "module"), read_from_records().items(), ids=str)
def test_what_is_read_from_records(member: tuple[str, str], module: str) -> None:
    shape, name = member
    known = (
        operation_model(shape).input_shape
        if shape in operation_names()
        else service_model().shape_for(shape)
    )
    assert name in known.members
    if module != "protocol/parameters.py":
        assert f'"{name}"' in (SERVER / module).read_text(encoding="utf-8")


def not_echoed(operation: str, body: bytes, answer: Any) -> Iterator[str]:
    """Members of the request that the resource in the answer should have, and has otherwise."""
    params = parse_parameters(operation, body)
    for resource in echoing(operation):
        found = answer.get(resource.name)
        for shown in found if resource.is_list else [found]:
            for member in resource.members & params.keys():
                if not contains(shown.get(member), params[member]):
                    yield f"{resource.name}.{member} is {shown.get(member)!r:.99}"
