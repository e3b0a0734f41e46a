"""A JSON body to the parameters of an operation, checked against the model's input shape.

Members keep their wire names: they are boto3's own, and nothing that a client sent can get lost
in a translation. JSON `null` is an absent member; members that the model does not know are
dropped, as AWS does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.model import ListShape
from botocore.model import MapShape
from botocore.model import Shape
from botocore.model import StringShape
from botocore.model import StructureShape

from kecs_server.errors import InvalidParameterException
from kecs_server.errors import SerializationException
from kecs_server.protocol.model import operation_model

Parameters = dict[str, Any]

_CHECKED_BY_HANDLERS = frozenset({"schedulingStrategy", "include"})
"""Members whose enum ECS checks later than others, or in words of the operation."""

_NAMES_CHECKED_BY_HANDLERS = frozenset({"SettingName", "ClusterSettingName"})
"""Shapes of which the same is true; their members are called `name`, as many others are."""

_ENUM_SUBJECTS = {"launchType": "launch type"}
_ENUM_VALUES = {"launchType": ("EC2", "FARGATE", "EXTERNAL", "FMI", "MANAGED_INSTANCES")}

_STRUCTURE_FOUND = "Start of structure or map found where not expected."
_LIST_FOUND = "Start of list found where not expected"
_JAVA_TYPES = {
    "string": "String",
    "integer": "Integer",
    "long": "Long",
    "boolean": "Boolean",
    "double": "Double",
    "float": "Float",
    "timestamp": "Date",
}


def parse_parameters(operation: str, body: bytes) -> Parameters:
    """As `parse`, of one of ECS's operations."""
    return parse(operation_model(operation).input_shape, operation, body)


def parse(shape: StructureShape | None, operation: str, body: bytes) -> Parameters:
    """:raises SerializationException: the body is not a JSON object of the operation's shape.
    :raises InvalidParameterException: a required member is missing, a value not of its enum.
    """
    try:
        document = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise SerializationException(f"Unexpected character in the request body: {error}") from None
    if not isinstance(document, dict):
        raise SerializationException("The request body is not a JSON object.")
    if shape is None:
        return {}
    parameters: Parameters = _structure(shape, document, operation)
    return parameters


def _structure(shape: StructureShape, value: Any, member: str) -> Any:
    if isinstance(value, list):
        raise SerializationException(_LIST_FOUND)
    if not isinstance(value, dict):
        raise SerializationException(f"Unrecognized collection type in {member}")
    if shape.is_document_type:
        return _document(value, member)
    parameters = {
        name: _CHECKS[inner.type_name](inner, value[name], name)
        for name, inner in shape.members.items()
        if name in value and value[name] is not None
    }
    for required in shape.required_members:
        if required not in parameters:
            raise InvalidParameterException(f"{required} can not be null.")
    return parameters


def _document(value: Any, member: str) -> Any:
    """Any JSON, whatever is in it."""
    if isinstance(value, str):
        return _unicode(value, member)
    if isinstance(value, list):
        return [_document(item, member) for item in value]
    if isinstance(value, dict):
        return {_unicode(key, member): _document(item, member) for key, item in value.items()}
    return value


def _list(shape: ListShape, value: Any, member: str) -> list[Any]:
    if isinstance(value, dict):
        raise SerializationException(_STRUCTURE_FOUND)
    if not isinstance(value, list):
        raise SerializationException(f"Expected list or null in {member}")
    return [_check(shape.member, item, member) for item in value if item is not None]


def _map(shape: MapShape, value: Any, member: str) -> Parameters:
    if isinstance(value, list):
        raise SerializationException(_LIST_FOUND)
    if not isinstance(value, dict):
        raise SerializationException(f"Expected map or null in {member}")
    return {
        _unicode(key, member): _check(shape.value, item, member)
        for key, item in value.items()
        if item is not None
    }


def _string(shape: StringShape, value: Any, member: str) -> str:
    text = _unicode(value if type(value) is str else _scalar(shape, value, str), member)
    is_left = member in _CHECKED_BY_HANDLERS or shape.name in _NAMES_CHECKED_BY_HANDLERS
    if shape.enum and not is_left and text not in shape.enum:
        allowed = ",".join(_ENUM_VALUES.get(member, shape.enum))
        subject = _ENUM_SUBJECTS.get(member, member)
        raise InvalidParameterException(f"{subject} should be one of [{allowed}]")
    return text


def _unicode(text: str, member: str) -> str:
    """The text, unless JSON escapes made halves of characters in it: no answer could carry them."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SerializationException(f"Invalid Unicode text in {member}") from None
    return text


def _integer(shape: Shape, value: Any, member: str) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    number: int = _scalar(shape, value, int)
    limit = 2**31 if shape.type_name == "integer" else 2**63
    if not -limit <= number < limit:
        raise SerializationException(f"Numeric value out of range of {member}")
    return number


def _scalar(shape: Shape, value: Any, *kinds: type) -> Any:
    if isinstance(value, dict):
        raise SerializationException(_STRUCTURE_FOUND)
    if isinstance(value, list):
        raise SerializationException(_LIST_FOUND)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        found = {str: "String", bool: "Boolean", int: "Integer", float: "Double"}[type(value)]
        wanted = _JAVA_TYPES[shape.type_name]
        raise SerializationException(f"class java.lang.{found} can not be converted to an {wanted}")
    return value


_CHECKS: dict[str, Callable[[Any, Any, str], Any]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _integer,
    "long": _integer,
    "boolean": lambda shape, value, member: _scalar(shape, value, bool),
    "double": lambda shape, value, member: _scalar(shape, value, int, float),
    "float": lambda shape, value, member: _scalar(shape, value, int, float),
    "timestamp": lambda shape, value, member: _scalar(shape, value, int, float),
}


def _check(shape: Shape, value: Any, member: str) -> Any:
    return _CHECKS[shape.type_name](shape, value, member)
