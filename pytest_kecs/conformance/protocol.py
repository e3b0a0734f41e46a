"""What comes over the wire, whatever the operation."""

from __future__ import annotations

import uuid

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Failed
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.endpoint import Answer

_FAMILY = "protocol"


@check(_FAMILY, "ListClusters", "Content type and request id of an answer", "ecs-facts 1.2")
def has_headers(account: Account) -> None:
    answer = account.ask("ListClusters", {})
    expect("status", answer.status, 200)
    expect("content type", answer.headers.get("content-type"), "application/x-amz-json-1.1")
    request_id = answer.headers.get("x-amzn-requestid", "")
    try:
        uuid.UUID(request_id)
    except ValueError:
        raise Failed(f"x-amzn-RequestId: expected a UUID, came {request_id!r}") from None


@check(_FAMILY, "DeleteCluster", "Errors have a bare __type and message", "ecs-facts 1.3")
def has_bare_errors(account: Account) -> None:
    answer = account.ask("DeleteCluster", {"cluster": account.name()})
    expect("status", answer.status, 400)
    wanted = {"__type": "ClusterNotFoundException", "message": "Cluster not found."}
    expect("body", answer.body, wanted)


@check(
    _FAMILY,
    "(any)",
    "Unknown operation: UnknownOperationException",
    "ecs-facts 1.4",
    basis="inferred",
)
def refuses_unknown_operations(account: Account) -> None:
    _refused(account.send("MakeCoffee", b"{}"), "UnknownOperationException")


@check(
    _FAMILY, "ListClusters", "No JSON: SerializationException", "ecs-facts 1.4", basis="inferred"
)
def refuses_what_is_no_json(account: Account) -> None:
    _refused(account.send("ListClusters", b'{"maxResults":'), "SerializationException")


@check(
    _FAMILY, "ListClusters", "Wrong type: SerializationException", "ecs-facts 1.4", basis="inferred"
)
def refuses_wrong_types(account: Account) -> None:
    answer = account.send("ListClusters", b'{"maxResults": {"a": 1}}')
    _refused(answer, "SerializationException")


def _refused(answer: Answer, code: str) -> None:
    if (answer.status, answer.code) != (400, code):
        raise Failed(f"expected HTTP 400 {code}, came {answer}")
