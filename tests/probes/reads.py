"""Which members of their requests the handlers look at."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set
from typing import Any
from typing import ClassVar

from botocore.model import ListShape
from botocore.model import MapShape
from botocore.model import Shape
from botocore.model import StructureShape
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Operation
from kecs_server.protocol.model import operation_model


class Watched(dict[str, Any]):
    """A structure that notes which members somebody asks for by name; copies note it too."""

    seen: ClassVar[set[tuple[str, str]]] = set()
    """(shape, member); the shape of a request is the operation's name."""

    shape: str

    def __getitem__(self, name: str) -> Any:
        self.seen.add((self.shape, name))
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.seen.add((self.shape, name))
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.seen.add((self.shape, str(name)))
        return super().__contains__(name)


def watching(operations: Mapping[str, Operation]) -> dict[str, Operation]:
    """The operations, with handlers that are given watched requests."""
    return {name: _watching(name, operation) for name, operation in operations.items()}


def _watching(name: str, operation: Operation) -> Operation:
    shape = operation_model(name).input_shape

    def handler(call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return operation.handler(call, watched(shape, params, name))

    return Operation(handler, operation.is_read)


def watched(shape: Shape | None, value: Any, name: str) -> Any:
    if isinstance(shape, StructureShape) and not shape.is_document_type:
        structure = Watched(
            {n: watched(shape.members[n], v, shape.members[n].name) for n, v in value.items()}
        )
        structure.shape = name
        return structure
    if isinstance(shape, ListShape):
        return [watched(shape.member, item, shape.member.name) for item in value]
    if isinstance(shape, MapShape):
        return {k: watched(shape.value, v, shape.value.name) for k, v in value.items()}
    return value


def members_of(operation: str, listed: Set[tuple[str, str]]) -> set[tuple[str, str]]:
    """All that a request may hold, in Watched's terms, but for what is listed and within that."""
    found: set[tuple[str, str]] = set()

    def add(shape: Shape | None, name: str) -> None:
        if isinstance(shape, StructureShape):
            for member, inner in shape.members.items():
                if (name, member) not in listed | found:
                    found.add((name, member))
                    add(inner, inner.name)
        elif isinstance(shape, ListShape):
            add(shape.member, shape.member.name)
        elif isinstance(shape, MapShape):
            add(shape.value, shape.value.name)

    add(operation_model(operation).input_shape, operation)
    return found
