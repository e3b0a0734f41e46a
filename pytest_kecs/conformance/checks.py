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
from pytest_kecs.conformance.endpoint import uninterrupted
from pytest_kecs.conformance.endpoint import wait_until
from pytest_kecs.conformance.shapes import problems_of
from pytest_kecs.conformance.undoing import Call
from pytest_kecs.conformance.undoing import undoing

Members = dict[str, Any]
Basis = Literal["captured", "documented", "inferred"]
Shapes = dict[str, dict[str, None]]
"""By operation that has answered: what was not as the model says."""
WAIT_SECONDS = 180
"""How long a check waits for a state, unless told otherwise."""

_MUST_SUCCEED = frozenset(
    {
        "DeleteCapacityProvider",
        "DeleteCluster",
        "DeleteDaemonTaskDefinition",
        "DeleteGateway",
        "DeregisterTaskDefinition",
    }
)
_BUSY = ("ClusterContains", "ResourceInUse", "UpdateInProgress")
_BUSY_TEXT = "is associated with"
"""Refusals that pass, by the beginning of the code, or by the text where it says too little."""

_GONE = (
    "not found",
    "does not exist",
    "Unable to describe task definition.",
    "being deleted",
    "not in ACTIVE status",
)


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

    def __init__(
        self,
        endpoint: Endpoint,
        prefix: str,
        network: Members,
        shapes: Shapes,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        """
        :param network: an `awsvpcConfiguration` for tasks.
        :param shapes: where problems of answers with the model's shapes are noted.
        """
        self._endpoint = endpoint
        self._undo: list[Call] = []
        self._names = 0
        self._prefix = prefix
        self._shapes = shapes
        self._wait_seconds = wait_seconds
        self.network = network

    def name(self) -> str:
        """One that nobody else has."""
        self._names += 1
        return f"{self._prefix}-{self._names}"

    def send(self, operation: str, body: bytes) -> Answer:
        with uninterrupted():
            answer = self._endpoint.send(operation, body)
            if answer.status == 200 and isinstance(answer.body, dict):
                self._undo += undoing(operation, answer.body)
        return answer

    def undo_with(self, operation: str, members: Members) -> None:
        """Make this call at the end, before those that are there already."""
        self._undo.append((operation, members))

    def wait(self, what: str, is_so: Callable[[], object]) -> None:
        """Ask until it is so.

        :raises Failed: it is not, after all the time that there is.
        """
        if not wait_until(is_so, seconds=self._wait_seconds):
            raise Failed(f"not so after {self._wait_seconds:g} s: {what}")

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
            # Interrupted, it is there for the next attempt.
            operation, members = self._undo[-1]
            last = self._undone(operation, members)
            self._undo.pop()
            gone = last.status == 200 or any(text in last.message for text in _GONE)
            if not gone and operation in _MUST_SUCCEED:
                remains.append(f"{operation} {members}: {last}")
        return remains

    def _undone(self, operation: str, members: Members) -> Answer:
        """The answer to a call, which is repeated while something is in its way."""
        body = json.dumps(members).encode()
        last = Answer(0, {}, "")

        def is_done() -> bool:
            nonlocal last
            last = self._endpoint.send(operation, body)
            return not last.code.startswith(_BUSY) and _BUSY_TEXT not in last.message

        wait_until(is_done, seconds=self._wait_seconds)
        return last
