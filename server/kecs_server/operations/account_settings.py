"""Account settings of users, roles and the root user (ecs-facts 13)."""

from __future__ import annotations

from typing import Any

from kecs_server.domain.account_settings import FOR_ROOT
from kecs_server.domain.account_settings import MANAGED
from kecs_server.domain.account_settings import SETTINGS
from kecs_server.domain.account_settings import Effective
from kecs_server.domain.account_settings import check_name
from kecs_server.domain.account_settings import check_value
from kecs_server.domain.account_settings import effective
from kecs_server.domain.account_settings import holder_of
from kecs_server.domain.arns import root_arn
from kecs_server.errors import AccessDeniedException
from kecs_server.errors import InvalidParameterException
from kecs_server.operations.paging import page
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry

Structure = dict[str, Any]

registry = Registry()

MAX_PAGE = 10


@registry.operation("PutAccountSetting")
def put_account_setting(call: Call, params: Structure) -> Structure:
    name, value = params["name"], params["value"]
    check_value(name, value)
    principal = _principal(call, params)
    if name in FOR_ROOT and principal != _root(call):
        raise AccessDeniedException(f"The setting {name} can be set for the root user only.")
    return _put(call, name, value, principal)


@registry.operation("PutAccountSettingDefault")
def put_account_setting_default(call: Call, params: Structure) -> Structure:
    name, value = params["name"], params["value"]
    check_value(name, value)
    return _put(call, name, value, _root(call))


@registry.operation("ListAccountSettings")
def list_account_settings(call: Call, params: Structure) -> Structure:
    name, value = params.get("name"), params.get("value")
    if name is not None:
        check_name(name)
    elif value is not None:
        raise InvalidParameterException("A value needs the name of the account setting.")
    principal = _principal(call, params)
    given = call.store.account_settings
    found = {
        each: effective(each, given, principal, _root(call))
        for each in SETTINGS
        if params.get("effectiveSettings") or each in given.get(principal, {})
    }
    matching = [
        _view(each, setting)
        for each, setting in found.items()
        if name in (None, each) and value in (None, setting.value)
    ]
    shown, token = page(matching, params, key=lambda view: (view["name"],), most=MAX_PAGE)
    return {"settings": shown, **token}


@registry.operation("DeleteAccountSetting")
def delete_account_setting(call: Call, params: Structure) -> Structure:
    name = params["name"]
    check_name(name)
    principal = _principal(call, params)
    own = call.store.account_settings.get(principal, {})
    return {"setting": _view(name, Effective(own.pop(name, ""), principal))}


def insights_of(call: Call) -> str:
    """What containerInsights the caller's new clusters have."""
    given, root = call.store.account_settings, _root(call)
    principal = holder_of(call.principal, call.account)
    return effective("containerInsights", given, principal, root).value


def _root(call: Call) -> str:
    return root_arn(call.region, call.account)


def _principal(call: Call, params: Structure) -> str:
    """Whose settings the request is about.

    :raises AccessDeniedException: somebody else's, and the caller is not the root user.
    """
    caller = holder_of(call.principal, call.account)
    wanted = holder_of(params.get("principalArn", caller), call.account)
    if caller not in (wanted, _root(call)):
        raise AccessDeniedException(
            f"You must be the root user or {wanted} to use the parameter principalArn."
        )
    return wanted


def _put(call: Call, name: str, value: str, principal: str) -> Structure:
    call.store.account_settings.setdefault(principal, {})[name] = value
    return {"setting": _view(name, Effective(value, principal))}


def _view(name: str, setting: Effective) -> Structure:
    return {
        "name": name,
        "value": setting.value,
        "principalArn": setting.principal,
        "type": "aws_managed" if name in MANAGED else "user",
    }
