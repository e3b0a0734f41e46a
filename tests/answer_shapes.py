"""Comparing the answers on the wire with the shapes of botocore's model."""

from __future__ import annotations

import json
from typing import Any

from botocore.model import OperationModel
from botocore.model import Shape

NOT_IN_THE_MODEL = frozenset({"clusterCount", "previousStatus"})
"""Members that ECS sends and its model lacks (ecs-facts 1.2)."""

NOT_IN_ITS_ENUMS = frozenset({"dualStackIPv6"})
"""Values that its text has, and its enums have not (ecs-facts 13)."""

_TYPES: dict[str, type | tuple[type, ...]] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "double": (int, float),
    "float": (int, float),
    "timestamp": (int, float),
}


def check_answer(
    operation_model: OperationModel, response_dict: dict[str, Any], **others: Any
) -> None:
    """A handler of botocore's `before-parse`: the answer is one that the model knows."""
    headers = {name.lower(): value for name, value in response_dict["headers"].items()}
    assert headers["content-type"] == "application/x-amz-json-1.1"
    assert len(headers["x-amzn-requestid"]) == 36
    body = json.loads(response_dict["body"])
    if response_dict["status_code"] >= 400:
        assert set(body) <= {"__type", "message", "resourceIds"}
        return
    problems = problems_of(operation_model, body)
    assert not problems, problems


def problems_of(operation_model: OperationModel, body: Any) -> list[str]:
    """What in the body of an answer is not as the operation's output shape says."""
    assert operation_model.output_shape is not None
    return list(_problems(operation_model.output_shape, body, operation_model.name))


def _problems(shape: Shape, value: Any, where: str) -> Any:
    is_flag = isinstance(value, bool)
    if not isinstance(value, _TYPES[shape.type_name]) or (is_flag and shape.type_name != "boolean"):
        yield f"{where} is {value!r}, not a {shape.type_name}"
    elif shape.type_name == "structure" and not shape.is_document_type:
        for name, inner in value.items():
            member = shape.members.get(name)
            if member is not None:
                yield from _problems(member, inner, f"{where}.{name}")
            elif name not in NOT_IN_THE_MODEL:
                yield f"{where}.{name} is not in the model"
    elif shape.type_name == "list":
        for item in value:
            yield from _problems(shape.member, item, f"{where}[]")
    elif shape.type_name == "map":
        for inner in value.values():
            yield from _problems(shape.value, inner, f"{where}{{}}")
    elif shape.type_name == "string" and shape.enum and value not in _known(shape.enum):
        yield f"{where} is {value!r}, none of {shape.enum}"


def _known(enum: list[str]) -> set[str]:
    return NOT_IN_ITS_ENUMS.union(enum)
