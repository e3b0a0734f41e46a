"""Availability Zone rebalancing: for which services it is, and where tasks then are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_steps import SLEEP
from api_steps import Wait
from api_steps import container
from api_steps import messages
from api_steps import refusal
from api_steps import register
from api_steps import service
from api_steps import wait_stable
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


def add_instances(app: Any, zones: str) -> None:
    for zone in zones:
        document = json.dumps({"availabilityZone": f"us-east-1{zone}"})
        new_instance(app, instanceIdentityDocument=document)


def zones_of_tasks(app: Any) -> str:
    tasks = app.describe_tasks(tasks=app.list_tasks(serviceName="s")["taskArns"])["tasks"]
    return "".join(sorted(each["availabilityZone"][-1] for each in tasks))


def test_tasks_are_spread_over_zones_as_they_are_placed(app: Any) -> None:
    add_instances(app, "aab")
    create(app, desiredCount=4)
    wait_stable(app, "s")
    assert zones_of_tasks(app) == "aabb"


def test_tasks_are_moved_to_a_zone_that_comes(app: Any, wait_for: Wait) -> None:
    add_instances(app, "a")
    create(app, desiredCount=4)
    wait_stable(app, "s")
    add_instances(app, "b")
    wait_for(lambda: "is AZ balanced with" in messages(service(app, "s"))[0])
    assert zones_of_tasks(app) == "aabb"
    assert len(service(app, "s")["deployments"]) == 1
    assert service(app, "s")["desiredCount"] == 4
