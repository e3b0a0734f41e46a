"""Task sets: made, scaled, made primary, deleted, described (ecs-facts 9)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from api_steps import NETWORK
from api_steps import SLEEP
from api_steps import Wait
from api_steps import container
from api_steps import messages
from api_steps import refusal
from api_steps import register
from api_steps import register_fargate
from api_steps import rows
from api_steps import service
from api_steps import task
from api_steps import wait_running
from service_steps import INVALID
from service_steps import PREFIX
from service_steps import create

pytestmark = pytest.mark.inferred

HERE = {"cluster": "default", "service": "s"}
BALANCER = {
    "targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/01",
    "containerName": "app",
    "containerPort": 80,
}
NO_TASK_SET = ("TaskSetNotFoundException", "The specified task set does not exist.")
NOT_IDEMPOTENT = (
    INVALID,
    "Arguments on this idempotent request are inconsistent with arguments used in previous "
    "request(s).",
)
UNKNOWN = "ecs-svc/0000000000000000001"


@pytest.fixture
def app(cluster: Any) -> Any:
    """A client in an account with the families app and far, and an EXTERNAL service of two."""
    register(cluster, "app", container(command=SLEEP, portMappings=[{"containerPort": 80}]))
    register_fargate(cluster, "far")
    cluster.create_service(
        serviceName="s", desiredCount=2, deploymentController={"type": "EXTERNAL"}
    )
    return cluster


def make(app: Any, **params: Any) -> Any:
    """A task set of the family app and of the service s, but for what `params` say."""
    return app.create_task_set(**{**HERE, "taskDefinition": "app", **params})["taskSet"]


def percent(value: float) -> Any:
    return {"value": value, "unit": "PERCENT"}


def described(app: Any, identifier: str) -> Any:
    (found,) = app.describe_task_sets(**HERE, taskSets=[identifier], include=["TAGS"])["taskSets"]
    return found


def is_steady(app: Any, identifier: str) -> bool:
    return bool(described(app, identifier)["stabilityStatus"] == "STEADY_STATE")


@pytest.mark.captured
def test_what_create_returns(app: Any) -> None:
    made = make(app, scale=percent(100))
    assert re.fullmatch(r"ecs-svc/\d{19}", made["id"])
    created_at = made["createdAt"]
    assert made == {
        "id": made["id"],
        "taskSetArn": PREFIX + f"task-set/default/s/{made['id']}",
        "serviceArn": PREFIX + "service/default/s",
        "clusterArn": PREFIX + "cluster/default",
        "status": "ACTIVE",
        "taskDefinition": PREFIX + "task-definition/app:1",
        "computedDesiredCount": 2,
        "pendingCount": 0,
        "runningCount": 0,
        "createdAt": created_at,
        "updatedAt": created_at,
        "launchType": "EC2",
        "loadBalancers": [],
        "serviceRegistries": [],
        "scale": {"value": 100.0, "unit": "PERCENT"},
        "stabilityStatus": "STABILIZING",
        "stabilityStatusAt": created_at,
        "tags": [],
    }


@pytest.mark.captured
def test_on_fargate(app: Any) -> None:
    made = make(app, taskDefinition="far", launchType="FARGATE", networkConfiguration=NETWORK)
    assert (made["platformVersion"], made["platformFamily"]) == ("1.4.0", "Linux")
    assert made["networkConfiguration"] == NETWORK


@pytest.mark.documented
def test_records(app: Any) -> None:
    registry = {
        "registryArn": "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-1",
        "containerName": "app",
        "containerPort": 80,
    }
    tags = [{"key": "a", "value": "b"}]
    made = make(
        app, externalId="x", loadBalancers=[BALANCER], serviceRegistries=[registry], tags=tags
    )
    assert made["externalId"] == "x"
    assert made["loadBalancers"] == [BALANCER]
    assert made["serviceRegistries"] == [registry]
    assert made["tags"] == tags
    assert "startedBy" not in made


@pytest.mark.documented
def test_without_scale_there_are_no_tasks(app: Any, wait_for: Wait) -> None:
    made = make(app)
    assert (made["scale"], made["computedDesiredCount"]) == (percent(0.0), 0)
    wait_for(lambda: is_steady(app, made["id"]))
    assert app.list_tasks()["taskArns"] == []


@pytest.mark.documented
def test_strategy_of_a_task_set(app: Any) -> None:
    app.put_cluster_capacity_providers(
        cluster="default", capacityProviders=["FARGATE_SPOT"], defaultCapacityProviderStrategy=[]
    )
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]
    made = make(
        app,
        taskDefinition="far",
        capacityProviderStrategy=strategy,
        networkConfiguration=NETWORK,
        scale=percent(50),
    )
    assert made["capacityProviderStrategy"] == strategy
    assert "launchType" not in made
    assert refusal(
        app.put_cluster_capacity_providers,
        cluster="default",
        capacityProviders=[],
        defaultCapacityProviderStrategy=[],
    ) == (
        "ResourceInUseException",
        "The specified capacity provider is in use and cannot be removed.",
    )


@pytest.mark.documented
def test_tasks_of_a_task_set(app: Any, wait_for: Wait) -> None:
    made = make(app, scale=percent(100))
    wait_for(lambda: is_steady(app, made["id"]))
    now = described(app, made["id"])
    assert (now["runningCount"], now["pendingCount"]) == (2, 0)
    assert now["stabilityStatusAt"] > made["stabilityStatusAt"]
    arns = app.list_tasks(startedBy=made["id"])["taskArns"]
    assert sorted(arns) == sorted(app.list_tasks(serviceName="s")["taskArns"])
    one = task(app, arns[0])
    assert (one["group"], one["startedBy"]) == ("service:s", made["id"])
    shown = service(app, "s")
    assert (shown["runningCount"], shown["deployments"]) == (2, [])
    assert shown["taskSets"] == [now]


def test_events(app: Any, wait_for: Wait) -> None:
    made = make(app, scale=percent(50))
    wait_for(lambda: len(service(app, "s")["events"]) == 3)
    (arn,) = app.list_tasks()["taskArns"]
    one = f"(service s, taskSet {made['id']})"
    assert [event["message"] for event in service(app, "s")["events"]] == [
        "(service s) has reached a steady state.",
        f"{one} has reached a steady state.",
        f"{one} has started 1 tasks: (task {arn.rpartition('/')[2]}).",
    ]


@pytest.mark.documented
def test_a_task_that_stops_is_replaced(app: Any, wait_for: Wait) -> None:
    made = make(app, scale=percent(50))
    wait_for(lambda: is_steady(app, made["id"]))
    (before,) = app.list_tasks()["taskArns"]
    app.stop_task(task=before)
    wait_for(lambda: app.list_tasks()["taskArns"] not in ([], [before]))
    (after,) = app.list_tasks()["taskArns"]
    wait_running(app, after)
    assert task(app, after)["startedBy"] == made["id"]


@pytest.mark.documented
def test_scale_and_desired_count(app: Any, wait_for: Wait) -> None:
    first = make(app, scale=percent(100))["id"]
    second = make(app, scale=percent(30))["id"]
    assert described(app, second)["computedDesiredCount"] == 1
    app.update_service(service="s", desiredCount=4)
    counts = [described(app, each)["computedDesiredCount"] for each in (first, second)]
    assert counts == [4, 2]
    scaled = app.update_task_set(**HERE, taskSet=first, scale=percent(12.5))["taskSet"]
    assert (scaled["scale"], scaled["computedDesiredCount"]) == (percent(12.5), 1)
    assert scaled["stabilityStatus"] == "STABILIZING"
    wait_for(lambda: is_steady(app, first) and is_steady(app, second))
    assert [len(app.list_tasks(startedBy=each)["taskArns"]) for each in (first, second)] == [1, 2]
    wait_for(lambda: service(app, "s")["runningCount"] == 3)


@pytest.mark.captured
def test_primary(app: Any) -> None:
    register(app, "app")
    first = make(app, taskDefinition="app:1")
    second = make(app, taskDefinition="far", launchType="FARGATE", networkConfiguration=NETWORK)
    before = service(app, "s")
    assert before["launchType"] == "EC2"
    assert not {"taskDefinition", "networkConfiguration", "platformVersion"} & before.keys()

    def states() -> list[str]:
        return [each["status"] for each in service(app, "s")["taskSets"]]

    assert states() == ["ACTIVE", "ACTIVE"]
    answer = app.update_service_primary_task_set(**HERE, primaryTaskSet=first["id"])["taskSet"]
    assert answer["status"] == "PRIMARY"
    assert service(app, "s")["taskDefinition"].endswith("/app:1")
    app.update_service_primary_task_set(**HERE, primaryTaskSet=second["taskSetArn"])
    assert states() == ["ACTIVE", "PRIMARY"]
    now = service(app, "s")
    assert now["taskDefinition"].endswith("/far:1")
    assert (now["launchType"], now["networkConfiguration"]) == ("FARGATE", NETWORK)
    assert refusal(app.delete_task_set, **HERE, taskSet=second["id"], force=True) == (
        INVALID,
        "Primary TaskSet cannot be deleted",
    )
    assert app.list_services(launchType="FARGATE")["serviceArns"] == [now["serviceArn"]]


@pytest.mark.documented
def test_deletion(app: Any, wait_for: Wait) -> None:
    made = make(app, scale=percent(50), tags=[{"key": "a", "value": "b"}])["id"]
    wait_for(lambda: is_steady(app, made))
    assert refusal(app.delete_task_set, **HERE, taskSet=made)[0] == INVALID
    assert described(app, made)["status"] == "ACTIVE"
    answer = app.delete_task_set(**HERE, taskSet=made, force=True)["taskSet"]
    assert (answer["status"], answer["computedDesiredCount"]) == ("DRAINING", 0)
    wait_for(lambda: service(app, "s")["taskSets"] == [])
    assert app.list_tasks()["taskArns"] == []
    (arn,) = app.list_tasks(desiredStatus="STOPPED")["taskArns"]
    reason = task(app, arn)["stoppedReason"]
    assert reason == f"Scaling activity initiated by (deployment {made})"
    assert refusal(app.delete_task_set, **HERE, taskSet=made) == NO_TASK_SET


@pytest.mark.documented
def test_one_without_tasks_is_deleted_without_force(app: Any, wait_for: Wait) -> None:
    made = make(app)["id"]
    app.delete_task_set(**HERE, taskSet=made)
    wait_for(lambda: service(app, "s")["taskSets"] == [])


@pytest.mark.captured
def test_at_most_five(app: Any) -> None:
    for _ in range(5):
        make(app)
    assert refusal(app.create_task_set, **HERE, taskDefinition="app") == (
        INVALID,
        "5 deployments exist on the service. Unable to create new TaskSet since this exceeds the "
        "maximum limit.",
    )


def test_token(app: Any) -> None:
    first = make(app, clientToken="t" * 36)
    assert make(app, clientToken="t" * 36)["id"] == first["id"]
    assert refusal(make, app=app, clientToken="t" * 36, externalId="x") == NOT_IDEMPOTENT
    assert refusal(make, app=app, clientToken="t" * 37) == (
        INVALID,
        "idempotency token longer than 36.",
    )
    assert len(service(app, "s")["taskSets"]) == 1


def test_describe(app: Any) -> None:
    first = make(app, tags=[{"key": "a", "value": "b"}])
    second = make(app)
    unknown = PREFIX + f"task-set/default/s/{UNKNOWN}"
    answer = app.describe_task_sets(
        **HERE, taskSets=[second["id"], first["taskSetArn"], second["id"], UNKNOWN]
    )
    assert [each["id"] for each in answer["taskSets"]] == [second["id"], first["id"]]
    assert [each["tags"] for each in answer["taskSets"]] == [[], []]
    assert answer["failures"] == [{"arn": unknown, "reason": "MISSING"}]
    assert described(app, first["id"])["tags"] == [{"key": "a", "value": "b"}]


@pytest.mark.captured
def test_describe_none(app: Any) -> None:
    assert refusal(app.describe_task_sets, **HERE) == (INVALID, "TaskSets cannot be empty.")
    arn = PREFIX + "task/default/" + "0" * 32
    assert refusal(app.describe_task_sets, **HERE, taskSets=[arn]) == (
        INVALID,
        "Task Set Identifier is invalid",
    )


@pytest.mark.documented
def test_tags(app: Any) -> None:
    arn = make(app)["taskSetArn"]
    app.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "b"}, {"key": "c", "value": ""}])
    app.untag_resource(resourceArn=arn, tagKeys=["c"])
    assert app.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "a", "value": "b"}]


@pytest.mark.parametrize("tail", ["", "/none", "/s", f"/s/{UNKNOWN}"])
def test_tags_of_nothing(app: Any, tail: str) -> None:
    arn = PREFIX + "task-set/default" + tail
    code, _ = refusal(app.list_tags_for_resource, resourceArn=arn)
    assert code == "TaskSetNotFoundException"


OTHER_CONTROLLER = (
    INVALID,
    "Amazon ECS only supports task set management on services configured to use external "
    "deployment controllers.",
)
CALLS: dict[str, dict[str, Any]] = {
    "create_task_set": {"taskDefinition": "app"},
    "describe_task_sets": {"taskSets": [UNKNOWN]},
    "update_task_set": {"taskSet": UNKNOWN, "scale": {"value": 1}},
    "update_service_primary_task_set": {"primaryTaskSet": UNKNOWN},
    "delete_task_set": {"taskSet": UNKNOWN},
}


@pytest.mark.parametrize("name", CALLS)
def test_where_there_can_be_none(app: Any, name: str) -> None:
    call, params = getattr(app, name), CALLS[name]
    assert refusal(call, cluster="none", service="s", **params)[0] == "ClusterNotFoundException"
    assert refusal(call, cluster="default", service="none", **params) == (
        "ServiceNotFoundException",
        "Service not found.",
    )
    assert refusal(call, cluster="", service="s", **params) == (
        INVALID,
        "Cluster can not be blank.",
    )
    create(app, "rolling", desiredCount=0)
    assert refusal(call, cluster="default", service="rolling", **params) == OTHER_CONTROLLER


@pytest.mark.parametrize("name", [name for name in CALLS if name != "describe_task_sets"])
def test_a_service_that_is_not_active(app: Any, name: str) -> None:
    app.delete_service(service="s", force=True)
    assert refusal(getattr(app, name), **HERE, **CALLS[name]) == (
        "ServiceNotActiveException",
        "Service was not ACTIVE.",
    )


@pytest.mark.parametrize(
    "name", ["update_task_set", "update_service_primary_task_set", "delete_task_set"]
)
def test_unknown_task_set(app: Any, name: str) -> None:
    assert refusal(getattr(app, name), **HERE, **CALLS[name]) == NO_TASK_SET


@pytest.mark.parametrize(
    ("params", "code", "message"),
    rows(
        [
            (
                "definition",
                {"taskDefinition": "none"},
                "ClientException",
                "TaskDefinition not found.",
            ),
            (
                "network",
                {"taskDefinition": "far"},
                INVALID,
                "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            ),
            (
                "launch type and strategy",
                {
                    "launchType": "EC2",
                    "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}],
                },
                INVALID,
                "Specifying both a launch type and capacity provider strategy is not supported. "
                "Remove one and try again.",
            ),
            (
                "not for FARGATE",
                {"launchType": "FARGATE"},
                INVALID,
                "Task definition does not support launch_type FARGATE.",
            ),
            (
                "container",
                {"loadBalancers": [{**BALANCER, "containerName": "x"}]},
                INVALID,
                "The container x does not exist in the task definition.",
            ),
            (
                "two target groups",
                {"loadBalancers": [BALANCER, BALANCER]},
                INVALID,
                "A task set can have at most one target group.",
            ),
            (
                "scale above",
                {"scale": {"value": 100.1}},
                INVALID,
                "Scale value must be between 0 and 100.",
            ),
            (
                "scale below",
                {"scale": {"value": -1}},
                INVALID,
                "Scale value must be between 0 and 100.",
            ),
        ],
        ("container", "two", "scale"),
    ),
)
@pytest.mark.captured
def test_create_refuses(app: Any, params: dict[str, Any], code: str, message: str) -> None:
    assert refusal(make, app=app, **params) == (code, message)
    assert service(app, "s")["taskSets"] == []


def test_update_refuses(app: Any) -> None:
    made = make(app)["id"]
    for scale in ({}, {"value": 101}, {"value": -0.5}):
        assert refusal(app.update_task_set, **HERE, taskSet=made, scale=scale)[0] == INVALID
    assert described(app, made)["scale"] == percent(0.0)


def test_a_definition_is_not_gone_while_a_task_set_uses_it(app: Any) -> None:
    made = make(app, scale=percent(0))
    app.deregister_task_definition(taskDefinition="app:1")
    app.delete_task_definitions(taskDefinitions=["app:1"])
    definition = app.describe_task_definition(taskDefinition="app:1")["taskDefinition"]
    assert definition["status"] == "DELETE_IN_PROGRESS"
    assert made["taskDefinition"] == definition["taskDefinitionArn"]


def test_events_of_a_task_set_that_cannot_be_placed(app: Any, wait_for: Wait) -> None:
    register(app, "large", container(memory=10_000_000))
    made = make(app, taskDefinition="large", scale=percent(50))

    def told() -> bool:
        events = [event["message"] for event in service(app, "s")["events"]]
        start = f"(service s, taskSet {made['id']}) was unable to place a task"
        return bool(events) and events[0].startswith(start)

    wait_for(told)
    assert not is_steady(app, made["id"])
    assert messages(service(app, "s"))
