"""The table from operation names to handlers, filled by a decorator."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kecs_server.domain.arns import root_arn
from kecs_server.operations.paging import opened
from kecs_server.operations.paging import sealed
from kecs_server.state.realm import Realm
from kecs_server.state.store import Store

Structure = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who calls, from which realm, account and region. `role`: the ARN of a role's session."""

    realm: Realm
    account: str
    region: str
    role: str | None = None

    @property
    def store(self) -> Store:
        return self.realm.store(self.account, self.region)

    @property
    def now(self) -> float:
        return self.realm.clock.now()

    @property
    def principal(self) -> str:
        return self.role or root_arn(self.region, self.account)


Handler = Callable[[Call, Structure], Structure]


@dataclass(frozen=True, slots=True)
class Operation:
    """A handler, and whether it only reads (its caller then holds the lock without publishing)."""

    handler: Handler
    is_read: bool


class Registry:
    """Handlers by operation name."""

    def __init__(self) -> None:
        self._operations: dict[str, Operation] = {}

    def operation(self, name: str) -> Callable[[Handler], Handler]:
        """Register the decorated function as the handler of the operation."""

        def register(handler: Handler) -> Handler:
            is_read = name.startswith(("Describe", "Get", "List"))
            whole = _with_sealed_tokens(name, handler) if is_read else handler
            self._operations[name] = Operation(whole, is_read)
            return handler

        return register

    def include(self, other: Registry) -> None:
        self._operations.update(other._operations)

    def operations(self) -> Mapping[str, Operation]:
        return self._operations


def _with_sealed_tokens(name: str, handler: Handler) -> Handler:
    """The handler, whose `nextToken` is of no use to other operations, accounts and clusters."""

    def answer(call: Call, params: Structure) -> Structure:
        cluster = params.get("cluster") or params.get("clusterArn") or ""
        place = cluster.rpartition("/")[2] or "default"
        scope = (name, call.realm.id, call.account, call.region, place)
        if params.get("nextToken"):
            params = {**params, "nextToken": opened(params["nextToken"], scope)}
        result = handler(call, params)
        if "nextToken" in result:
            result["nextToken"] = sealed(result["nextToken"], scope)
        return result

    return answer
