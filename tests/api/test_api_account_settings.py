"""Account settings as the root user sees them (ecs-facts 13). Levels: tests/unit/operations."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import refusal

pytestmark = pytest.mark.documented

INVALID = "InvalidParameterException"
ROOT = "arn:aws:iam::123456789012:root"
DEFAULTS = {
    "awsvpcTrunking": "disabled",
    "containerInsights": "disabled",
    "containerInstanceLongArnFormat": "enabled",
    "defaultLogDriverMode": "non-blocking",
    "dualStackIPv6": "enabled",
    "fargateEventWindows": "disabled",
    "fargateFIPSMode": "disabled",
    "fargateTaskRetirementWaitPeriod": "7",
    "guardDutyActivate": "off",
    "serviceLongArnFormat": "enabled",
    "tagResourceAuthorization": "on",
    "taskLongArnFormat": "enabled",
}
OTHERS = {
    "containerInsights": ["enabled", "enhanced"],
    "defaultLogDriverMode": ["blocking"],
    "fargateTaskRetirementWaitPeriod": ["0", "14"],
    "tagResourceAuthorization": ["off"],
    "awsvpcTrunking": ["enabled"],
    "dualStackIPv6": ["disabled"],
    "fargateFIPSMode": ["enabled"],
    "fargateEventWindows": ["enabled"],
    "serviceLongArnFormat": ["disabled"],
    "taskLongArnFormat": ["disabled"],
    "containerInstanceLongArnFormat": ["disabled"],
}


def values(ecs: Any, **params: Any) -> dict[str, str]:
    pages = ecs.get_paginator("list_account_settings").paginate(**params)
    return {item["name"]: item["value"] for page in pages for item in page["settings"]}


@pytest.mark.inferred
def test_defaults(ecs: Any) -> None:
    assert values(ecs) == {}
    assert values(ecs, effectiveSettings=True) == DEFAULTS
    first = ecs.list_account_settings(effectiveSettings=True)
    assert len(first["settings"]) == 10
    assert {item["principalArn"] for item in first["settings"]} == {ROOT}
    types = {item["name"]: item["type"] for item in first["settings"]}
    assert types["guardDutyActivate"] == "aws_managed"
    assert types["awsvpcTrunking"] == "user"


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in OTHERS for value in OTHERS[name]]
)
def test_put_list_and_delete(ecs: Any, name: str, value: str) -> None:
    setting = {"name": name, "value": value, "principalArn": ROOT, "type": "user"}
    assert ecs.put_account_setting(name=name, value=value)["setting"] == setting
    assert ecs.list_account_settings()["settings"] == [setting]
    assert values(ecs, effectiveSettings=True) == {**DEFAULTS, name: value}
    assert values(ecs, name=name, value=value) == {name: value}
    assert values(ecs, name=name, value="other") == {}
    assert values(ecs, name="guardDutyActivate") == {}
    assert ecs.delete_account_setting(name=name)["setting"] == setting
    assert values(ecs) == {}


@pytest.mark.inferred
def test_delete_what_is_not_set(ecs: Any) -> None:
    answer = ecs.delete_account_setting(name="containerInsights")["setting"]
    assert (answer["name"], answer["value"]) == ("containerInsights", "")


@pytest.mark.captured
@pytest.mark.parametrize("operation", ["put_account_setting", "put_account_setting_default"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("taskLongArnFormat", "ENABLED"),
        ("tagResourceAuthorization", "enabled"),
        ("fargateTaskRetirementWaitPeriod", "8"),
        ("containerInsights", ""),
    ],
)
def test_bad_values(ecs: Any, operation: str, name: str, value: str) -> None:
    refused = refusal(getattr(ecs, operation), name=name, value=value)
    assert refused == (INVALID, "Invalid setting 'value'")
    assert values(ecs) == {}


@pytest.mark.inferred
def test_bad_names(ecs: Any) -> None:
    for call, params in (
        (ecs.put_account_setting, {"value": "enabled"}),
        (ecs.put_account_setting_default, {"value": "enabled"}),
        (ecs.delete_account_setting, {}),
        (ecs.list_account_settings, {}),
    ):
        code, message = refusal(call, name="unknown", **params)
        assert code == INVALID
        assert message.startswith("unknown should be one of [serviceLongArnFormat,")


def test_what_aws_manages(ecs: Any) -> None:
    for call in (ecs.put_account_setting, ecs.put_account_setting_default):
        assert refusal(call, name="guardDutyActivate", value="on")[0] == INVALID


def test_a_value_needs_a_name(ecs: Any) -> None:
    assert refusal(ecs.list_account_settings, value="enabled")[0] == INVALID


@pytest.mark.parametrize("size", [0, 11, -1])
def test_page_sizes(ecs: Any, size: int) -> None:
    assert refusal(ecs.list_account_settings, maxResults=size)[0] == INVALID


@pytest.mark.parametrize("size", [1, 4, 10])
def test_pages(ecs: Any, size: int) -> None:
    config = {"PageSize": size}
    assert values(ecs, effectiveSettings=True, PaginationConfig=config) == DEFAULTS


def test_regions_are_apart(ecs: Any, new_client: Any) -> None:
    ecs.put_account_setting(name="containerInsights", value="enhanced")
    china = new_client(region="cn-north-1")
    assert values(china) == {}
    setting = china.put_account_setting_default(name="awsvpcTrunking", value="enabled")["setting"]
    assert setting["principalArn"] == "arn:aws-cn:iam::123456789012:root"


def test_new_clusters_have_the_accounts_insights(ecs: Any) -> None:
    old = ecs.create_cluster(clusterName="old")["cluster"]
    assert old["settings"] == [{"name": "containerInsights", "value": "disabled"}]
    ecs.put_account_setting_default(name="containerInsights", value="enhanced")
    new = ecs.create_cluster(clusterName="new")["cluster"]
    assert new["settings"] == [{"name": "containerInsights", "value": "enhanced"}]
    # Those that there are, and repeated calls, are as before.
    assert ecs.create_cluster(clusterName="old")["cluster"] == old


def test_arns_stay_long(cluster: Any) -> None:
    for name in ("serviceLongArnFormat", "taskLongArnFormat"):
        cluster.put_account_setting_default(name=name, value="disabled")
    cluster.register_task_definition(
        family="app", containerDefinitions=[{"name": "app", "image": "x", "memory": 16}]
    )
    made = cluster.create_service(serviceName="web", taskDefinition="app", desiredCount=0)
    assert made["service"]["serviceArn"].endswith(":service/default/web")
    (task,) = cluster.run_task(taskDefinition="app")["tasks"]
    assert ":task/default/" in task["taskArn"]
