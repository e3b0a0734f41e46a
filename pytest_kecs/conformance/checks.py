"""What a check is, and what it can ask of the server."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from typing import Literal

from pytest_kecs.conformance.endpoint import Answer
from pytest_kecs.conformance.endpoint import Endpoint
from pytest_kecs.conformance.endpoint import wait_until
from pytest_kecs.conformance.shapes import problems_of

Basis = Literal["captured", "documented", "inferred"]
Members = dict[str, Any]
Shapes = dict[str, dict[str, None]]
"""By operation that has answered: what was not as the model says."""
_CLEAN_UP_SECONDS = 60
_MUST_SUCCEED = frozenset({"DeleteCluster", "DeregisterTaskDefinition"})
_GONE = ("not found", "Unable to describe task definition.", "being deleted")


class Failed(Exception):
    """The server does otherwise."""


class NotImplementedThere(Exception):
    """The server has no such operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule of ECS; `run` raises when it is not kept (None: the answers to others tell)."""

    family: str
    operation: str
    name: str
    rule: str
    basis: Basis
    source: str
    run: Callable[[Account], None] | None = None
    needs_tasks: bool = False


CHECKS: list[Check] = []


def check(
    family: str,
    operation: str,
    rule: str,
    source: str,
    *,
    basis: Basis = "captured",
    needs_tasks: bool = False,
) -> Callable[[Callable[[Account], None]], Callable[[Account], None]]:
    """Make a function a check."""

    def decorate(function: Callable[[Account], None]) -> Callable[[Account], None]:
        CHECKS.append(
            Check(
                family=family,
                operation=operation,
                name=function.__name__,
                rule=rule,
                basis=basis,
                source=source,
                run=function,
                needs_tasks=needs_tasks,
            )
        )
        return function

    return decorate


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that ECS refuses with this type and, where it is known, this text."""

    operation: str
    rule: str
    members: Callable[[Account], Members]
    code: str
    message: str | None
    source: str
    basis: Basis = "captured"


def expect_true(what: str, *, came: bool) -> None:
    """:raises Failed: it is not so."""
    if not came:
        raise Failed(f"not so: {what}")


def refusals(family: str, rows: Iterable[Refusal]) -> None:
    """Make a check of each."""
    for row in rows:

        def run(account: Account, row: Refusal = row) -> None:
            account.refused(row.operation, row.members(account), row.code, row.message)

        run.__name__ = "refuses_" + "_".join(row.rule.lower().split())
        check(family, row.operation, f"Refused: {row.rule}", row.source, basis=row.basis)(run)


def expect(what: str, came: Any, wanted: Any) -> None:
    """:raises Failed: they differ."""
    if came != wanted or isinstance(came, bool) != isinstance(wanted, bool):
        raise Failed(f"{what}: expected {wanted!r}, came {came!r}")


def expect_members(where: str, came: Any, wanted: Members) -> None:
    """Each of these members is there with this value; others may be."""
    if not isinstance(came, dict):
        raise Failed(f"{where}: expected {wanted!r}, came {came!r}")
    for name, value in wanted.items():
        expect(f"{where}.{name}", came.get(name), value)


class Account:
    """Calls for one check. What they made is recorded, whether or not it was to be made, and
    `clean_up` removes it."""

    def __init__(self, endpoint: Endpoint, prefix: str, network: Members, shapes: Shapes) -> None:
        """
        :param network: an `awsvpcConfiguration` for tasks.
        :param shapes: where problems of answers with the model's shapes are noted.
        """
        self._endpoint = endpoint
        self._undo: list[tuple[str, Members]] = []
        self._names = 0
        self._prefix = prefix
        self._shapes = shapes
        self.network = network

    def name(self) -> str:
        """One that nobody else has."""
        self._names += 1
        return f"{self._prefix}-{self._names}"

    def send(self, operation: str, body: bytes) -> Answer:
        answer = self._endpoint.send(operation, body)
        if answer.status == 200 and isinstance(answer.body, dict):
            self._undo += _undoing(operation, answer.body)
        return answer

    def ask(self, operation: str, members: Members) -> Answer:
        """:raises NotImplementedThere: the server has no such operation."""
        answer = self.send(operation, json.dumps(members).encode())
        if answer.is_not_implemented:
            raise NotImplementedThere(str(answer))
        return answer

    def call(self, operation: str, **members: Any) -> Members:
        """The answer of a call that succeeds.

        :raises Failed: it does not.
        """
        answer = self.ask(operation, members)
        if answer.status != 200 or not isinstance(answer.body, dict):
            raise Failed(f"{operation}: expected HTTP 200, came {answer}")
        if answer.body:
            problems = self._shapes.setdefault(operation, {})
            problems.update(dict.fromkeys(problems_of(operation, answer.body)))
        return answer.body

    def refused(self, operation: str, members: Members, code: str, message: str | None) -> None:
        """:raises Failed: the call is not refused in these words."""
        answer = self.ask(operation, members)
        wanted = f"HTTP 400 {code}" + ("" if message is None else f" {message!r}")
        if (answer.status, answer.code) != (400, code) or message not in (None, answer.message):
            raise Failed(f"expected {wanted}, came {answer}")

    def clean_up(self) -> list[str]:
        """Remove what was made, the last first; what remains, in words."""
        remains = []
        while self._undo:
            operation, members = self._undo.pop()
            body = json.dumps(members).encode()
            last = Answer(0, {}, "")

            def is_gone(operation: str = operation, body: bytes = body) -> bool:
                nonlocal last
                last = self._endpoint.send(operation, body)
                return not last.code.startswith("ClusterContains")

            wait_until(is_gone, seconds=_CLEAN_UP_SECONDS)
            gone = last.status == 200 or any(text in last.message for text in _GONE)
            if not gone and operation in _MUST_SUCCEED:
                remains.append(f"{operation} {members}: {last}")
        return remains


def _undoing(operation: str, body: Members) -> list[tuple[str, Members]]:
    """The calls that remove what an answer says was made; the last is to be made first."""
    if operation == "CreateCluster":
        return [("DeleteCluster", {"cluster": arn}) for arn in _arns(body, "cluster", "clusterArn")]
    if operation == "RegisterTaskDefinition":
        return [
            call
            for arn in _arns(body, "taskDefinition", "taskDefinitionArn")
            for call in (
                ("DeleteTaskDefinitions", {"taskDefinitions": [arn]}),
                ("DeregisterTaskDefinition", {"taskDefinition": arn}),
            )
        ]
    if operation == "CreateService":
        service = body.get("service") or {}
        cluster = service.get("clusterArn")
        return [
            ("DeleteService", {"cluster": cluster, "service": arn, "force": True})
            for arn in _arns(body, "service", "serviceArn")
        ]
    if operation == "RunTask":
        return [
            ("StopTask", {"cluster": task.get("clusterArn"), "task": task.get("taskArn")})
            for task in body.get("tasks") or []
        ]
    if operation == "CreateCapacityProvider":
        return [
            ("DeleteCapacityProvider", {"capacityProvider": arn})
            for arn in _arns(body, "capacityProvider", "capacityProviderArn")
        ]
    return []


def _arns(body: Members, what: str, member: str) -> list[str]:
    arn = (body.get(what) or {}).get(member)
    return [arn] if arn else []
