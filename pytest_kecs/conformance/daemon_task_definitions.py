"""Daemon task definitions (the model's words; nothing of them is captured)."""

from __future__ import annotations

from typing import Any

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Members
from pytest_kecs.conformance.checks import Refusal
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.checks import expect_members
from pytest_kecs.conformance.checks import refusals
from pytest_kecs.conformance.steps import daemon_definition

_FAMILY = "daemon task definitions"
_SOURCE = "ecs-facts 16.1"


def _registered(account: Account, family: str) -> str:
    asked = daemon_definition(account, family=family)
    arn: str = account.call("RegisterDaemonTaskDefinition", **asked)["daemonTaskDefinitionArn"]
    return arn


@check(
    _FAMILY,
    "RegisterDaemonTaskDefinition",
    "Revisions of a family, counted from 1",
    _SOURCE,
    basis="documented",
)
def counts(account: Account) -> None:
    family = account.name()
    tails = [_registered(account, family).split(":", 5)[5] for _ in range(2)]
    expect("ARNs", tails, [f"daemon-task-definition/{family}:{number}" for number in (1, 2)])


@check(
    _FAMILY,
    "DescribeDaemonTaskDefinition",
    "A family is its last ACTIVE revision",
    _SOURCE,
    basis="documented",
)
def describes(account: Account) -> None:
    family = account.name()
    _registered(account, family)
    last = _registered(account, family)
    answer = account.call("DescribeDaemonTaskDefinition", daemonTaskDefinition=family)
    wanted = {"daemonTaskDefinitionArn": last, "family": family, "revision": 2, "status": "ACTIVE"}
    expect_members("daemonTaskDefinition", answer["daemonTaskDefinition"], wanted)


@check(
    _FAMILY,
    "ListDaemonTaskDefinitions",
    "By family, and the last ones only",
    "the model of ListDaemonTaskDefinitions",
    basis="documented",
)
def lists(account: Account) -> None:
    family = account.name()
    arns = [_registered(account, family) for _ in range(2)]

    def listed(**members: Any) -> list[str]:
        answer = account.call("ListDaemonTaskDefinitions", family=family, **members)
        return [each["arn"] for each in answer["daemonTaskDefinitions"]]

    expect("all", sorted(listed()), arns)
    expect("descending", listed(sort="DESC"), arns[::-1])
    expect("last", listed(revision="LAST_REGISTERED"), arns[1:])


@check(
    _FAMILY, "DeleteDaemonTaskDefinition", "It is not ACTIVE any more", _SOURCE, basis="documented"
)
def deletes(account: Account) -> None:
    arn = _registered(account, account.name())
    answer = account.call("DeleteDaemonTaskDefinition", daemonTaskDefinition=arn)
    expect("ARN", answer["daemonTaskDefinitionArn"], arn)

    def is_deleted() -> bool:
        answer = account.call("DescribeDaemonTaskDefinition", daemonTaskDefinition=arn)
        return bool(answer["daemonTaskDefinition"]["status"] == "DELETED")

    account.wait("the definition is DELETED", is_deleted)


def _refused(rule: str, code: str, **members: Any) -> Refusal:
    def asked(account: Account) -> Members:
        return daemon_definition(account, **members)

    return Refusal(
        "RegisterDaemonTaskDefinition", rule, asked, code, None, _SOURCE, basis="inferred"
    )


refusals(
    _FAMILY,
    [
        _refused("bad family", "ClientException", family="a b"),
        _refused("no containers", "ClientException", containerDefinitions=[]),
        *(
            Refusal(
                operation,
                "unknown definition",
                lambda account: {"daemonTaskDefinition": f"{account.name()}:1"},
                "ClientException",
                None,
                _SOURCE,
                "inferred",
            )
            for operation in ("DescribeDaemonTaskDefinition", "DeleteDaemonTaskDefinition")
        ),
    ],
)
