"""Managed daemons: what is refused, what runs, and how it is rolled out (the model's words)."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import SLEEP
from api_steps import refusal
from api_steps import register
from api_steps import seen
from api_steps import task
from api_steps import wait_running
from api_steps import wait_stopped
from service_steps import INVALID
from service_steps import PREFIX

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.documented

CLIENT = "ClientException"
NOT_FOUND = "DaemonNotFoundException"
ARN = f"{PREFIX}daemon/default/d"
PROVIDER = f"{PREFIX}capacity-provider/mine"
INSTANCES = {
    "infrastructureRoleArn": "arn:aws:iam::123456789012:role/x",
    "instanceLaunchTemplate": {
        "ec2InstanceProfileArn": "arn:aws:iam::123456789012:instance-profile/x",
        "networkConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]},
    },
}


def define(ecs: Any, *command: str, family: str = "agent", **members: Any) -> str:
    agent = {"name": "agent", "image": "busybox:1.36", "command": list(command) or SLEEP, **members}
    answer = ecs.register_daemon_task_definition(family=family, containerDefinitions=[agent])
    return str(answer["daemonTaskDefinitionArn"])


@pytest.fixture
def app(cluster: Any, admin: AdminClient) -> Any:
    """A client in an account with a provider of managed instances and a daemon task definition."""
    for name in ("mine", "other"):
        cluster.create_capacity_provider(
            name=name, cluster="default", managedInstancesProvider=INSTANCES
        )
    admin.advance_clock(1)
    define(cluster)
    return cluster


def request(**params: Any) -> dict[str, Any]:
    definition = f"{PREFIX}daemon-task-definition/agent:1"
    return {
        "daemonName": "d",
        "daemonTaskDefinitionArn": definition,
        "capacityProviderArns": [PROVIDER],
        **params,
    }


def create(app: Any, **params: Any) -> Any:
    return app.create_daemon(**request(**params))


def update(app: Any, definition: str, **params: Any) -> Any:
    asked = {"daemonArn": ARN, "capacityProviderArns": [PROVIDER], **params}
    return app.update_daemon(daemonTaskDefinitionArn=definition, **asked)


def described(app: Any) -> Any:
    return app.describe_daemon(daemonArn=ARN)["daemon"]


def deployment(app: Any, made: Any) -> Any:
    answer = app.describe_daemon_deployments(daemonDeploymentArns=[made["deploymentArn"]])
    return answer["daemonDeployments"][0]


def wait_deployed(app: Any, made: Any) -> None:
    waiter = app.get_waiter("daemon_deployment_successful")
    waiter.wait(daemonDeploymentArns=[made["deploymentArn"]])


def tasks(app: Any, **params: Any) -> list[str]:
    found: list[str] = app.list_tasks(daemonName="d", **params)["taskArns"]
    return found


def wait_status(app: Any, admin: AdminClient, made: Any, status: str) -> Any:
    seen(admin, lambda: deployment(app, made)["status"] == status)
    return deployment(app, made)


def test_a_daemon_is_active_and_runs_a_task_on_the_instance(app: Any) -> None:
    made = create(app)
    assert made["daemonArn"] == ARN
    assert made["status"] == "ACTIVE"
    assert made["deploymentArn"].startswith(f"{PREFIX}daemon-deployment/default/d/")
    app.get_waiter("daemon_active").wait(daemonArn=ARN)
    wait_deployed(app, made)
    (arn,) = tasks(app)
    running = task(app, arn)
    assert running["lastStatus"] == "RUNNING"
    assert running["launchType"] == "MANAGED_INSTANCES"
    assert running["capacityProviderName"] == "mine"
    assert running["taskDefinitionArn"] == f"{PREFIX}daemon-task-definition/agent:1"
    assert running["containerInstanceArn"]
    daemon = described(app)
    (revision,) = daemon.pop("currentRevisions")
    assert revision["arn"].startswith(f"{PREFIX}daemon-revision/default/d/")
    assert revision["capacityProviders"] == [
        {"arn": PROVIDER, "runningCount": 1, "withoutDaemonCount": 0}
    ]
    assert (revision["totalRunningCount"], revision["totalWithoutDaemonCount"]) == (1, 0)
    assert daemon == {
        "daemonArn": ARN,
        "clusterArn": f"{PREFIX}cluster/default",
        "status": "ACTIVE",
        "deploymentArn": made["deploymentArn"],
        "createdAt": daemon["updatedAt"],
        "updatedAt": daemon["updatedAt"],
    }


def test_a_deployment_says_how_it_went(app: Any) -> None:
    made = create(app, deploymentConfiguration={"drainPercent": 20.0})
    wait_deployed(app, made)
    done = deployment(app, made)
    assert done["createdAt"] <= done["startedAt"] <= done["finishedAt"]
    assert "stoppedAt" not in done
    assert done["status"] == "SUCCESSFUL"
    assert done["statusReason"] == "Deployment completed successfully."
    assert done["sourceDaemonRevisions"] == []
    assert done["targetDaemonRevision"]["totalRunningInstanceCount"] == 1
    assert done["targetDaemonRevision"]["totalDrainingInstanceCount"] == 0
    assert done["circuitBreaker"]["failureCount"] == 0
    assert done["circuitBreaker"]["status"] == "MONITORING_COMPLETE"
    assert done["alarms"] == {"status": "DISABLED", "alarmNames": [], "triggeredAlarmNames": []}
    assert done["deploymentConfiguration"] == {
        "drainPercent": 20.0,
        "bakeTimeInMinutes": 0,
        "alarms": {"alarmNames": [], "enable": False},
    }


def test_a_revision_is_what_was_asked_for(app: Any) -> None:
    create(app, propagateTags="DAEMON", enableECSManagedTags=True, critical=False)
    arn = described(app)["currentRevisions"][0]["arn"]
    answer = app.describe_daemon_revisions(daemonRevisionArns=[arn])
    (revision,) = answer["daemonRevisions"]
    assert revision.pop("createdAt")
    assert revision == {
        "daemonRevisionArn": arn,
        "clusterArn": f"{PREFIX}cluster/default",
        "daemonArn": ARN,
        "daemonTaskDefinitionArn": f"{PREFIX}daemon-task-definition/agent:1",
        "containerImages": [{"containerName": "agent", "image": "busybox:1.36"}],
        "propagateTags": "DAEMON",
        "enableECSManagedTags": True,
        "enableExecuteCommand": False,
        "critical": False,
    }


def test_tasks_get_the_daemons_tags(app: Any, admin: AdminClient) -> None:
    tag = {"key": "a", "value": "1"}
    create(app, propagateTags="DAEMON", enableECSManagedTags=True, tags=[tag])
    arn = seen_task(app, admin)
    assert tag in task(app, arn)["tags"]
    assert {"key": "aws:ecs:clusterName", "value": "default"} in task(app, arn)["tags"]
    app.tag_resource(resourceArn=ARN, tags=[{"key": "b", "value": "2"}])
    app.untag_resource(resourceArn=ARN, tagKeys=["a"])
    assert app.list_tags_for_resource(resourceArn=ARN)["tags"] == [{"key": "b", "value": "2"}]


def seen_task(app: Any, admin: AdminClient) -> str:
    """The daemon's task, once there is one."""
    (arn,) = seen(admin, lambda: tasks(app))
    return str(arn)


def test_tags_are_not_propagated_unless_asked(app: Any, admin: AdminClient) -> None:
    create(app, tags=[{"key": "a", "value": "1"}])
    arn = seen_task(app, admin)
    assert task(app, arn)["tags"] == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"daemonName": "a b"}, INVALID),
        ({"clusterArn": f"{PREFIX}cluster/none"}, "ClusterNotFoundException"),
        ({"daemonTaskDefinitionArn": f"{PREFIX}daemon-task-definition/agent:9"}, CLIENT),
        ({"daemonTaskDefinitionArn": f"{PREFIX}task-definition/app:1"}, INVALID),
        ({"capacityProviderArns": []}, INVALID),
        ({"capacityProviderArns": [f"{PREFIX}capacity-provider/none"]}, INVALID),
        ({"capacityProviderArns": [f"{PREFIX}capacity-provider/FARGATE"]}, INVALID),
        ({"capacityProviderArns": ["mine"]}, INVALID),
        ({"deploymentConfiguration": {"drainPercent": 100.1}}, INVALID),
        ({"deploymentConfiguration": {"drainPercent": -0.1}}, INVALID),
        ({"deploymentConfiguration": {"bakeTimeInMinutes": -1}}, INVALID),
        ({"deploymentConfiguration": {"bakeTimeInMinutes": 1441}}, INVALID),
        ({"deploymentConfiguration": {"alarms": {"enable": True}}}, INVALID),
        ({"propagateTags": "SERVICE"}, INVALID),
        ({"clientToken": "t" * 37}, INVALID),
        ({"clientToken": "a b"}, INVALID),
        ({"tags": [{"key": "aws:a", "value": "1"}]}, INVALID),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value)[:60],
)
def test_a_daemon_that_breaks_a_rule_is_refused(app: Any, params: Any, code: str) -> None:
    assert refusal(app.create_daemon, **request(**params))[0] == code
    assert app.list_daemons()["daemonSummariesList"] == []


def test_a_group_is_no_managed_instances(app: Any) -> None:
    group = app.create_capacity_provider(
        name="group", autoScalingGroupProvider={"autoScalingGroupArn": "asg"}
    )["capacityProvider"]["capacityProviderArn"]
    assert refusal(app.create_daemon, **request(capacityProviderArns=[group]))[0] == INVALID


def test_a_definition_that_is_deleted_makes_no_daemon_but_runs_on(
    app: Any, admin: AdminClient
) -> None:
    made = create(app)
    wait_deployed(app, made)
    app.delete_daemon_task_definition(daemonTaskDefinition="agent:1")

    def status() -> str:
        answer = app.describe_daemon_task_definition(daemonTaskDefinition="agent:1")
        return str(answer["daemonTaskDefinition"]["status"])

    assert status() == "DELETE_IN_PROGRESS"
    assert refusal(app.create_daemon, **request(daemonName="e"))[0] == CLIENT
    (first,) = tasks(app)
    app.stop_task(task=first)
    seen(admin, lambda: [arn for arn in tasks(app) if arn != first])
    app.delete_daemon(daemonArn=ARN)
    seen(admin, lambda: status() == "DELETED")


def test_a_creation_is_repeated_by_its_token(app: Any) -> None:
    first = create(app, clientToken="t")
    again = create(app, clientToken="t")
    assert again["deploymentArn"] == first["deploymentArn"]
    assert refusal(app.create_daemon, **request(clientToken="u"))[0] == INVALID
    assert refusal(app.create_daemon, **request(clientToken="t", critical=False))[0] == INVALID


def test_a_stopped_task_is_replaced(app: Any, admin: AdminClient) -> None:
    wait_deployed(app, create(app))
    (first,) = tasks(app)
    app.stop_task(task=first)
    wait_stopped(app, first)
    (second,) = seen(admin, lambda: [arn for arn in tasks(app) if arn != first])
    wait_running(app, second)
    assert tasks(app, desiredStatus="STOPPED") == [first]


def run_work(app: Any, admin: AdminClient) -> str:
    """Run a task on the instances of the provider; returns its ARN."""
    register(
        app,
        "work",
        {"name": "work", "image": "busybox:1.36", "memory": 64, "command": SLEEP},
        networkMode="host",
        requiresCompatibilities=["MANAGED_INSTANCES"],
    )
    app.put_cluster_capacity_providers(
        cluster="default", capacityProviders=["mine"], defaultCapacityProviderStrategy=[]
    )
    admin.advance_clock(1)
    strategy = [{"capacityProvider": "mine", "weight": 1}]
    answer = app.run_task(taskDefinition="work", capacityProviderStrategy=strategy)
    return str(answer["tasks"][0]["taskArn"])


def test_a_critical_daemon_starts_before_other_tasks(app: Any, admin: AdminClient) -> None:
    init = {"name": "init", "image": "busybox:1.36", "command": SLEEP, "essential": False}
    agent = {"name": "agent", "image": "busybox:1.36", "command": SLEEP}
    agent["dependsOn"] = [{"containerName": "init", "condition": "SUCCESS"}]  # type: ignore[assignment]
    slow = app.register_daemon_task_definition(family="slow", containerDefinitions=[init, agent])
    create(app, daemonTaskDefinitionArn=slow["daemonTaskDefinitionArn"])
    first = seen_task(app, admin)
    seen(admin, lambda: task(app, first)["containers"][0]["lastStatus"] == "RUNNING")
    work = run_work(app, admin)
    assert task(app, work)["lastStatus"] == "PENDING"
    made = update(app, f"{PREFIX}daemon-task-definition/agent:1")
    wait_deployed(app, made)
    wait_running(app, work)
    (second,) = tasks(app)
    assert task(app, second)["startedAt"] <= task(app, work)["startedAt"]


@pytest.mark.parametrize("critical", [True, False])
def test_a_critical_daemon_takes_the_tasks_of_its_instance_along(
    app: Any, admin: AdminClient, *, critical: bool
) -> None:
    wait_deployed(app, create(app, critical=critical))
    work = run_work(app, admin)
    wait_running(app, work)
    (first,) = tasks(app)
    app.stop_task(task=first)
    seen(admin, lambda: [arn for arn in tasks(app) if arn != first])
    assert task(app, work)["desiredStatus"] == ("STOPPED" if critical else "RUNNING")
    if critical:
        wait_stopped(app, work)
        assert task(app, work)["stopCode"] == "InfrastructureHealth"


def test_an_update_replaces_the_tasks(app: Any, admin: AdminClient) -> None:
    wait_deployed(app, create(app, enableExecuteCommand=True, critical=False))
    (first,) = tasks(app)
    source = described(app)["currentRevisions"][0]["arn"]
    made = update(app, define(app, "sleep", "999"))
    assert made["status"] == "ACTIVE"
    assert made["updatedAt"] > made["createdAt"]
    wait_deployed(app, made)
    done = deployment(app, made)
    assert [each["arn"] for each in done["sourceDaemonRevisions"]] == [source]
    (second,) = tasks(app)
    assert task(app, second)["taskDefinitionArn"].endswith("agent:2")
    assert task(app, first)["stopCode"] == "ServiceSchedulerInitiated"
    (revision,) = described(app)["currentRevisions"]
    (shown,) = app.describe_daemon_revisions(daemonRevisionArns=[revision["arn"]])[
        "daemonRevisions"
    ]
    # What an update does not say has its default again.
    assert (shown["enableExecuteCommand"], shown["critical"]) == (False, True)


def test_an_update_can_add_a_provider(app: Any) -> None:
    wait_deployed(app, create(app))
    both = [PROVIDER, f"{PREFIX}capacity-provider/other"]
    definition = f"{PREFIX}daemon-task-definition/agent:1"
    wait_deployed(app, update(app, definition, capacityProviderArns=both))
    (revision,) = described(app)["currentRevisions"]
    assert [each["arn"] for each in revision["capacityProviders"]] == both


def test_a_new_deployment_stops_the_one_under_way(app: Any) -> None:
    made = create(app, deploymentConfiguration={"bakeTimeInMinutes": 5})
    definition = f"{PREFIX}daemon-task-definition/agent:1"
    update(app, definition)
    waiter = app.get_waiter("daemon_deployment_stopped")
    waiter.wait(daemonDeploymentArns=[made["deploymentArn"]])
    assert deployment(app, made)["stoppedAt"]


def test_a_deployment_bakes_on_the_tests_clock(app: Any, admin: AdminClient) -> None:
    made = create(app, deploymentConfiguration={"bakeTimeInMinutes": 5})
    arn = seen_task(app, admin)
    wait_running(app, arn)
    assert deployment(app, made)["status"] == "IN_PROGRESS"
    admin.advance_clock(1)
    admin.advance_clock(302)
    wait_status(app, admin, made, "SUCCESSFUL")


def test_tasks_that_fail_stop_the_first_deployment(app: Any, admin: AdminClient) -> None:
    made = create(app, daemonTaskDefinitionArn=define(app, "false"))
    stopped = wait_status(app, admin, made, "STOPPED")
    assert stopped["circuitBreaker"]["status"] == "TRIGGERED"
    assert stopped["circuitBreaker"]["failureCount"] == stopped["circuitBreaker"]["threshold"]
    assert "rollback" not in stopped
    assert described(app)["status"] == "ACTIVE"
    (revision,) = described(app)["currentRevisions"]
    assert revision["totalRunningCount"] == 0


def test_tasks_that_fail_bring_the_last_revision_back(app: Any, admin: AdminClient) -> None:
    wait_deployed(app, create(app))
    before = described(app)["currentRevisions"][0]["arn"]
    made = update(app, define(app, "false"))
    back = wait_status(app, admin, made, "ROLLBACK_SUCCESSFUL")
    assert back["circuitBreaker"]["status"] == "TRIGGERED"
    assert back["rollback"]["rollbackTargetDaemonRevisionArn"] == before
    assert back["rollback"]["rollbackCapacityProviders"] == [PROVIDER]
    (arn,) = tasks(app)
    assert task(app, arn)["taskDefinitionArn"].endswith("agent:1")
    # And it is kept there.
    app.stop_task(task=arn)
    seen(admin, lambda: [each for each in tasks(app) if each != arn])


def test_an_alarm_brings_the_last_revision_back(app: Any, admin: AdminClient) -> None:
    admin.set_alarm("old", "ALARM")
    wait_deployed(app, create(app))
    watched = {"enable": True, "alarmNames": ["old", "errors"]}
    configuration = {"bakeTimeInMinutes": 5, "alarms": watched}
    made = update(app, define(app, "sleep", "999"), deploymentConfiguration=configuration)
    assert deployment(app, made)["alarms"]["status"] == "MONITORING"
    seen(admin, lambda: deployment(app, made)["status"] == "IN_PROGRESS")
    admin.set_alarm("errors", "ALARM")
    back = wait_status(app, admin, made, "ROLLBACK_SUCCESSFUL")
    # One that rang before is ignored.
    expected = {"status": "TRIGGERED", "triggeredAlarmNames": ["errors"]}
    assert back["alarms"] == {**expected, "alarmNames": ["old", "errors"]}
    assert back["circuitBreaker"]["status"] == "MONITORING_COMPLETE"


def test_a_deleted_daemon_ends_with_its_tasks(app: Any, admin: AdminClient) -> None:
    made = create(app)
    wait_deployed(app, made)
    (arn,) = tasks(app)
    gone = app.delete_daemon(daemonArn=ARN)
    assert gone["status"] == "DELETE_IN_PROGRESS"
    assert gone["deploymentArn"] != made["deploymentArn"]
    wait_stopped(app, arn)
    wait_status(app, admin, gone, "SUCCESSFUL")
    assert refusal(app.describe_daemon, daemonArn=ARN)[0] == NOT_FOUND
    assert app.list_daemons()["daemonSummariesList"] == []
    assert deployment(app, made)["status"] == "SUCCESSFUL"
    create(app)
    assert seen_task(app, admin) != arn


def test_a_daemon_that_is_deleted_cannot_be_changed(app: Any) -> None:
    stubborn = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]
    made = create(app, daemonTaskDefinitionArn=define(app, *stubborn, stopTimeout=2))
    wait_deployed(app, made)
    app.delete_daemon(daemonArn=ARN)
    assert described(app)["status"] == "DELETE_IN_PROGRESS"
    assert refusal(app.delete_daemon, daemonArn=ARN)[0] == "DaemonNotActiveException"
    definition = f"{PREFIX}daemon-task-definition/agent:1"
    again = {"daemonArn": ARN, "daemonTaskDefinitionArn": definition}
    code = refusal(app.update_daemon, **again, capacityProviderArns=[PROVIDER])[0]
    assert code == "DaemonNotActiveException"
    assert refusal(app.create_daemon, **request())[0] == INVALID


def test_daemons_are_listed_by_provider(app: Any) -> None:
    other = f"{PREFIX}capacity-provider/other"
    for name, provider in (("a", PROVIDER), ("b", other), ("c", other)):
        create(app, daemonName=name, capacityProviderArns=[provider])

    def names(**params: Any) -> list[str]:
        found = app.list_daemons(**params)["daemonSummariesList"]
        return [each["daemonArn"].rpartition("/")[2] for each in found]

    assert names() == ["a", "b", "c"]
    assert names(capacityProviderArns=[other]) == ["b", "c"]
    assert names(capacityProviderArns=[other, PROVIDER]) == ["a", "b", "c"]
    first = app.list_daemons(maxResults=2)
    assert len(first["daemonSummariesList"]) == 2
    assert names(maxResults=2, nextToken=first["nextToken"]) == ["c"]
    assert refusal(app.list_daemons, clusterArn="none")[0] == "ClusterNotFoundException"


def test_deployments_are_listed_by_status_and_time(app: Any) -> None:
    first = create(app)
    wait_deployed(app, first)
    second = update(app, f"{PREFIX}daemon-task-definition/agent:1")
    wait_deployed(app, second)

    def listed(**params: Any) -> list[str]:
        found = app.list_daemon_deployments(daemonArn=ARN, **params)["daemonDeployments"]
        return [each["daemonDeploymentArn"] for each in found]

    newest, oldest = second["deploymentArn"], first["deploymentArn"]
    assert listed() == [newest, oldest]
    assert listed(status=["SUCCESSFUL"]) == [newest, oldest]
    assert listed(status=["STOPPED", "PENDING"]) == []
    at = deployment(app, second)["createdAt"]
    assert listed(createdAt={"before": at}) == [oldest]
    assert listed(createdAt={"after": deployment(app, first)["finishedAt"]}) == [newest]
    page = app.list_daemon_deployments(daemonArn=ARN, maxResults=1)
    assert listed(maxResults=1, nextToken=page["nextToken"]) == [oldest]
    summary = page["daemonDeployments"][0]
    assert summary["daemonArn"] == ARN
    assert summary["targetDaemonRevisionArn"] == described(app)["currentRevisions"][0]["arn"]


def test_what_is_not_there(app: Any) -> None:
    unknown = {"daemonArn": f"{PREFIX}daemon/default/none"}
    for ask in (app.describe_daemon, app.delete_daemon):
        assert refusal(ask, **unknown)[0] == NOT_FOUND
        assert refusal(ask, daemonArn="d")[0] == INVALID
        elsewhere = f"{PREFIX}daemon/elsewhere/d"
        assert refusal(ask, daemonArn=elsewhere)[0] == "ClusterNotFoundException"
    assert refusal(app.list_daemon_deployments, **unknown)[0] == CLIENT
    assert refusal(app.list_tasks, daemonName="none")[0] == INVALID
    for call, member, kind in (
        (app.describe_daemon_deployments, "daemonDeploymentArns", "daemon-deployment"),
        (app.describe_daemon_revisions, "daemonRevisionArns", "daemon-revision"),
    ):
        arn = f"{PREFIX}{kind}/default/none/x"
        assert call(**{member: [arn]})["failures"] == [{"arn": arn, "reason": "MISSING"}]
        assert refusal(call, **{member: []})[0] == INVALID
        assert refusal(call, **{member: [f"{arn}{n}" for n in range(21)]})[0] == INVALID
