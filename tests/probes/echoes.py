"""Which members of a request come back in its answer, and whether they do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.model import ListShape
from botocore.model import StructureShape
from kecs_server.protocol.model import operation_model

REFERENCES = frozenset({"cluster", "taskDefinition"})
"""Members that come back as ARNs."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A member of an answer that is a resource, or a list of some, and the members that the
    request gives it.
    """

    name: str
    is_list: bool
    members: frozenset[str]


@cache
def echoing(operation: str) -> tuple[Resource, ...]:
    model = operation_model(operation)
    if model.input_shape is None or model.output_shape is None or is_lookup(operation):
        return ()
    given = model.input_shape.members
    resources = []
    for name, shape in model.output_shape.members.items():
        is_list = isinstance(shape, ListShape)
        inner = shape.member if is_list else shape
        if isinstance(inner, StructureShape) and name != "failures":
            same = {m for m, s in inner.members.items() if m in given and given[m].name == s.name}
            resources.append(Resource(name, is_list, frozenset(same - REFERENCES)))
    return tuple(resources)


def is_lookup(operation: str) -> bool:
    return operation.startswith(("Describe", "Get", "List"))


def contains(shown: Any, given: Any) -> bool:
    """Whether all that was given is shown, with defaults or without."""
    if isinstance(given, dict):
        return isinstance(shown, dict) and all(contains(shown.get(n), v) for n, v in given.items())
    if isinstance(given, list):
        if not isinstance(shown, list) or len(shown) < len(given):
            return not given and not shown
        return all(contains(*pair) for pair in zip(shown, given, strict=False))
    return given is None or bool(shown == given)
