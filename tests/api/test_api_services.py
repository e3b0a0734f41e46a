"""Services: what is refused, defaults, describing, updating, deleting (ecs-facts 7)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from api_steps import NETWORK
from api_steps import SLEEP
from api_steps import container
from api_steps import messages
from api_steps import refusal
from api_steps import register
from api_steps import register_fargate
from api_steps import seen
from api_steps import service
from api_steps import task
from api_steps import wait_stable
from botocore.exceptions import ClientError

from pytest_kecs.admin import AdminClient

INVALID = "InvalidParameterException"
CLIENT = "ClientException"
PREFIX = "arn:aws:ecs:us-east-1:123456789012:"

ERRORS: list[tuple[str, dict[str, Any], str, str]] = [
    (
        # In the order in which they are looked at.
        "cluster",
        {"cluster": "none", "taskDefinition": "none", "desiredCount": -1},
        "ClusterNotFoundException",
        "Cluster not found.",
    ),
    (
        "definition",
        {"taskDefinition": "none", "desiredCount": -1},
        CLIENT,
        "TaskDefinition not found.",
    ),
    ("inactive", {"taskDefinition": "old:1"}, CLIENT, "TaskDefinition is inactive"),
    ("no count", {"desiredCount": None}, INVALID, "DesiredCount is missing"),
    (
        "negative count, no network, no strategy",
        {"taskDefinition": "far", "desiredCount": -1, "schedulingStrategy": "X"},
        INVALID,
        "DesiredCount can not be lesser than 0",
    ),
    (
        "no network, no strategy",
        {"taskDefinition": "far", "schedulingStrategy": "X"},
        INVALID,
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
    ),
    (
        "strategy",
        {"schedulingStrategy": "X"},
        INVALID,
        "Scheduling strategy should be one of [REPLICA,DAEMON]",
    ),
    (
        "daemon with count",
        {"schedulingStrategy": "DAEMON"},
        INVALID,
        "The daemon scheduling strategy does not support a desired count for services. Remove the "
        "desired count value and try again",
    ),
    (
        "maximum",
        {"deploymentConfiguration": {"maximumPercent": 99}},
        INVALID,
        "maximumPercent must be at least 100",
    ),
    (
        "minimum",
        {"deploymentConfiguration": {"minimumHealthyPercent": 101}},
        INVALID,
        "minimumHealthyPercent must be at most 100",
    ),
    (
        "rebalancing",
        {
            "availabilityZoneRebalancing": "ENABLED",
            "deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 0},
        },
        INVALID,
        "Availability Zone Rebalancing does not support maximumPercent <= 100 % as deployment "
        "configuration.",
    ),
    (
        "token",
        {"clientToken": "x" * 37},
        INVALID,
        "idempotency token longer than 36.",
    ),
    (
        "port of Service Connect",
        {
            "serviceConnectConfiguration": {
                "enabled": True,
                "services": [{"portName": "http"}],
            }
        },
        INVALID,
        "portName(http) does not refer to any named PortMapping in the container definitions",
    ),
    (
        "grace period",
        {"healthCheckGracePeriodSeconds": 5},
        INVALID,
        "Health check grace period is only valid for services configured to use load balancers",
    ),
    (
        "platform",
        {
            "taskDefinition": "far",
            "launchType": "FARGATE",
            "networkConfiguration": NETWORK,
            "platformVersion": "0.0.1",
        },
        "PlatformUnknownException",
        "The specified platform does not exist.",
    ),
    (
        "not for FARGATE",
        {"launchType": "FARGATE"},
        INVALID,
        "Task definition does not support launch_type FARGATE.",
    ),
]


@pytest.fixture
def app(cluster: Any) -> Any:
    """A client in an account with a cluster and the families app, far and old (INACTIVE)."""
    register(cluster, "app", container(command=SLEEP))
    register_fargate(cluster, "far")
    register(cluster, "old")
    cluster.deregister_task_definition(taskDefinition="old:1")
    return cluster


def create(app: Any, name: str = "s", **params: Any) -> Any:
    request = {"serviceName": name, "taskDefinition": "app", "desiredCount": 1, **params}
    return app.create_service(**request)["service"]


@pytest.mark.parametrize(
    ("params", "code", "message"), [pytest.param(*row[1:], id=row[0]) for row in ERRORS]
)
def test_refused(app: Any, params: dict[str, Any], code: str, message: str) -> None:
    request = {"serviceName": "s", "taskDefinition": "app", "desiredCount": 1, **params}
    request = {name: value for name, value in request.items() if value is not None}
    assert refusal(app.create_service, **request) == (code, message)
    assert app.list_services()["serviceArns"] == []


@pytest.mark.parametrize("name", ["", "a b", "a/b", "é", "x" * 256])
def test_bad_names(app: Any, name: str) -> None:
    request = {"serviceName": name, "taskDefinition": "app", "desiredCount": 1}
    assert refusal(app.create_service, **request)[0] == INVALID


@pytest.mark.parametrize(
    "params",
    [
        {"deploymentController": {"type": "EXTERNAL"}, "taskDefinition": None},
        {"deploymentController": {"type": "CODE_DEPLOY"}},
        {"deploymentConfiguration": {"strategy": "BLUE_GREEN"}},
        {"schedulingStrategy": "DAEMON", "desiredCount": None},
    ],
    ids=str,
)
def test_not_there_yet(app: Any, params: dict[str, Any]) -> None:
    request = {"serviceName": "s", "taskDefinition": "app", "desiredCount": 1, **params}
    request = {name: value for name, value in request.items() if value is not None}
    with pytest.raises(ClientError) as caught:
        app.create_service(**request)
    answer = caught.value.response
    assert answer["Error"]["Code"] == "NotImplementedException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert answer["Error"]["Message"]


def test_what_create_returns(app: Any) -> None:
    created = create(app)
    created_at = created.pop("createdAt")
    deployment = created["deployments"][0]
    number = deployment["id"].removeprefix("ecs-svc/")
    assert re.fullmatch(r"\d{19}", number)
    assert created == {
        "serviceArn": PREFIX + "service/default/s",
        "serviceName": "s",
        "clusterArn": PREFIX + "cluster/default",
        "loadBalancers": [],
        "serviceRegistries": [],
        "status": "ACTIVE",
        "desiredCount": 1,
        "runningCount": 0,
        "pendingCount": 0,
        "launchType": "EC2",
        "taskDefinition": PREFIX + "task-definition/app:1",
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {
                "enable": False,
                "rollback": False,
                "resetOnHealthyTask": True,
                "thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50},
            },
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
            "strategy": "ROLLING",
            "bakeTimeInMinutes": 0,
        },
        "deployments": [
            {
                "id": deployment["id"],
                "status": "PRIMARY",
                "taskDefinition": PREFIX + "task-definition/app:1",
                "desiredCount": 1,
                "pendingCount": 0,
                "runningCount": 0,
                "failedTasks": 0,
                "createdAt": created_at,
                "updatedAt": created_at,
                "launchType": "EC2",
                "rolloutState": "IN_PROGRESS",
                "rolloutStateReason": f"ECS deployment {deployment['id']} in progress.",
            }
        ],
        "events": [],
        "currentServiceRevisions": [
            {
                "arn": PREFIX + f"service-revision/default/s/{number}",
                "requestedTaskCount": 1,
                "runningTaskCount": 0,
                "pendingTaskCount": 0,
            }
        ],
        "placementConstraints": [],
        "placementStrategy": [],
        "healthCheckGracePeriodSeconds": 0,
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "createdBy": "arn:aws:iam::123456789012:root",
        "enableECSManagedTags": False,
        "propagateTags": "NONE",
        "enableExecuteCommand": False,
        "availabilityZoneRebalancing": "ENABLED",
        "resourceManagementType": "CUSTOMER",
        "tags": [],
    }


def test_fargate(app: Any) -> None:
    created = create(app, taskDefinition="far", launchType="FARGATE", networkConfiguration=NETWORK)
    assert (created["platformVersion"], created["platformFamily"]) == ("LATEST", "Linux")
    assert created["deployments"][0]["platformVersion"] == "1.4.0"
    assert created["roleArn"].endswith(
        ":role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
    )
    assert created["networkConfiguration"] == NETWORK
    wait_stable(app, "s")
    (arn,) = app.list_tasks(serviceName="s")["taskArns"]
    assert task(app, arn)["launchType"] == "FARGATE"


def test_no_rebalancing_where_there_is_no_room(app: Any) -> None:
    created = create(app, deploymentConfiguration={"maximumPercent": 100})
    assert created["availabilityZoneRebalancing"] == "DISABLED"


def test_name_in_use(app: Any) -> None:
    create(app)
    request = {"serviceName": "s", "taskDefinition": "app", "desiredCount": 1}
    assert refusal(app.create_service, **request) == (
        INVALID,
        "Creation of service was not idempotent.",
    )


def test_token(app: Any) -> None:
    first = create(app, clientToken="x" * 36)
    wait_stable(app, "s")
    again = create(app, clientToken="x" * 36)
    assert again["serviceArn"] == first["serviceArn"]
    assert again["runningCount"] == 1
    request = {"serviceName": "s", "taskDefinition": "app", "desiredCount": 2}
    assert refusal(app.create_service, **request, clientToken="x" * 36) == (
        INVALID,
        "Creation of service was not idempotent.",
    )


def test_name_of_a_draining_service(app: Any) -> None:
    stubborn = ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"]
    register(app, "slow", container(command=stubborn, stopTimeout=2))
    create(app, taskDefinition="slow")
    wait_stable(app, "s")
    app.delete_service(service="s", force=True)
    request = {"serviceName": "s", "taskDefinition": "app", "desiredCount": 1}
    assert refusal(app.create_service, **request) == (
        INVALID,
        "Unable to Start a service that is still Draining.",
    )
    assert refusal(app.update_service, service="s", desiredCount=2) == (
        "ServiceNotActiveException",
        "Service was not ACTIVE.",
    )
    assert service(app, "s")["status"] == "DRAINING"
    assert app.delete_service(service="s")["service"]["status"] == "DRAINING"


def test_describe(app: Any) -> None:
    arn = create(app, tags=[{"key": "a", "value": "b"}])["serviceArn"]
    answer = app.describe_services(services=["s", arn, "none", arn.replace("/s", "/none")])
    assert [item["serviceArn"] for item in answer["services"]] == [arn]
    assert answer["services"][0]["tags"] == []
    assert answer["failures"] == [{"arn": arn.replace("/s", "/none"), "reason": "MISSING"}]
    assert service(app, arn)["tags"] == [{"key": "a", "value": "b"}]
    assert refusal(app.describe_services, services=[])[0] == INVALID
    assert refusal(app.describe_services, services=["s"] * 11)[0] == INVALID
    other = PREFIX + "service/other/s"
    assert refusal(app.describe_services, services=[other]) == (
        INVALID,
        "Identifier is for other. Your cluster is default",
    )


def test_list(app: Any) -> None:
    create(app, "a", desiredCount=0)
    create(
        app,
        "b",
        desiredCount=0,
        taskDefinition="far",
        launchType="FARGATE",
        networkConfiguration=NETWORK,
    )

    def listed(**params: Any) -> list[str]:
        arns = app.list_services(**params)["serviceArns"]
        return [arn.rpartition("/")[2] for arn in arns]

    assert listed() == ["a", "b"]
    assert listed(launchType="FARGATE") == ["b"]
    assert listed(schedulingStrategy="REPLICA") == ["a", "b"]
    assert listed(schedulingStrategy="DAEMON") == []
    assert refusal(app.list_services, schedulingStrategy="X")[0] == INVALID
    app.delete_service(service="a")
    assert listed() == ["b"]
    for number in range(12):
        create(app, f"c{number}", desiredCount=0)
    # Ten to a page, where others have a hundred.
    first = app.list_services()
    assert len(first["serviceArns"]) == 10
    assert len(app.list_services(nextToken=first["nextToken"])["serviceArns"]) == 3


def test_unknown_service(app: Any) -> None:
    for reference in ("none", PREFIX + "service/default/none"):
        assert refusal(app.update_service, service=reference) == (
            "ServiceNotFoundException",
            "Service not found.",
        )
        with pytest.raises(ClientError) as caught:
            app.delete_service(service=reference)
        error = caught.value.response["Error"]
        assert error["Code"] == "ServiceNotFoundException"
        # Here ECS sends no message at all (ecs-facts 7.5).
        assert not error.get("Message")


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
        {"placementStrategy": [{"type": "random"}]},
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


def test_nothing_is_changed_by_an_update_that_is_refused(app: Any) -> None:
    create(app)
    wait_stable(app, "s")
    before = service(app, "s")
    for params in (
        {"desiredCount": 5, "deploymentConfiguration": {"maximumPercent": 1}},
        {"desiredCount": 5, "taskDefinition": "none"},
        {"desiredCount": 5, "networkConfiguration": NETWORK},
    ):
        refusal(app.update_service, service="s", **params)
    assert service(app, "s") == before


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


def test_delete(app: Any, admin: AdminClient) -> None:
    create(app)
    wait_stable(app, "s")
    assert refusal(app.delete_service, service="s") == (
        INVALID,
        "The service cannot be stopped while it is scaled above 0.",
    )
    (arn,) = app.list_tasks(serviceName="s")["taskArns"]
    deleted = app.delete_service(service="s", force=True)["service"]
    assert (deleted["status"], deleted["desiredCount"]) == ("DRAINING", 0)
    app.get_waiter("services_inactive").wait(services=["s"])
    described = service(app, "s")
    assert described["status"] == "INACTIVE"
    assert (described["events"], described["deployments"]) == ([], [])
    ended = task(app, arn)
    assert ended["stopCode"] == "ServiceSchedulerInitiated"
    with pytest.raises(ClientError):
        app.delete_service(service="s")
    # Its name is free again.
    assert create(app)["status"] == "ACTIVE"


def test_events_of_scaling_in(app: Any, admin: AdminClient) -> None:
    create(app)
    wait_stable(app, "s")
    (arn,) = app.list_tasks(serviceName="s")["taskArns"]
    app.update_service(service="s", desiredCount=0)
    seen(admin, lambda: messages(service(app, "s"))[0] == "has reached a steady state.")
    stopped = f"has stopped 1 running tasks: (task {arn.rpartition('/')[2]})."
    assert stopped in messages(service(app, "s"))


def test_delete_when_scaled_to_nothing(app: Any, admin: AdminClient) -> None:
    create(app, desiredCount=0)
    app.delete_service(service="s")
    seen(admin, lambda: service(app, "s")["status"] == "INACTIVE")
    admin.advance_clock(3601)
    failures = app.describe_services(services=["s"])["failures"]
    assert [failure["reason"] for failure in failures] == ["MISSING"]


def test_tags_of_tasks(app: Any) -> None:
    register(app, "app", container(command=SLEEP), tags=[{"key": "d", "value": "1"}])
    tags = [{"key": "s", "value": "1"}]
    managed = [
        {"key": "aws:ecs:clusterName", "value": "default"},
        {"key": "aws:ecs:serviceName", "value": "one"},
    ]
    create(app, "one", tags=tags, propagateTags="SERVICE", enableECSManagedTags=True)
    create(app, "two", tags=tags, propagateTags="TASK_DEFINITION")
    create(app, "three", tags=tags)
    wait_stable(app, "one", "two", "three")
    expected = {"one": tags + managed, "two": [{"key": "d", "value": "1"}], "three": []}
    for name, wanted in expected.items():
        (arn,) = app.list_tasks(serviceName=name)["taskArns"]
        assert task(app, arn)["tags"] == wanted
    app.update_service(service="three", propagateTags="SERVICE", forceNewDeployment=True)
    wait_stable(app, "three")
    (arn,) = app.list_tasks(serviceName="three")["taskArns"]
    assert task(app, arn)["tags"] == tags


def test_more_tasks_than_a_service_may_have(ecs: Any, cluster: Any) -> None:
    register(ecs)
    call = ecs.create_service
    many = {"serviceName": "web", "taskDefinition": "app", "desiredCount": 1_000_000_000}
    assert refusal(call, **many)[0] == "InvalidParameterException"
    call(serviceName="web", taskDefinition="app", desiredCount=0)
    answer = refusal(ecs.update_service, service="web", desiredCount=5001)
    assert answer[0] == "InvalidParameterException"
