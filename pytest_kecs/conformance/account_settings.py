"""Account settings. Those of the caller's account are read and never written."""

from __future__ import annotations

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Refusal
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.checks import refusals

_FAMILY = "account settings"


@check(
    _FAMILY,
    "ListAccountSettings",
    "effectiveSettings has the locked formats: enabled",
    "ecs-facts 2.4, 13",
    basis="documented",
)
def lists_defaults(account: Account) -> None:
    for name in ("serviceLongArnFormat", "taskLongArnFormat", "containerInstanceLongArnFormat"):
        answer = account.call("ListAccountSettings", name=name, effectiveSettings=True)
        came = [(each["name"], each["value"]) for each in answer["settings"]]
        expect(name, came, [(name, "enabled")])


refusals(
    _FAMILY,
    [
        Refusal(
            "ListAccountSettings",
            "unknown name",
            lambda _: {"name": "nothing"},
            "InvalidParameterException",
            None,
            "ecs-facts 13",
            "documented",
        )
    ],
)
