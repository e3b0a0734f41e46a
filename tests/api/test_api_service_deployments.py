"""Service deployments and revisions: List, Describe, Stop, Continue (ecs-facts 8.2-8.7)."""

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
from service_steps import INVALID
from service_steps import PREFIX
from service_steps import create

from pytest_kecs.admin import AdminClient
from pytest_kecs.errors import AdminError
from pytest_kecs.kecs import Kecs
from pytest_kecs.waiting import WaitError

REGISTRY = "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-1"

pytestmark = pytest.mark.documented

UNKNOWN = PREFIX + "service-deployment/default/s/" + "x" * 21


@pytest.fixture
def app(cluster: Any) -> Any:
    """A client in an account with a cluster and the families app, bad (never starts) and far."""
    register(cluster, "app", container(command=SLEEP))
    register(cluster, "bad", container(command=["no-such-program"]))
    return cluster


def listed(app: Any, **params: Any) -> list[Any]:
    return list(app.list_service_deployments(service="s", **params)["serviceDeployments"])


def deployment(app: Any, arn: str) -> Any:
    """A service deployment as it is described now."""
    answer = app.describe_service_deployments(serviceDeploymentArns=[arn])
    assert answer["failures"] == []
    return answer["serviceDeployments"][0]


def ended(app: Any, admin: AdminClient, arn: str) -> Any:
    """A service deployment once it has ended."""
    return seen(admin, lambda: (found := deployment(app, arn)).get("finishedAt") and found)


def test_what_a_deployment_tells(app: Any, admin: AdminClient) -> None:
    created = create(app, desiredCount=2)
    arn = created["currentServiceDeployment"]
    done = ended(app, admin, arn)
    assert "currentServiceDeployment" not in service(app, "s")
    assert done["createdAt"] <= done["startedAt"] <= done["finishedAt"] <= done["updatedAt"]
    for name in ("createdAt", "startedAt", "finishedAt", "updatedAt"):
        del done[name]
    revision = created["currentServiceRevisions"][0]["arn"]
    assert done == {
        "serviceDeploymentArn": arn,
        "serviceArn": created["serviceArn"],
        "clusterArn": created["clusterArn"],
        "status": "SUCCESSFUL",
        "sourceServiceRevisions": [],
        "targetServiceRevision": {
            "arn": revision,
            "requestedTaskCount": 2,
            "runningTaskCount": 2,
            "pendingTaskCount": 0,
        },
        "lifecycleStage": "CLEAN_UP",
        "deploymentConfiguration": created["deploymentConfiguration"],
        "deploymentCircuitBreaker": {"status": "DISABLED", "failureCount": 0, "threshold": 3},
        "alarms": {"status": "DISABLED", "alarmNames": [], "triggeredAlarmNames": []},
    }
    [brief] = listed(app)
    assert brief["targetServiceRevisionArn"] == revision
    assert (brief["serviceDeploymentArn"], brief["status"]) == (arn, "SUCCESSFUL")


def test_filters_and_pages(app: Any, admin: AdminClient) -> None:
    create(app)
    for _ in range(2):
        app.update_service(service="s", forceNewDeployment=True)
    wait_stable(app, "s")
    found = seen(admin, lambda: (all_ := listed(app))[0]["status"] == "SUCCESSFUL" and all_)
    assert [item["status"] for item in found[1:]] == ["STOPPED", "STOPPED"]
    created = [item["createdAt"] for item in found]
    assert created == sorted(created, reverse=True)
    assert listed(app, status=["SUCCESSFUL"]) == found[:1]
    assert listed(app, status=["PENDING", "STOPPED"]) == found[1:]
    # The model's times have milliseconds at most.
    assert listed(app, createdAt={"after": created[-1].timestamp() + 3600}) == []
    assert listed(app, createdAt={"before": created[-1].timestamp() + 3600}) == found
    first = app.list_service_deployments(service="s", maxResults=2)
    rest = listed(app, maxResults=2, nextToken=first["nextToken"])
    assert [*first["serviceDeployments"], *rest] == found
    assert refusal(app.list_service_deployments, service="s", maxResults=0)[0] == INVALID
    assert refusal(app.list_service_deployments, service="s", status=["X"])[0] == INVALID
    assert refusal(app.list_service_deployments, service="none")[0] == "ServiceNotFoundException"


def test_kept_for_ninety_days(app: Any, admin: AdminClient) -> None:
    arn = create(app)["currentServiceDeployment"]
    ended(app, admin, arn)
    admin.advance_clock(89 * 86400)
    assert len(listed(app)) == 1
    admin.advance_clock(2 * 86400)
    assert listed(app) == []
    answer = app.describe_service_deployments(serviceDeploymentArns=[arn])
    assert answer["failures"] == [{"arn": arn, "reason": "MISSING"}]


def test_which_arns_are_described(app: Any) -> None:
    arn = create(app)["currentServiceDeployment"]
    call = app.describe_service_deployments
    answer = call(serviceDeploymentArns=[arn, UNKNOWN, arn])
    assert len(answer["serviceDeployments"]) == 1
    assert answer["failures"] == [{"arn": UNKNOWN, "reason": "MISSING"}]
    for arns in (
        [],
        [arn] * 21,
        ["s"],
        [PREFIX + "service-deployment/s/x"],
        [PREFIX + "service/s"],
    ):
        assert refusal(call, serviceDeploymentArns=arns)[0] == INVALID


@pytest.mark.captured
def test_revisions(app: Any) -> None:
    register_fargate(app, "far")
    created = create(
        app,
        taskDefinition="far",
        launchType="FARGATE",
        networkConfiguration=NETWORK,
    )
    arn = created["currentServiceRevisions"][0]["arn"]
    number = created["deployments"][0]["id"].removeprefix("ecs-svc/")
    assert arn == PREFIX + f"service-revision/default/s/{number}"
    unknown = PREFIX + "service-revision/default/s/" + "1" * 19
    answer = app.describe_service_revisions(serviceRevisionArns=[arn, unknown, unknown])
    assert answer["failures"] == [{"arn": unknown, "reason": "MISSING"}] * 2
    [revision] = answer["serviceRevisions"]
    assert revision.pop("createdAt") == created["deployments"][0]["createdAt"]
    assert revision == {
        "serviceRevisionArn": arn,
        "serviceArn": created["serviceArn"],
        "clusterArn": created["clusterArn"],
        "taskDefinition": PREFIX + "task-definition/far:1",
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "loadBalancers": [],
        "serviceRegistries": [],
        "networkConfiguration": NETWORK,
        "containerImages": [{"containerName": "app", "image": "busybox:1.36"}],
        "guardDutyEnabled": False,
        "resolvedConfiguration": {"loadBalancers": []},
    }
    other = PREFIX + "service-revision/default/other/" + "1" * 19
    assert refusal(app.describe_service_revisions, serviceRevisionArns=[arn, other]) == (
        INVALID,
        "Cross service requests are not allowed. All requested service revisions must be for a "
        "single service",
    )
    app.delete_service(service="s", force=True)
    app.get_waiter("services_inactive").wait(services=["s"])
    assert refusal(app.describe_service_revisions, serviceRevisionArns=[arn]) == (
        INVALID,
        "Cannot call DescribeServiceRevisions for a service that is INACTIVE",
    )


@pytest.mark.captured
def test_the_circuit_breaker_rolls_back(app: Any, admin: AdminClient) -> None:
    breaker = {"enable": True, "rollback": True}
    create(app, deploymentConfiguration={"deploymentCircuitBreaker": breaker})
    wait_stable(app, "s")
    old = service(app, "s")["deployments"][0]["id"]
    updated = app.update_service(service="s", taskDefinition="bad")["service"]
    new = updated["deployments"][0]["id"]
    arn = updated["currentServiceDeployment"]
    seen(admin, lambda: deployment(app, arn)["deploymentCircuitBreaker"]["failureCount"])
    assert deployment(app, arn)["deploymentCircuitBreaker"]["threshold"] == 3
    done = ended(app, admin, arn)
    assert done["status"] == "ROLLBACK_SUCCESSFUL"
    assert done["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    described = service(app, "s")
    [primary] = described["deployments"]
    assert primary["id"] not in (old, new)
    assert primary["taskDefinition"] == PREFIX + "task-definition/app:1"
    assert primary["rolloutState"] == "COMPLETED"
    revision = described["currentServiceRevisions"][0]["arn"]
    assert done["rollback"]["serviceRevisionArn"] == revision
    texts = messages(described)
    failed = texts.index(f"(deployment {new}) deployment failed: tasks failed to start.")
    assert texts[failed - 1] == f"rolling back to deployment {old}."


def test_the_circuit_breaker_without_rollback(app: Any, admin: AdminClient) -> None:
    breaker = {
        "enable": True,
        "rollback": False,
        "thresholdConfiguration": {"type": "COUNT", "value": 1},
    }
    configuration = {"deploymentCircuitBreaker": breaker}
    created = create(app, taskDefinition="bad", deploymentConfiguration=configuration)
    done = ended(app, admin, created["currentServiceDeployment"])
    assert done["status"] == "STOPPED"
    assert done["stoppedAt"] == done["finishedAt"]
    [primary] = service(app, "s")["deployments"]
    assert (primary["rolloutState"], primary["rolloutStateReason"]) == (
        "FAILED",
        "ECS deployment circuit breaker: tasks failed to start.",
    )
    assert primary["failedTasks"] == 1
    with pytest.raises(WaitError, match=r"its deployment has FAILED .*: tasks failed to start"):
        Kecs(app, admin).wait_stable("s")


def test_an_alarm_stops_a_deployment(app: Any, admin: AdminClient) -> None:
    alarms = {"enable": True, "rollback": True, "alarmNames": ["errors"]}
    configuration = {"alarms": alarms, "bakeTimeInMinutes": 5}
    created = create(app, deploymentConfiguration=configuration)
    arn = created["currentServiceDeployment"]
    seen(admin, lambda: deployment(app, arn).get("lifecycleStage") == "BAKE_TIME")
    assert deployment(app, arn)["alarms"]["status"] == "MONITORING"
    admin.advance_clock(300)
    assert ended(app, admin, arn)["alarms"]["status"] == "MONITORING_COMPLETE"
    arn = app.update_service(service="s", forceNewDeployment=True)["service"][
        "currentServiceDeployment"
    ]
    seen(admin, lambda: deployment(app, arn)["status"] == "IN_PROGRESS")
    admin.set_alarm("errors", "ALARM")
    seen(admin, lambda: deployment(app, arn)["status"] == "ROLLBACK_IN_PROGRESS")
    described = deployment(app, arn)
    assert described["alarms"] == {
        "status": "TRIGGERED",
        "alarmNames": ["errors"],
        "triggeredAlarmNames": ["errors"],
    }
    assert ended(app, admin, arn)["status"] == "ROLLBACK_SUCCESSFUL"


def test_stop(app: Any, admin: AdminClient) -> None:
    stop = app.stop_service_deployment
    arn = create(app)["currentServiceDeployment"]
    assert refusal(stop, serviceDeploymentArn=UNKNOWN)[0] == "ServiceDeploymentNotFoundException"
    assert refusal(stop, serviceDeploymentArn="s")[0] == INVALID
    assert refusal(stop, serviceDeploymentArn=arn)[0] == "ConflictException"
    ended(app, admin, arn)
    assert refusal(stop, serviceDeploymentArn=arn)[0] == "ConflictException"
    arn = app.update_service(service="s", taskDefinition="bad")["service"][
        "currentServiceDeployment"
    ]
    assert stop(serviceDeploymentArn=arn)["serviceDeploymentArn"] == arn
    # While it is rolled back another request changes nothing.
    assert deployment(app, arn)["status"] in ("ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")
    stop(serviceDeploymentArn=arn)
    assert ended(app, admin, arn)["status"] == "ROLLBACK_SUCCESSFUL"
    assert service(app, "s")["taskDefinition"] == PREFIX + "task-definition/app:1"
    arn = app.update_service(service="s", taskDefinition="bad")["service"][
        "currentServiceDeployment"
    ]
    stop(serviceDeploymentArn=arn, stopType="ABORT")
    assert ended(app, admin, arn)["status"] == "STOPPED"
    assert service(app, "s")["deployments"][0]["rolloutState"] == "FAILED"
    assert service(app, "s")["runningCount"] == 1


def test_continue(app: Any, admin: AdminClient) -> None:
    hook = {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP", "POST_SCALE_UP"]}
    created = create(app, deploymentConfiguration={"lifecycleHooks": [hook]})
    arn = created["currentServiceDeployment"]

    def waiting(stage: str) -> Any:
        found = deployment(app, arn)
        hooks = found.get("lifecycleHookDetails", [])
        is_there = found.get("lifecycleStage") == stage and hooks
        return is_there and hooks[-1]["status"] == "AWAITING_ACTION" and hooks[-1]

    first = seen(admin, lambda: waiting("PRE_SCALE_UP"))
    assert (first["targetType"], first["timeoutAction"]) == ("PAUSE", "ROLLBACK")
    assert service(app, "s")["pendingCount"] == service(app, "s")["runningCount"] == 0
    go_on = app.continue_service_deployment
    assert refusal(go_on, serviceDeploymentArn=arn, hookId="x")[0] == INVALID
    unknown = refusal(go_on, serviceDeploymentArn=UNKNOWN, hookId=first["hookId"])
    assert unknown[0] == "ServiceDeploymentNotFoundException"
    assert go_on(serviceDeploymentArn=arn, hookId=first["hookId"])["serviceDeploymentArn"] == arn
    assert refusal(go_on, serviceDeploymentArn=arn, hookId=first["hookId"])[0] == INVALID
    second = seen(admin, lambda: waiting("POST_SCALE_UP"))
    assert service(app, "s")["runningCount"] == 1
    go_on(serviceDeploymentArn=arn, hookId=second["hookId"], action="CONTINUE")
    assert ended(app, admin, arn)["status"] == "SUCCESSFUL"
    arn = app.update_service(service="s", forceNewDeployment=True)["service"][
        "currentServiceDeployment"
    ]
    first = seen(admin, lambda: waiting("PRE_SCALE_UP"))
    go_on(serviceDeploymentArn=arn, hookId=first["hookId"], action="ROLLBACK")
    assert ended(app, admin, arn)["status"] == "ROLLBACK_SUCCESSFUL"


def test_a_deleted_service_ends_its_deployment(app: Any, admin: AdminClient) -> None:
    arn = create(app, taskDefinition="bad")["currentServiceDeployment"]
    app.delete_service(service="s", force=True)
    assert ended(app, admin, arn)["status"] == "STOPPED"


@pytest.mark.inferred
@pytest.mark.parametrize(
    "configuration",
    [
        {"bakeTimeInMinutes": 1441},
        {"canaryConfiguration": {"canaryPercent": 5.0}},
        {"alarms": {"enable": True, "rollback": False, "alarmNames": []}},
        {"lifecycleHooks": [{"targetType": "PAUSE"}]},
        {"lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["TEST_TRAFFIC_SHIFT"]}]},
        {
            "deploymentCircuitBreaker": {
                "enable": True,
                "rollback": True,
                "thresholdConfiguration": {"type": "COUNT", "value": 0},
            }
        },
        {"earlySuccessCriteria": {"enable": True}},
        {
            "earlySuccessCriteria": {
                "enable": True,
                "healthyPercent": 50,
                "sourceServiceRevisionCleanup": "BLOCKING",
            }
        },
    ],
    ids=str,
)
def test_configurations_that_are_refused(app: Any, configuration: dict[str, Any]) -> None:
    request = {"serviceName": "s", "taskDefinition": "app", "desiredCount": 1}
    answer = refusal(app.create_service, **request, deploymentConfiguration=configuration)
    assert answer[0] == INVALID


def test_services_by_namespace(app: Any) -> None:
    def connected(name: str, cluster: str = "default", **connect: Any) -> None:
        create(
            app,
            name,
            cluster=cluster,
            desiredCount=0,
            serviceConnectConfiguration={"enabled": True, **connect},
        )

    app.create_cluster(clusterName="other", serviceConnectDefaults={"namespace": "internal"})
    connected("named", namespace="internal")
    connected("by-default", "other")
    connected("elsewhere", namespace="external")
    create(app, "none", desiredCount=0)
    call = app.list_services_by_namespace
    first = call(namespace="internal", maxResults=1)
    rest = call(namespace="internal", nextToken=first["nextToken"])
    names = [arn.rpartition("/")[2] for arn in first["serviceArns"] + rest["serviceArns"]]
    assert sorted(names) == ["by-default", "named"]
    assert call(namespace="unknown")["serviceArns"] == []
    app.update_service(
        service="named", serviceConnectConfiguration={"enabled": True, "namespace": "external"}
    )
    app.delete_service(service="elsewhere")
    assert [arn.rpartition("/")[2] for arn in call(namespace="external")["serviceArns"]] == [
        "named"
    ]
    assert [arn.rpartition("/")[2] for arn in call(namespace="internal")["serviceArns"]] == [
        "by-default"
    ]
    for bad in ("", "a/b c", "arn:aws:ecs:us-east-1:123456789012:cluster/default"):
        assert refusal(call, namespace=bad)[0] == INVALID


@pytest.mark.inferred
@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"containerName": "x", "containerPort": 80, "targetGroupArn": "t"},
            "The container x does not exist in the task definition.",
        ),
        (
            {"containerName": "app", "containerPort": 81, "targetGroupArn": "t"},
            "The container app did not have a container port 81 defined.",
        ),
        ({"containerName": "app", "containerPort": 80}, None),
    ],
)
def test_balancers_that_are_refused(app: Any, params: dict[str, Any], message: str | None) -> None:
    register(app, "web", container(portMappings=[{"containerPort": 80}]))
    request = {"serviceName": "s", "taskDefinition": "web", "desiredCount": 0}
    code, text = refusal(app.create_service, **request, loadBalancers=[params])
    assert code == INVALID
    assert message in (None, text)


@pytest.mark.inferred
@pytest.mark.parametrize(
    ("registry", "message"),
    [
        ({"registryArn": "x"}, "Invalid arn syntax."),
        ({"registryArn": REGISTRY, "port": 80, "containerName": "app"}, None),
        ({"registryArn": REGISTRY}, None),
        (
            {"registryArn": REGISTRY, "containerName": "app", "containerPort": 81},
            "The container app did not have a container port 81 defined.",
        ),
    ],
)
def test_registries_that_are_refused(
    app: Any, registry: dict[str, Any], message: str | None
) -> None:
    register(app, "web", container(portMappings=[{"containerPort": 80}]))
    request = {"serviceName": "s", "taskDefinition": "web", "desiredCount": 0}
    code, text = refusal(app.create_service, **request, serviceRegistries=[registry])
    assert code == INVALID
    assert message in (None, text)


@pytest.mark.inferred
@pytest.mark.parametrize(
    "service",
    [
        {"clientAliases": [{"port": 80}, {"port": 81}]},
        {"clientAliases": [{"port": 0}]},
        {"clientAliases": [{"port": 80, "dnsName": "a\n1.2.3.4 b"}]},
        {"clientAliases": [{"port": 80, "dnsName": "Backend"}]},
        {"discoveryName": "-x"},
    ],
    ids=str,
)
def test_aliases_that_are_refused(app: Any, service: dict[str, Any]) -> None:
    register(app, "web", container(portMappings=[{"containerPort": 80, "name": "http"}]))
    request = {"serviceName": "s", "taskDefinition": "web", "desiredCount": 0}
    services = [{"portName": "http", **service}]
    connect = {"enabled": True, "namespace": "internal", "services": services}
    answer = refusal(app.create_service, **request, serviceConnectConfiguration=connect)
    assert answer[0] == INVALID


@pytest.mark.ours
def test_names_of_registries(admin: AdminClient) -> None:
    admin.set_registry(REGISTRY, "db.internal")
    with pytest.raises(AdminError, match="named by the ARN of a service of Cloud Map"):
        admin.set_registry("x", "db.internal")
    with pytest.raises(AdminError, match="a registry has the name of a host"):
        admin.set_registry(REGISTRY, "a b")
