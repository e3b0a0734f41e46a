"""Whose account setting holds: the user's or role's own, the root's, ECS's (ecs-facts 13)."""

from __future__ import annotations

from typing import Any

import pytest
from kecs_server.domain.account_settings import holder_of
from kecs_server.errors import AccessDeniedException
from kecs_server.errors import InvalidParameterException
from kecs_server.operations.registry import Call
from kecs_server.operations.table import all_operations
from kecs_server.state.realm import Realm

ACCOUNT = "123456789012"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
USER = f"arn:aws:iam::{ACCOUNT}:user/team/ann"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/task"
INSIGHTS = "containerInsights"


class Account:
    """An account, called by its root user and by a session of a role."""

    def __init__(self) -> None:
        self._realm = Realm(
            id="r", name="settings", engine="process", images={}, wake=lambda _: None
        )

    def call(self, operation: str, *, role: str | None = None, **params: Any) -> Any:
        call = Call(realm=self._realm, account=ACCOUNT, region="us-east-1", role=role)
        return all_operations().operations()[operation].handler(call, params)

    def insights(self, *, role: str | None = None, **params: Any) -> tuple[str, str]:
        """The value that holds, and whose it is."""
        (found,) = self.call(
            "ListAccountSettings", role=role, name=INSIGHTS, effectiveSettings=True, **params
        )["settings"]
        return found["value"], found["principalArn"]


@pytest.fixture
def account() -> Account:
    return Account()


def test_own_over_root_over_default(account: Account) -> None:
    assert account.insights(role=SESSION) == ("disabled", ROOT)
    account.call("PutAccountSettingDefault", name=INSIGHTS, value="enabled")
    assert account.insights(role=SESSION) == ("enabled", ROOT)
    own = account.call("PutAccountSetting", role=SESSION, name=INSIGHTS, value="enhanced")
    assert own["setting"] == {
        "name": INSIGHTS,
        "value": "enhanced",
        "principalArn": ROLE,
        "type": "user",
    }
    assert account.insights(role=SESSION) == ("enhanced", ROLE)
    assert account.insights() == ("enabled", ROOT)
    # A change of the default leaves alone who has a setting of their own.
    account.call("PutAccountSettingDefault", role=SESSION, name=INSIGHTS, value="disabled")
    assert account.insights(role=SESSION) == ("enhanced", ROLE)
    account.call("DeleteAccountSetting", role=SESSION, name=INSIGHTS)
    assert account.insights(role=SESSION) == ("disabled", ROOT)


def test_new_clusters_have_the_setting_of_who_makes_them(account: Account) -> None:
    account.call("PutAccountSetting", name=INSIGHTS, value="enhanced", principalArn=ROLE)

    def made(name: str, role: str | None, **params: Any) -> Any:
        answer = account.call("CreateCluster", role=role, clusterName=name, **params)
        return answer["cluster"]["settings"][0]["value"]

    assert made("a", SESSION) == "enhanced"
    assert made("b", None) == "disabled"
    assert made("c", SESSION, settings=[{"name": INSIGHTS, "value": "enabled"}]) == "enabled"


def test_only_the_root_user_says_it_for_others(account: Account) -> None:
    setting = {"name": INSIGHTS, "value": "enabled"}
    for principal in (ROOT, USER):
        with pytest.raises(AccessDeniedException):
            account.call("PutAccountSetting", role=SESSION, principalArn=principal, **setting)
        with pytest.raises(AccessDeniedException):
            account.call("ListAccountSettings", role=SESSION, principalArn=principal)
        with pytest.raises(AccessDeniedException):
            account.call(
                "DeleteAccountSetting", role=SESSION, name=INSIGHTS, principalArn=principal
            )
    account.call("PutAccountSetting", role=SESSION, principalArn=ROLE, **setting)
    account.call("PutAccountSetting", principalArn=USER, **setting)
    assert account.insights(principalArn=USER) == ("enabled", USER)
    assert account.insights() == ("disabled", ROOT)


def test_the_fargate_wait_is_the_accounts(account: Account) -> None:
    setting = {"name": "fargateTaskRetirementWaitPeriod", "value": "14"}
    with pytest.raises(AccessDeniedException):
        account.call("PutAccountSetting", role=SESSION, **setting)
    account.call("PutAccountSettingDefault", role=SESSION, **setting)
    (found,) = account.call("ListAccountSettings", name=setting["name"])["settings"]
    assert found["value"] == "14"


@pytest.mark.parametrize(
    ("principal", "holder"),
    [(ROOT, ROOT), (ROLE, ROLE), (USER, USER), (SESSION, ROLE)],
)
def test_holders(principal: str, holder: str) -> None:
    assert holder_of(principal, ACCOUNT) == holder


@pytest.mark.parametrize(
    "principal",
    [
        "",
        "ann",
        ROOT.replace(ACCOUNT, "999999999999"),
        f"arn:aws:iam::{ACCOUNT}:group/team",
        f"arn:aws:iam::{ACCOUNT}:role/",
        f"arn:aws:iam::{ACCOUNT}:user",
        f"arn:aws:s3::{ACCOUNT}:root",
        f"arn:aws:sts::{ACCOUNT}:federated-user/ann",
    ],
)
def test_no_holders(principal: str) -> None:
    with pytest.raises(InvalidParameterException):
        holder_of(principal, ACCOUNT)
