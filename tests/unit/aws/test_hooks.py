"""Hooks of deployments that Lambda of the configured endpoint answers (ecs-facts 8.7)."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from kecs_server.aws.endpoints import EndpointError
from kecs_server.aws.hooks import _ask
from kecs_server.aws.hooks import _invoke

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:check"


class Lambda:
    """An endpoint that has one function, which answers with `payload`."""

    def __init__(self, payload: bytes, **members: Any) -> None:
        self.answer = {"Payload": io.BytesIO(payload), **members}
        self.asked: list[tuple[str, str, str, dict[str, Any]]] = []

    def call(self, service: str, region: str, operation: str, **params: Any) -> Any:
        self.asked.append((service, region, operation, params))
        return self.answer


def outcome(endpoint: Any) -> list[tuple[str, object]]:
    told: list[tuple[str, object]] = []
    _ask(
        lambda: _invoke(endpoint, FUNCTION, {"lifecycleStage": "PRE_SCALE_UP"}),
        lambda value: told.append(("answered", value)),
        lambda why: told.append(("failed", why)),
    )
    return told


def test_the_function_is_invoked_with_the_event() -> None:
    endpoint = Lambda(b'{"hookStatus": "SUCCEEDED"}')
    assert outcome(endpoint) == [("answered", {"hookStatus": "SUCCEEDED"})]
    [(service, region, operation, params)] = endpoint.asked
    assert (service, region, operation) == ("lambda", "eu-west-1", "invoke")
    assert params["FunctionName"] == FUNCTION
    assert json.loads(params["Payload"]) == {"lifecycleStage": "PRE_SCALE_UP"}


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        (Lambda(b'{"errorMessage": "x"}', FunctionError="Unhandled"), "errorMessage"),
        (Lambda(b"what"), "Expecting value"),
        (Lambda(b""), "Expecting value"),
        (Lambda(b"[" * 100_000), "recursion"),
    ],
)
def test_functions_that_fail(endpoint: Lambda, why: str) -> None:
    [(what, text)] = outcome(endpoint)
    assert what == "failed"
    assert why in str(text)


def test_an_endpoint_that_refuses() -> None:
    class Refusing:
        def call(self, *args: Any, **params: Any) -> Any:
            raise EndpointError("ResourceNotFoundException: no such function")

    assert outcome(Refusing()) == [("failed", "ResourceNotFoundException: no such function")]
