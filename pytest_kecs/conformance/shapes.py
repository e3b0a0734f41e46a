"""Answers compared with the shapes of botocore's model."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.model import ServiceModel
from botocore.session import Session

_NOT_IN_THE_MODEL = frozenset({"clusterCount", "previousStatus"})  # ecs-facts 1.2
_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
    "timestamp": (int, float),
}


@cache
def _model() -> ServiceModel:
    return Session().get_service_model("ecs")


def problems_of(operation: str, body: Any) -> list[str]:
    """What in the body is not as the operation's output shape says."""
    shape = _model().operation_model(operation).output_shape
    return [] if shape is None else list(_problems(shape, body, operation))


def _problems(shape: Any, value: Any, where: str) -> Iterator[str]:
    if not _is_of_type(value, shape.type_name):
        yield f"{where} is {value!r}, not a {shape.type_name}"
    elif shape.type_name == "structure" and not shape.is_document_type:
        members = shape.members
        for name in shape.metadata.get("required", []):
            if name not in value:
                yield f"{where}.{name} is missing"
        for name, inner in value.items():
            if name in members:
                yield from _problems(members[name], inner, f"{where}.{name}")
            elif name not in _NOT_IN_THE_MODEL:
                yield f"{where}.{name} is not in the model"
    elif shape.type_name == "list":
        for item in value:
            yield from _problems(shape.member, item, f"{where}[]")


def _is_of_type(value: Any, type_name: str) -> bool:
    if isinstance(value, bool):
        return type_name == "boolean"
    return isinstance(value, _TYPES[type_name])
