"""Services (ecs-facts 7)."""

from __future__ import annotations

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
from api_steps import wait_stable

from pytest_kecs.admin import AdminClient

CLIENT = "ClientException"
INVALID = "InvalidParameterException"


@pytest.fixture
def app(ecs: Any) -> str:
    ecs.create_cluster()
    return register(ecs, "app", container(command=SLEEP))


@pytest.fixture
def web(ecs: Any, app: str) -> str:
    """A stable service of one task."""
    ecs.create_service(serviceName="web", taskDefinition=app, desiredCount=1)
    wait_stable(ecs, "web")
    return "web"


def create(ecs: Any, **params: Any) -> Any:
    return ecs.create_service(
        **{"serviceName": "web", "taskDefinition": "app", "desiredCount": 0, **params}
    )["service"]


def test_order_of_checks(ecs: Any, app: str) -> None:
    """Cluster, definition, counts, network, strategy (ecs-facts 7.1)."""
    register_fargate(ecs, "far")
    wrong: dict[str, Any] = {
        "serviceName": "web",
        "cluster": "ghost",
        "taskDefinition": "ghost",
        "desiredCount": -1,
        "schedulingStrategy": "CHAOS",
    }
    call = ecs.create_service
    assert refusal(call, **wrong) == ("ClusterNotFoundException", "Cluster not found.")
    del wrong["cluster"]
    assert refusal(call, **wrong) == (CLIENT, "TaskDefinition not found.")
    wrong["taskDefinition"] = "far"
    assert refusal(call, **wrong) == (INVALID, "DesiredCount can not be lesser than 0")
    del wrong["desiredCount"]
    assert refusal(call, **wrong) == (INVALID, "DesiredCount is missing")
    wrong["desiredCount"] = 1
    assert refusal(call, **wrong)[1].startswith("Network Configuration must be provided")
    wrong["networkConfiguration"] = NETWORK
    assert refusal(call, **wrong) == (
        INVALID,
        "Scheduling strategy should be one of [REPLICA,DAEMON]",
    )


@pytest.mark.parametrize(
    ("configuration", "text"),
    [
        ({"maximumPercent": 99}, "maximumPercent must be at least 100"),
        ({"minimumHealthyPercent": 101}, "minimumHealthyPercent must be at most 100"),
    ],
)
def test_percents(ecs: Any, app: str, configuration: dict[str, int], text: str) -> None:
    answer = refusal(
        ecs.create_service,
        serviceName="web",
        taskDefinition=app,
        desiredCount=0,
        deploymentConfiguration=configuration,
    )
    assert answer == (INVALID, text)


def test_rebalancing_needs_room(ecs: Any, app: str) -> None:
    answer = refusal(
        ecs.create_service,
        serviceName="web",
        taskDefinition=app,
        desiredCount=0,
        availabilityZoneRebalancing="ENABLED",
        deploymentConfiguration={"maximumPercent": 100},
    )
    assert answer == (
        INVALID,
        "Availability Zone Rebalancing does not support maximumPercent <= 100 % as deployment "
        "configuration.",
    )


def test_defaults(ecs: Any, app: str) -> None:
    made = create(ecs)
    [deployment] = made["deployments"]
    expected = {
        "serviceArn": "arn:aws:ecs:us-east-1:123456789012:service/default/web",
        "status": "ACTIVE",
        "desiredCount": 0,
        "runningCount": 0,
        "pendingCount": 0,
        "launchType": "EC2",
        "loadBalancers": [],
        "serviceRegistries": [],
        "placementConstraints": [],
        "placementStrategy": [],
        "events": [],
        "healthCheckGracePeriodSeconds": 0,
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "enableECSManagedTags": False,
        "propagateTags": "NONE",
        "enableExecuteCommand": False,
        "availabilityZoneRebalancing": "ENABLED",
        "resourceManagementType": "CUSTOMER",
        "createdBy": "arn:aws:iam::123456789012:root",
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
    }
    assert {name: made[name] for name in expected} == expected
    assert (deployment["status"], deployment["rolloutState"]) == ("PRIMARY", "IN_PROGRESS")
    assert deployment["rolloutStateReason"] == f"ECS deployment {deployment['id']} in progress."
    [revision] = made["currentServiceRevisions"]
    assert revision["arn"].endswith(f"/default/web/{deployment['id'].partition('/')[2]}")


def test_defaults_on_fargate(ecs: Any) -> None:
    ecs.create_cluster()
    register_fargate(ecs, "app")
    made = create(ecs, launchType="FARGATE", networkConfiguration=NETWORK)
    assert (made["platformVersion"], made["platformFamily"]) == ("LATEST", "Linux")
    assert made["deployments"][0]["platformVersion"] == "1.4.0"
    assert made["roleArn"].endswith("AWSServiceRoleForECS")


def test_names_in_use(ecs: Any, app: str, admin: AdminClient) -> None:
    create(ecs)
    call = ecs.create_service
    same = {"serviceName": "web", "taskDefinition": app, "desiredCount": 0}
    assert refusal(call, **same) == (INVALID, "Creation of service was not idempotent.")
    ecs.delete_service(service="web")
    seen(admin, lambda: service(ecs, "web")["status"] == "INACTIVE")
    assert create(ecs)["status"] == "ACTIVE"


def test_name_of_a_draining_service(ecs: Any) -> None:
    ecs.create_cluster()
    stubborn = container(command=["sh", "-c", "trap '' TERM; sleep 1000"], stopTimeout=2)
    register(ecs, "app", stubborn)
    create(ecs, desiredCount=1)
    wait_stable(ecs, "web")
    assert refusal(ecs.delete_service, service="web") == (
        INVALID,
        "The service cannot be stopped while it is scaled above 0.",
    )
    assert ecs.delete_service(service="web", force=True)["service"]["status"] == "DRAINING"
    # The shell may not have set its trap yet, and then the service is gone at once.
    if service(ecs, "web")["status"] == "DRAINING":
        answer = refusal(
            ecs.create_service, serviceName="web", taskDefinition="app", desiredCount=0
        )
        assert answer == (INVALID, "Unable to Start a service that is still Draining.")
        with pytest.raises(ecs.exceptions.ServiceNotActiveException) as caught:
            ecs.update_service(service="web", desiredCount=1)
        assert caught.value.response["Error"]["Message"] == "Service was not ACTIVE."


def test_client_token(ecs: Any, app: str) -> None:
    made = create(ecs, clientToken="t")
    assert create(ecs, clientToken="t")["createdAt"] == made["createdAt"]
    params = {"serviceName": "web", "taskDefinition": app, "desiredCount": 3, "clientToken": "t"}
    assert refusal(ecs.create_service, **params)[1] == "Creation of service was not idempotent."
    params["clientToken"] = "x" * 37
    assert refusal(ecs.create_service, **params) == (
        INVALID,
        "idempotency token longer than 36.",
    )


@pytest.mark.parametrize("call", ["update_service", "delete_service"])
def test_unknown_service(ecs: Any, app: str, call: str) -> None:
    code, _ = refusal(getattr(ecs, call), service="ghost")
    assert code == "ServiceNotFoundException"
    missing = ecs.describe_services(services=["ghost"])["failures"]
    arn = "arn:aws:ecs:us-east-1:123456789012:service/default/ghost"
    assert missing == [{"arn": arn, "reason": "MISSING"}]


def test_what_starts_a_deployment(ecs: Any, web: str) -> None:
    first = service(ecs, web)["deployments"][0]["id"]

    def deployments(**params: Any) -> int:
        answer = ecs.update_service(service=web, **params)["service"]
        count = len(answer["deployments"])
        wait_stable(ecs, web)
        return count

    assert deployments(desiredCount=2) == 1
    assert deployments(taskDefinition="app") == 1
    assert deployments(deploymentConfiguration={"maximumPercent": 150}) == 1
    assert deployments(healthCheckGracePeriodSeconds=5) == 1
    assert service(ecs, web)["deployments"][0]["id"] == first
    assert deployments(forceNewDeployment=True) == 2
    assert service(ecs, web)["deployments"][0]["id"] != first
    assert refusal(ecs.update_service, service=web, desiredCount=-1) == (
        INVALID,
        "Task count can not be lesser than 0",
    )


def test_events_of_a_life(ecs: Any, web: str, admin: AdminClient) -> None:
    deployment = service(ecs, web)["deployments"][0]["id"]
    [task] = ecs.list_tasks(serviceName=web)["taskArns"]
    name = f"(task {task.rpartition('/')[2]})"
    assert messages(service(ecs, web)) == [
        "has reached a steady state.",
        f"(deployment {deployment}) deployment completed.",
        f"has started 1 tasks: {name}.",
    ]
    ecs.update_service(service=web, desiredCount=0)
    seen(admin, lambda: messages(service(ecs, web))[0] == "has reached a steady state.")
    assert f"has stopped 1 running tasks: {name}." in messages(service(ecs, web))
    ecs.delete_service(service=web)
    seen(admin, lambda: service(ecs, web)["status"] == "INACTIVE")
    assert service(ecs, web)["events"] == []


def test_a_deleted_service_is_forgotten_after_an_hour(
    ecs: Any, app: str, admin: AdminClient
) -> None:
    create(ecs)
    ecs.delete_service(service="web")
    ecs.get_waiter("services_inactive").wait(services=["web"])
    admin.advance_clock(3700)
    assert ecs.describe_services(services=["web"])["failures"][0]["reason"] == "MISSING"


def test_list(ecs: Any, app: str, admin: AdminClient) -> None:
    for number in range(12):
        create(ecs, serviceName=f"web-{number:02}")
    first = ecs.list_services()
    assert len(first["serviceArns"]) == 10
    rest = ecs.list_services(nextToken=first["nextToken"])
    assert len(rest["serviceArns"]) == 2
    assert "nextToken" not in rest
    assert ecs.list_services(launchType="FARGATE")["serviceArns"] == []
    ecs.delete_service(service="web-00")
    assert len(ecs.list_services(maxResults=100)["serviceArns"]) == 11


def test_failed_starts_wait_longer_and_longer(ecs: Any, admin: AdminClient) -> None:
    ecs.create_cluster()
    register(ecs, "app", container(command=["no-such-program"]))
    create(ecs, desiredCount=1)
    for failures in (1, 2, 3):
        seen(
            admin,
            lambda count=failures: service(ecs, "web")["deployments"][0]["failedTasks"] >= count,
        )
    deployment = service(ecs, "web")["deployments"][0]
    assert deployment["failedTasks"] == 3
    assert deployment["rolloutState"] == "IN_PROGRESS"
    # The next try would come a second later by the realm's clock.
    admin.advance_clock(60)
    seen(admin, lambda: service(ecs, "web")["deployments"][0]["failedTasks"] == 4)


@pytest.mark.parametrize(
    "params",
    [
        {"deploymentController": {"type": "EXTERNAL"}},
        {"deploymentConfiguration": {"strategy": "CANARY"}},
        {"schedulingStrategy": "DAEMON", "desiredCount": None},
    ],
)
def test_what_is_not_there_yet_is_said(ecs: Any, app: str, params: dict[str, Any]) -> None:
    with pytest.raises(ecs.exceptions.ClientError) as caught:
        create(ecs, **params)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert ecs.list_services()["serviceArns"] == []


def test_tags_of_tasks(ecs: Any, app: str) -> None:
    create(
        ecs,
        desiredCount=1,
        propagateTags="SERVICE",
        enableECSManagedTags=True,
        tags=[{"key": "team", "value": "a"}],
    )
    wait_stable(ecs, "web")
    arns = ecs.list_tasks(serviceName="web")["taskArns"]
    [task] = ecs.describe_tasks(tasks=arns, include=["TAGS"])["tasks"]
    assert {tag["key"]: tag["value"] for tag in task["tags"]} == {
        "team": "a",
        "aws:ecs:clusterName": "default",
        "aws:ecs:serviceName": "web",
    }
