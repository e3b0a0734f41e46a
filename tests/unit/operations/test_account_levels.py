"""Whose account setting holds: the user's or role's own, the root's, ECS's (ecs-facts 13)."""

from __future__ import annotations

from typing import Any

import pytest
from account import NUMBER
from account import Account
from kecs_server.domain.account_settings import holder_of
from kecs_server.errors import AccessDeniedException
from kecs_server.errors import InvalidParameterException

ROOT = f"arn:aws:iam::{NUMBER}:root"
ROLE = f"arn:aws:iam::{NUMBER}:role/worker"
USER = f"arn:aws:iam::{NUMBER}:user/team/ann"
SESSION = f"arn:aws:sts::{NUMBER}:assumed-role/worker/task"
INSIGHTS = "containerInsights"


def insights(account: Account, **params: Any) -> tuple[str, str]:
    """The value that holds for a caller, and whose it is."""
    (found,) = account("ListAccountSettings", name=INSIGHTS, effectiveSettings=True, **params)[
        "settings"
    ]
    return found["value"], found["principalArn"]


@pytest.fixture
def account() -> Account:
    return Account()


def test_own_over_root_over_default(account: Account) -> None:
    assert insights(account, session=SESSION) == ("disabled", ROOT)
    account("PutAccountSettingDefault", name=INSIGHTS, value="enabled")
    assert insights(account, session=SESSION) == ("enabled", ROOT)
    own = account("PutAccountSetting", session=SESSION, name=INSIGHTS, value="enhanced")
    assert own["setting"] == {
        "name": INSIGHTS,
        "value": "enhanced",
        "principalArn": ROLE,
        "type": "user",
    }
    assert insights(account, session=SESSION) == ("enhanced", ROLE)
    assert insights(account) == ("enabled", ROOT)
    # A change of the default leaves alone who has a setting of their own.
    account("PutAccountSettingDefault", session=SESSION, name=INSIGHTS, value="disabled")
    assert insights(account, session=SESSION) == ("enhanced", ROLE)
    account("DeleteAccountSetting", session=SESSION, name=INSIGHTS)
    assert insights(account, session=SESSION) == ("disabled", ROOT)


def test_new_clusters_have_the_setting_of_who_makes_them(account: Account) -> None:
    account("PutAccountSetting", name=INSIGHTS, value="enhanced", principalArn=ROLE)

    def made(name: str, session: str | None, **params: Any) -> Any:
        answer = account("CreateCluster", session=session, clusterName=name, **params)
        return answer["cluster"]["settings"][0]["value"]

    assert made("a", SESSION) == "enhanced"
    assert made("b", None) == "disabled"
    assert made("c", SESSION, settings=[{"name": INSIGHTS, "value": "enabled"}]) == "enabled"


def test_only_the_root_user_says_it_for_others(account: Account) -> None:
    setting = {"name": INSIGHTS, "value": "enabled"}
    for principal in (ROOT, USER):
        with pytest.raises(AccessDeniedException):
            account("PutAccountSetting", session=SESSION, principalArn=principal, **setting)
        with pytest.raises(AccessDeniedException):
            account("ListAccountSettings", session=SESSION, principalArn=principal)
        with pytest.raises(AccessDeniedException):
            account("DeleteAccountSetting", session=SESSION, name=INSIGHTS, principalArn=principal)
    account("PutAccountSetting", session=SESSION, principalArn=ROLE, **setting)
    account("PutAccountSetting", principalArn=USER, **setting)
    assert insights(account, principalArn=USER) == ("enabled", USER)
    assert insights(account) == ("disabled", ROOT)


def test_the_fargate_wait_is_the_accounts(account: Account) -> None:
    setting = {"name": "fargateTaskRetirementWaitPeriod", "value": "14"}
    with pytest.raises(AccessDeniedException):
        account("PutAccountSetting", session=SESSION, **setting)
    account("PutAccountSettingDefault", session=SESSION, **setting)
    (found,) = account("ListAccountSettings", name=setting["name"])["settings"]
    assert found["value"] == "14"


@pytest.mark.parametrize(
    ("principal", "holder"),
    [(ROOT, ROOT), (ROLE, ROLE), (USER, USER), (SESSION, ROLE)],
)
def test_holders(principal: str, holder: str) -> None:
    assert holder_of(principal, NUMBER) == holder


@pytest.mark.parametrize(
    "principal",
    [
        "",
        "ann",
        ROOT.replace(NUMBER, "999999999999"),
        f"arn:aws:iam::{NUMBER}:group/team",
        f"arn:aws:iam::{NUMBER}:role/",
        f"arn:aws:iam::{NUMBER}:user",
        f"arn:aws:s3::{NUMBER}:root",
        f"arn:aws:sts::{NUMBER}:federated-user/ann",
    ],
)
def test_no_holders(principal: str) -> None:
    with pytest.raises(InvalidParameterException):
        holder_of(principal, NUMBER)
