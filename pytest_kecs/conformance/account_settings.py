"""Account settings. No setting of the caller's account gets another value by these checks."""

from __future__ import annotations

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Members
from pytest_kecs.conformance.checks import Refusal
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.checks import expect_members
from pytest_kecs.conformance.checks import refusals

_FAMILY = "account settings"
_INVALID = "InvalidParameterException"
_UNKNOWN = "kecs-conformance-nothing"
_NAME = "awsvpcTrunking"


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


def _own(account: Account) -> list[Members]:
    """The caller's own setting, if there is one."""
    settings: list[Members] = account.call("ListAccountSettings", name=_NAME)["settings"]
    return settings


def _to_be_kept(account: Account) -> str:
    """The value that counts; whatever is written is undone at the end."""
    own = _own(account)
    answer = account.call("ListAccountSettings", name=_NAME, effectiveSettings=True)
    value: str = (own or answer["settings"])[0]["value"]
    if own:
        account.undo_with("PutAccountSetting", {"name": _NAME, "value": value})
    else:
        account.undo_with("DeleteAccountSetting", {"name": _NAME})
    return value


@check(
    _FAMILY,
    "PutAccountSetting",
    "The caller's own is listed without effectiveSettings",
    "ecs-facts 13",
    basis="documented",
)
def puts(account: Account) -> None:
    value = _to_be_kept(account)
    setting = account.call("PutAccountSetting", name=_NAME, value=value)["setting"]
    expect_members("setting", setting, {"name": _NAME, "value": value})
    expect("settings", [(each["name"], each["value"]) for each in _own(account)], [(_NAME, value)])


@check(
    _FAMILY,
    "DeleteAccountSetting",
    "The caller's own is gone; the default counts",
    "ecs-facts 13",
    basis="documented",
)
def deletes(account: Account) -> None:
    value = _to_be_kept(account)
    account.call("PutAccountSetting", name=_NAME, value=value)
    expect("name", account.call("DeleteAccountSetting", name=_NAME)["setting"]["name"], _NAME)
    expect("settings", _own(account), [])
    answer = account.call("ListAccountSettings", name=_NAME, effectiveSettings=True)
    expect("effective", [each["name"] for each in answer["settings"]], [_NAME])


def _bad_value(account: Account) -> Members:
    _to_be_kept(account)
    return {"name": _NAME, "value": _UNKNOWN}


refusals(
    _FAMILY,
    [
        *(
            Refusal(
                operation,
                "unknown name",
                lambda _, more=more: {"name": _UNKNOWN, **more},  # type: ignore[misc]
                _INVALID,
                None,
                "ecs-facts 13",
                "documented",
            )
            for operation, more in (
                ("ListAccountSettings", {}),
                ("DeleteAccountSetting", {}),
                ("PutAccountSetting", {"value": "enabled"}),
                ("PutAccountSettingDefault", {"value": "enabled"}),
            )
        ),
        Refusal(
            "PutAccountSetting",
            "bad value",
            _bad_value,
            _INVALID,
            "Invalid setting 'value'",
            "ecs-facts 13",
        ),
    ],
)
