"""Availability Zone rebalancing: for which services it is, and where tasks then are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_steps import SLEEP
from api_steps import container
from api_steps import refusal
from api_steps import register
from api_steps import service
from instance_steps import new_instance
from service_steps import INVALID
from service_steps import create

pytestmark = pytest.mark.documented

SPREAD_ZONES = {"type": "spread", "field": "attribute:ecs.availability-zone"}
BINPACK = {"type": "binpack", "field": "memory"}

RULED_OUT: list[tuple[str, dict[str, Any]]] = [
    ("maximum", {"deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 0}}),
    ("EXTERNAL", {"launchType": "EXTERNAL"}),
    (
        "Classic Load Balancer",
        {
            "loadBalancers": [
                {"loadBalancerName": "old", "containerName": "app", "containerPort": 80}
            ]
        },
    ),
    ("strategy", {"placementStrategy": [BINPACK, SPREAD_ZONES]}),
    (
        "constraint",
        {
            "placementConstraints": [
                {
                    "type": "memberOf",
                    "expression": "attribute:ecs.availability-zone == us-east-1a",
                }
            ]
        },
    ),
]


@pytest.fixture
def app(cluster: Any) -> Any:
    register(cluster, "app", container(command=SLEEP, portMappings=[{"containerPort": 80}]))
    return cluster


@pytest.mark.parametrize("params", [pytest.param(row[1], id=row[0]) for row in RULED_OUT])
def test_ruled_out(app: Any, params: dict[str, Any]) -> None:
    request = {"serviceName": "s", "taskDefinition": "app", "desiredCount": 0, **params}
    code, text = refusal(app.create_service, **request, availabilityZoneRebalancing="ENABLED")
    assert code == INVALID
    assert text.startswith("Availability Zone Rebalancing does not support ")
    created = app.create_service(**request)["service"]
    assert created["availabilityZoneRebalancing"] == "DISABLED"
    answer = refusal(app.update_service, service="s", availabilityZoneRebalancing="ENABLED")
    assert answer == (code, text)


@pytest.mark.parametrize("strategy", [[SPREAD_ZONES], [SPREAD_ZONES, BINPACK], []], ids=len)
def test_enabled_unless_something_is_said(app: Any, strategy: list[dict[str, str]]) -> None:
    created = create(app, desiredCount=0, placementStrategy=strategy)
    assert created["availabilityZoneRebalancing"] == "ENABLED"
    app.update_service(service="s", availabilityZoneRebalancing="DISABLED")
    app.update_service(service="s", desiredCount=0)
    assert service(app, "s")["availabilityZoneRebalancing"] == "DISABLED"
    app.update_service(service="s", availabilityZoneRebalancing="ENABLED")
    assert service(app, "s")["availabilityZoneRebalancing"] == "ENABLED"
    assert len(service(app, "s")["deployments"]) == 1


@pytest.mark.parametrize(
    "params",
    [
        {"deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 0}},
        {"placementStrategy": [BINPACK]},
    ],
    ids=["maximum", "strategy"],
)
def test_what_rules_it_out_is_refused_while_it_is_enabled(app: Any, params: Any) -> None:
    create(app, desiredCount=0)
    assert refusal(app.update_service, service="s", **params)[0] == INVALID
    answer = app.update_service(service="s", availabilityZoneRebalancing="DISABLED", **params)
    assert answer["service"]["availabilityZoneRebalancing"] == "DISABLED"


def test_tasks_are_spread_over_zones_as_they_are_placed(app: Any) -> None:
    for zone in ("a", "a", "b"):
        document = json.dumps({"availabilityZone": f"us-east-1{zone}"})
        new_instance(app, instanceIdentityDocument=document)
    create(app, desiredCount=4)
    app.get_waiter("services_stable").wait(services=["s"])
    tasks = app.describe_tasks(tasks=app.list_tasks(serviceName="s")["taskArns"])["tasks"]
    zones = sorted(each["availabilityZone"][-1] for each in tasks)
    assert zones == ["a", "a", "b", "b"]
