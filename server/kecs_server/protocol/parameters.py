"""A JSON body to the parameters of an operation, checked against the model's input shape.

Members keep their wire names: they are boto3's own, and nothing that a client sent can get lost
in a translation. JSON `null` is an absent member; members that the model does not know are
dropped, as AWS does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
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


Read = Callable[[Any, str], Any]
"""Checks a value of a member, by the member's name; returns the parameter."""


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
    parameters: Parameters = _reader(shape)(document, operation)
    return parameters


@cache
def _reader(shape: Shape) -> Read:
    """What the shape asks for is looked up once, and not for each value."""
    return _READERS[shape.type_name](shape)


class _Members(dict[str, Read]):
    """The readers of a structure's members, each made when it is first needed: a shape can have
    itself in it.
    """

    def __init__(self, shape: StructureShape) -> None:
        super().__init__()
        self._shapes = shape.members

    def __missing__(self, name: str) -> Read:
        self[name] = read = _reader(self._shapes[name])
        return read


def _structure(shape: StructureShape) -> Read:
    is_document = shape.is_document_type
    names, readers = tuple(shape.members), _Members(shape)
    required_members = tuple(shape.required_members)

    def read(value: Any, member: str) -> Parameters:
        if isinstance(value, list):
            raise SerializationException(_LIST_FOUND)
        if not isinstance(value, dict):
            raise SerializationException(f"Unrecognized collection type in {member}")
        if is_document:
            document: Parameters = _document(value, member)
            return document
        parameters = {
            name: readers[name](value[name], name)
            for name in names
            if name in value and value[name] is not None
        }
        for required in required_members:
            if required not in parameters:
                raise InvalidParameterException(f"{required} can not be null.")
        return parameters

    return read


def _document(value: Any, member: str) -> Any:
    """Any JSON, whatever is in it."""
    if isinstance(value, str):
        return _unicode(value, member)
    if isinstance(value, list):
        return [_document(item, member) for item in value]
    if isinstance(value, dict):
        return {_unicode(key, member): _document(item, member) for key, item in value.items()}
    return value


def _list(shape: ListShape) -> Read:
    def read(value: Any, member: str) -> list[Any]:
        if isinstance(value, dict):
            raise SerializationException(_STRUCTURE_FOUND)
        if not isinstance(value, list):
            raise SerializationException(f"Expected list or null in {member}")
        read_item = _reader(shape.member)
        return [read_item(item, member) for item in value if item is not None]

    return read


def _map(shape: MapShape) -> Read:
    def read(value: Any, member: str) -> Parameters:
        if isinstance(value, list):
            raise SerializationException(_LIST_FOUND)
        if not isinstance(value, dict):
            raise SerializationException(f"Expected map or null in {member}")
        read_item = _reader(shape.value)
        return {
            _unicode(key, member): read_item(item, member)
            for key, item in value.items()
            if item is not None
        }

    return read


def _string(shape: StringShape) -> Read:
    allowed = () if shape.name in _NAMES_CHECKED_BY_HANDLERS else tuple(shape.enum)

    def read(value: Any, member: str) -> str:
        text = _unicode(value if type(value) is str else _scalar(shape, value, str), member)
        if allowed and text not in allowed and member not in _CHECKED_BY_HANDLERS:
            values = ",".join(_ENUM_VALUES.get(member, allowed))
            subject = _ENUM_SUBJECTS.get(member, member)
            raise InvalidParameterException(f"{subject} should be one of [{values}]")
        return text

    return read


def _unicode(text: str, member: str) -> str:
    """The text, unless JSON escapes made halves of characters in it: no answer could carry them."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SerializationException(f"Invalid Unicode text in {member}") from None
    return text


def _integer(shape: Shape) -> Read:
    limit = 2**31 if shape.type_name == "integer" else 2**63

    def read(value: Any, member: str) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        number: int = _scalar(shape, value, int)
        if not -limit <= number < limit:
            raise SerializationException(f"Numeric value out of range of {member}")
        return number

    return read


def _of_kinds(*kinds: type) -> Callable[[Shape], Read]:
    def reader(shape: Shape) -> Read:
        return lambda value, member: _scalar(shape, value, *kinds)

    return reader


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


_READERS: dict[str, Callable[[Any], Read]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _integer,
    "long": _integer,
    "boolean": _of_kinds(bool),
    "double": _of_kinds(int, float),
    "float": _of_kinds(int, float),
    "timestamp": _of_kinds(int, float),
}
