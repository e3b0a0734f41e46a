"""Attributes of container instances."""

from __future__ import annotations

from typing import Any

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Members
from pytest_kecs.conformance.checks import Refusal
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.checks import refusals
from pytest_kecs.conformance.steps import NOWHERE
from pytest_kecs.conformance.steps import made_cluster
from pytest_kecs.conformance.steps import made_instance
from pytest_kecs.conformance.steps import pages

_FAMILY = "attributes"
_SOURCE = "ecs-facts 12.2"
_INVALID = "InvalidParameterException"
_TARGET = {"targetType": "container-instance"}


def _placed(account: Account) -> tuple[str, str]:
    """A cluster, and an instance in it."""
    cluster = made_cluster(account)
    return cluster, made_instance(account, cluster)["containerInstanceArn"]


def _values(account: Account, cluster: str, **members: Any) -> list[tuple[str, str | None]]:
    answer = account.call("ListAttributes", cluster=cluster, **_TARGET, **members)
    return [(each["name"], each.get("value")) for each in answer["attributes"]]


@check(_FAMILY, "PutAttributes", "Adds, and replaces the value", _SOURCE, basis="documented")
def puts(account: Account) -> None:
    cluster, arn = _placed(account)
    short = {"targetId": arn.rpartition("/")[2], **_TARGET}
    for value in ("prod", "test"):
        answer = account.call(
            "PutAttributes",
            cluster=cluster,
            attributes=[
                {"name": "stack", "value": value, "targetId": arn},
                {"name": "rack", **short},
            ],
        )
        came = [(each["name"], each.get("value")) for each in answer["attributes"]]
        expect("answer", sorted(came, key=str), [("rack", None), ("stack", value)])
    expect("value", _values(account, cluster, attributeName="stack"), [("stack", "test")])


@check(_FAMILY, "ListAttributes", "By name and value, in pages", _SOURCE, basis="documented")
def lists(account: Account) -> None:
    cluster, arn = _placed(account)
    given = [{"name": name, "value": "x", "targetId": arn} for name in ("a", "b")]
    account.call("PutAttributes", cluster=cluster, attributes=given)
    named = {"attributeName": "a"}
    expect("by name", _values(account, cluster, **named), [("a", "x")])
    expect("by value", _values(account, cluster, **named, attributeValue="x"), [("a", "x")])
    expect("of another value", _values(account, cluster, **named, attributeValue="y"), [])
    came = pages(account, "ListAttributes", "attributes", cluster=cluster, **named, **_TARGET)
    expect("pages", [each["name"] for each in came], ["a"])


@check(_FAMILY, "DeleteAttributes", "Takes away what is named", _SOURCE, basis="documented")
def deletes(account: Account) -> None:
    cluster, arn = _placed(account)
    given = [{"name": "a", "value": "x", "targetId": arn}]
    account.call("PutAttributes", cluster=cluster, attributes=given)
    answer = account.call(
        "DeleteAttributes", cluster=cluster, attributes=[{"name": "a", "targetId": arn}]
    )
    expect("deleted", [each["name"] for each in answer["attributes"]], ["a"])
    expect("left", _values(account, cluster, attributeName="a"), [])


def _put(account: Account, **members: str) -> Members:
    cluster, arn = _placed(account)
    return {"cluster": cluster, "attributes": [{"name": "a", "targetId": arn, **members}]}


def _eleven(account: Account) -> Members:
    cluster, arn = _placed(account)
    given = [{"name": f"a{number}", "targetId": arn} for number in range(11)]
    account.call("PutAttributes", cluster=cluster, attributes=given[:10])
    return {"cluster": cluster, "attributes": given[10:]}


refusals(
    _FAMILY,
    [
        Refusal("PutAttributes", rule, asked, code, None, _SOURCE, "documented")
        for rule, asked, code in (
            ("more than ten", _eleven, "AttributeLimitExceededException"),
            (
                "unknown target",
                lambda account: _put(account, targetId=NOWHERE, **_TARGET),
                "TargetNotFoundException",
            ),
            (
                "built in",
                lambda account: _put(account, name="ecs.os-type", value="windows"),
                _INVALID,
            ),
        )
    ],
)
