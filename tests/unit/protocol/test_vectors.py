"""botocore's vectors for json 1.1: we read what clients send, and clients read what we send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.model import OperationModel
from botocore.model import ServiceModel
from botocore.parsers import JSONParser
from kecs_server.app import JSON_TYPE
from kecs_server.errors import EcsError
from kecs_server.protocol.dispatch import Answer
from kecs_server.protocol.dispatch import error_answer
from kecs_server.protocol.parameters import parse

DATA = Path(__file__).parents[2] / "data" / "protocol"


def vectors(kind: str, *, errors: bool = False) -> list[Any]:
    found = []
    for suite in json.loads((DATA / f"{kind}.json").read_text(encoding="utf-8")):
        service = ServiceModel({"metadata": suite["metadata"], "shapes": suite["shapes"]})
        for case in suite["cases"]:
            if ("errorCode" in case) == errors:
                operation = OperationModel(case["given"], service)
                found.append(pytest.param(operation, case, id=case["id"]))
    return found


def without_null(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


@pytest.mark.parametrize(("operation", "case"), vectors("input"))
def test_requests(operation: OperationModel, case: dict[str, Any]) -> None:
    body = case["serialized"].get("body", "").encode()
    assert parse(operation.input_shape, operation.name, body) == without_null(case["params"])


def read(operation: OperationModel, answer: Answer) -> Any:
    """What botocore makes of an answer, with times as numbers."""
    parser = JSONParser(timestamp_parser=float)
    response = {
        "status_code": answer.status,
        "headers": {"Content-Type": JSON_TYPE},
        "body": answer.text.encode(),
    }
    parsed = parser.parse(response, operation.output_shape)
    del parsed["ResponseMetadata"]
    return parsed


@pytest.mark.parametrize(("operation", "case"), vectors("output"))
def test_answers(operation: OperationModel, case: dict[str, Any]) -> None:
    answer = Answer(200, json.loads(case["response"]["body"]))
    assert json.loads(answer.text) == answer.body
    assert read(operation, answer) == case["result"]


@pytest.mark.parametrize(("operation", "case"), vectors("output", errors=True))
def test_errors(operation: OperationModel, case: dict[str, Any]) -> None:
    members = {name: value for name, value in case["error"].items() if name != "Message"}
    kind = type(case["errorCode"], (EcsError,), {"status": case["response"]["status_code"]})
    answer = error_answer(kind(case.get("errorMessage"), **members))
    assert answer.status == case["response"]["status_code"]
    expected = json.loads(case["response"]["body"])
    assert {**answer.body, **renamed(answer.body)} == {**expected, **renamed(expected)}
    error = read(operation, answer)["Error"]
    assert error["Code"] == case["errorCode"]
    assert error.get("Message", "") == case.get("errorMessage", "")


def renamed(body: dict[str, Any]) -> dict[str, Any]:
    """ECS writes `message`, which the vectors' service calls `Message` (ecs-facts 1.3)."""
    texts = [body[name] for name in ("message", "Message") if name in body]
    return {"message": texts, "Message": texts}
