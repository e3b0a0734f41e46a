"""UpdateService: what it changes, and what needs a new deployment (ecs-facts 7.4)."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import NETWORK
from api_steps import SLEEP
from api_steps import container
from api_steps import refusal
from api_steps import register
from api_steps import register_fargate
from api_steps import service
from api_steps import wait_stable
from service_steps import INVALID
from service_steps import create
from service_steps import wait_steady

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.documented

ZONES = {"type": "spread", "field": "attribute:ecs.availability-zone"}


@pytest.fixture
def app(cluster: Any) -> Any:
    """A client in an account with a cluster and the families app and far."""
    register(cluster, "app", container(command=SLEEP))
    register_fargate(cluster, "far")
    return cluster


@pytest.mark.captured
def test_update_of_the_count(app: Any) -> None:
    before = create(app)["deployments"][0]["id"]
    wait_stable(app, "s")
    updated = app.update_service(service="s", desiredCount=3)["service"]
    assert updated["desiredCount"] == 3
    assert [(d["id"], d["desiredCount"]) for d in updated["deployments"]] == [(before, 3)]
    wait_stable(app, "s")
    assert len(app.list_tasks(serviceName="s")["taskArns"]) == 3
    app.update_service(service="s", desiredCount=1)
    wait_stable(app, "s")
    assert len(app.list_tasks(serviceName="s")["taskArns"]) == 1
    assert refusal(app.update_service, service="s", desiredCount=-1) == (
        INVALID,
        "Task count can not be lesser than 0",
    )


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"taskDefinition": "app"},
        {"deploymentConfiguration": {"maximumPercent": 150}},
        {"enableExecuteCommand": True},
        {"placementStrategy": [ZONES, {"type": "random"}]},
        {"propagateTags": "SERVICE"},
    ],
    ids=str,
)
def test_updates_without_a_deployment(app: Any, params: dict[str, Any]) -> None:
    before = create(app)["deployments"][0]["id"]
    updated = app.update_service(service="s", **params)["service"]
    assert [d["id"] for d in updated["deployments"]] == [before]


def test_updates_with_a_deployment(app: Any) -> None:
    create(app, taskDefinition="far", launchType="FARGATE", networkConfiguration=NETWORK)
    wait_stable(app, "s")
    register_fargate(app, "far")
    network = {"awsvpcConfiguration": {"subnets": ["subnet-2"]}}
    for params in (
        {"taskDefinition": "far"},
        {"networkConfiguration": network},
        {"platformVersion": "1.4.0"},
        {"forceNewDeployment": True},
    ):
        updated = app.update_service(service="s", **params)["service"]
        assert [d["status"] for d in updated["deployments"]] == ["PRIMARY", "ACTIVE"]
        assert [d["desiredCount"] for d in updated["deployments"]] == [1, 0]
        wait_stable(app, "s")
    described = service(app, "s")
    assert described["taskDefinition"].endswith("/far:2")
    assert described["networkConfiguration"] == network


@pytest.mark.inferred
def test_nothing_is_changed_by_an_update_that_is_refused(app: Any, admin: AdminClient) -> None:
    create(app)
    wait_steady(app, admin)
    before = service(app, "s")
    for params in (
        {"desiredCount": 5, "deploymentConfiguration": {"maximumPercent": 1}},
        {"desiredCount": 5, "taskDefinition": "none"},
        {"desiredCount": 5, "networkConfiguration": NETWORK},
    ):
        refusal(app.update_service, service="s", **params)
    assert service(app, "s") == before


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"placementStrategy": [{"type": "spread", "field": "cpu"}]}, INVALID),
        ({"placementConstraints": [{"type": "distinctInstance"}] * 11}, INVALID),
        ({"taskDefinition": "bound"}, INVALID),
    ],
    ids=str,
)
def test_placement_is_checked(app: Any, params: dict[str, Any], code: str) -> None:
    bound = [{"type": "memberOf", "expression": "x"}] * 10
    register(app, "bound", container(command=SLEEP), placementConstraints=bound)
    create(app, desiredCount=0, placementConstraints=[{"type": "distinctInstance"}])
    assert refusal(app.update_service, service="s", **params)[0] == code


def test_a_platform_must_fit_the_new_definition(app: Any) -> None:
    capacity = {"launchType": "FARGATE", "networkConfiguration": NETWORK, "desiredCount": 0}
    create(app, taskDefinition="far", platformVersion="1.3.0", **capacity)
    register_fargate(app, "large", ephemeralStorage={"sizeInGiB": 30})
    code, _ = refusal(app.update_service, service="s", taskDefinition="large")
    assert code == "PlatformTaskDefinitionIncompatibilityException"
    updated = app.update_service(service="s", taskDefinition="large", platformVersion="1.4.0")
    assert updated["service"]["taskDefinition"].endswith("/large:1")


@pytest.mark.inferred
def test_configuration_is_merged(app: Any) -> None:
    create(app, deploymentConfiguration={"maximumPercent": 150})
    configuration = {
        "minimumHealthyPercent": 50,
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
    }
    updated = app.update_service(service="s", deploymentConfiguration=configuration)["service"]
    result = updated["deploymentConfiguration"]
    assert (result["maximumPercent"], result["minimumHealthyPercent"]) == (150, 50)
    assert result["deploymentCircuitBreaker"]["enable"] is True


def test_inactive_definition_goes_on_serving(app: Any) -> None:
    create(app)
    wait_stable(app, "s")
    app.deregister_task_definition(taskDefinition="app:1")
    app.update_service(service="s", desiredCount=2)
    wait_stable(app, "s")
    assert service(app, "s")["runningCount"] == 2


@pytest.mark.captured
def test_rebalancing_needs_room_later_too(app: Any) -> None:
    create(app, availabilityZoneRebalancing="ENABLED")
    configuration = {"maximumPercent": 100, "minimumHealthyPercent": 50}
    assert refusal(app.update_service, service="s", deploymentConfiguration=configuration) == (
        INVALID,
        "Availability Zone Rebalancing does not support maximumPercent <= 100 % as deployment "
        "configuration.",
    )
    app.update_service(
        service="s",
        availabilityZoneRebalancing="DISABLED",
        deploymentConfiguration=configuration,
    )
    assert service(app, "s")["availabilityZoneRebalancing"] == "DISABLED"
