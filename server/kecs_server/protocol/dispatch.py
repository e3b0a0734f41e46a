"""One ECS request from top to bottom: who calls, what, with what; the handler; the answer."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kecs_server.errors import EcsError
from kecs_server.errors import NotImplementedException
from kecs_server.errors import ServerException
from kecs_server.errors import UnknownOperationException
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Operation
from kecs_server.protocol.content import unpacked
from kecs_server.protocol.holding import Holder
from kecs_server.protocol.holding import is_waiter
from kecs_server.protocol.model import TARGET_PREFIX
from kecs_server.protocol.model import operation_names
from kecs_server.protocol.model import waiters_of
from kecs_server.protocol.parameters import parse_parameters
from kecs_server.protocol.signature import Caller
from kecs_server.protocol.signature import SignedRequest
from kecs_server.protocol.signature import verify
from kecs_server.state.realms import Realms

_log = logging.getLogger(__name__)
_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))
"""No answer has itself in it."""

Structure = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """HTTP status and the JSON object of the body."""

    status: int
    body: Structure

    @cached_property
    def text(self) -> str:
        """What is sent."""
        return _ENCODER.encode(self.body)


class Dispatcher:
    """Answers the ECS API. Thread-safe."""

    def __init__(
        self, realms: Realms, operations: Mapping[str, Operation], *, strict_time: bool
    ) -> None:
        self._realms = realms
        self._operations = operations
        self._strict_time = strict_time
        self._holder = Holder()

    def authenticate(self, request: SignedRequest) -> Caller:
        """:raises EcsError: the signature is missing, unknown or wrong."""
        now = time.time() if self._strict_time else None
        return verify(request, self._realms.secret_of, now=now)

    def answer(self, request: SignedRequest) -> Answer:
        """Never raises: what goes wrong here is a ServerException with the cause in the log."""
        try:
            caller = self.authenticate(request)
            name = _operation_name(request.headers.get("x-amz-target", ""))
            return self._call(caller, name, request)
        except EcsError as error:
            return error_answer(error)
        except Exception:
            return error_answer(_internal_error())

    def _call(self, caller: Caller, name: str, request: SignedRequest) -> Answer:
        access = self._realms.access(caller.access_key)
        call = Call(
            realm=access.realm,
            account=access.account,
            region=caller.region,
            role=access.principal,
        )
        at, began = call.now, time.monotonic()
        body = b""
        problem: EcsError | None = None
        try:
            body = unpacked(request.body, request.headers.get("content-encoding", ""))
            params = parse_parameters(name, body)
            answer = Answer(200, self._carry_out(call, name, params, request.headers))
        except EcsError as error:
            problem = error
        except Exception:
            problem = _internal_error()
        if problem is not None:
            answer = error_answer(problem)
        milliseconds = 1000 * (time.monotonic() - began)
        text = answer.text
        with call.realm.reading():
            call.realm.timeline.add_call(
                at,
                name,
                account=call.account,
                region=call.region,
                milliseconds=milliseconds,
                input=body,
                answer=text,
                error=problem.code if problem else None,
                message=(problem.message or "") if problem else "",
            )
        return answer

    def _carry_out(
        self, call: Call, name: str, params: Structure, headers: Mapping[str, str]
    ) -> Structure:
        operation = self._operations.get(name)
        if operation is None:
            raise NotImplementedException(
                f"pytest-kecs does not have the operation {name} yet; its README lists those that "
                "it has."
            )

        def ask() -> Structure:
            with call.realm.reading():
                return operation.handler(call, params)

        if not operation.is_read:
            with call.realm.changing():
                return operation.handler(call, params)
        if is_waiter(headers.get("user-agent", "")) and waiters_of(name):
            question = (call.account, call.region, call.realm.id, name, repr(params))
            return self._holder.answer(question, name, call.realm, ask)
        return ask()


def _internal_error() -> ServerException:
    """What is answered where something broke here; the log has the cause."""
    _log.exception("a request could not be answered")
    return ServerException("Internal error of the pytest-kecs server.")


def error_answer(error: EcsError) -> Answer:
    """`__type` is the bare code; an error without message sends none (ecs-facts 1.3)."""
    body: Structure = {"__type": error.code, **error.members}
    if error.message is not None:
        body["message"] = error.message
    return Answer(error.status, body)


def _operation_name(target: str) -> str:
    prefix, _, name = target.partition(".")
    if prefix != TARGET_PREFIX or name not in operation_names():
        raise UnknownOperationException
    return name
