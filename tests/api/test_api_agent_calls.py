"""StartTask, and what the agent of an instance calls that runs its tasks itself."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import NETWORK
from api_steps import SLEEP
from api_steps import Wait
from api_steps import container
from api_steps import refusal
from api_steps import register
from api_steps import register_fargate
from api_steps import run
from api_steps import task

pytestmark = pytest.mark.documented


@pytest.fixture
def ecs(cluster: Any) -> Any:
    register(cluster, "app", container(command=SLEEP))
    return cluster


def new_instance(ecs: Any, *, agent: bool = False) -> str:
    """:param agent: it has an agent of its own, which the test plays."""
    arn = ecs.register_container_instance()["containerInstance"]["containerInstanceArn"]
    if agent:
        ecs.discover_poll_endpoint(containerInstance=arn)
    return str(arn)


def started(ecs: Any, arn: str, definition: str = "app", **params: Any) -> dict[str, Any]:
    answer = ecs.start_task(taskDefinition=definition, containerInstances=[arn], **params)
    assert answer["failures"] == []
    [made] = answer["tasks"]
    return dict(made)


def test_start_on_each_instance(ecs: Any) -> None:
    arns = [new_instance(ecs) for _ in range(2)]
    answer = ecs.start_task(
        taskDefinition="app",
        containerInstances=[*arns, arns[0]],
        group="mine",
        startedBy="me",
        tags=[{"key": "a", "value": "b"}],
        overrides={"containerOverrides": [{"name": "app", "cpu": 10}]},
    )
    assert [each["containerInstanceArn"] for each in answer["tasks"]] == arns
    for made in answer["tasks"]:
        assert (made["group"], made["startedBy"], made["launchType"]) == ("mine", "me", "EC2")
        assert made["tags"] == [{"key": "a", "value": "b"}]
        assert made["containers"][0]["cpu"] == "10"
    ecs.get_waiter("tasks_running").wait(tasks=[each["taskArn"] for each in answer["tasks"]])


def test_start_where_it_cannot_be(ecs: Any) -> None:
    register(ecs, "big", container(memory=10**9))
    drained, gone, there = (new_instance(ecs) for _ in range(3))
    ecs.update_container_instances_state(containerInstances=[drained], status="DRAINING")
    ecs.deregister_container_instance(containerInstance=gone)
    answer = ecs.start_task(
        taskDefinition="big", containerInstances=[drained, gone, there, "0" * 32]
    )
    assert answer["tasks"] == []
    assert [each["reason"] for each in answer["failures"]] == [
        "INACTIVE",
        "INACTIVE",
        "RESOURCE:MEMORY",
        "MISSING",
    ]


def test_start_heeds_no_constraints(ecs: Any) -> None:
    constraint = {"type": "memberOf", "expression": "attribute:none exists"}
    register(ecs, "bound", container(command=SLEEP), placementConstraints=[constraint])
    arn = new_instance(ecs)
    assert started(ecs, arn, "bound")["containerInstanceArn"] == arn


@pytest.mark.inferred
@pytest.mark.parametrize(
    "params",
    [
        {"containerInstances": []},
        {"containerInstances": ["0" * 32] * 11},
        {"containerInstances": ["x"]},
        {"containerInstances": ["0" * 32], "startedBy": "x" * 37},
        {"containerInstances": ["0" * 32], "group": "service:x"},
    ],
    ids=str,
)
def test_start_refused(ecs: Any, params: dict[str, Any]) -> None:
    code, _ = refusal(ecs.start_task, taskDefinition="app", **params)
    assert code == "InvalidParameterException"


@pytest.mark.inferred
def test_where_an_agent_polls(ecs: Any, server: Any) -> None:
    for params in ({}, {"cluster": "default"}, {"containerInstance": new_instance(ecs)}):
        answer = ecs.discover_poll_endpoint(**params)
        for name in ("endpoint", "telemetryEndpoint", "serviceConnectEndpoint"):
            assert answer[name].rstrip("/") == server.endpoint
    code, _ = refusal(ecs.discover_poll_endpoint, cluster="none")
    assert code == "InvalidParameterException"


def test_an_agent_runs_its_task(ecs: Any) -> None:
    arn = started(ecs, new_instance(ecs, agent=True))["taskArn"]
    answer = ecs.submit_container_state_change(
        task=arn,
        containerName="app",
        status="RUNNING",
        runtimeId="docker-id",
        networkBindings=[{"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": 32768}],
    )
    assert answer["acknowledgment"]
    seen = task(ecs, arn)
    assert seen["lastStatus"] == "RUNNING"
    assert "startedAt" in seen
    [container_seen] = seen["containers"]
    assert (container_seen["lastStatus"], container_seen["runtimeId"]) == ("RUNNING", "docker-id")
    assert [each["hostPort"] for each in container_seen["networkBindings"]] == [32768]
    ecs.submit_container_state_change(task=arn, containerName="app", status="STOPPED", exitCode=3)
    seen = task(ecs, arn)
    assert (seen["lastStatus"], seen["stopCode"]) == ("STOPPED", "EssentialContainerExited")
    assert seen["containers"][0]["exitCode"] == 3


def test_a_task_that_is_to_stop_waits_for_its_agent(ecs: Any, wait_for: Wait) -> None:
    arn = started(ecs, new_instance(ecs, agent=True))["taskArn"]
    running = {"containerName": "app", "status": "RUNNING"}
    ecs.submit_task_state_change(
        task=arn, status="RUNNING", containers=[running], pullStartedAt=1.0, pullStoppedAt=2.0
    )
    seen = task(ecs, arn)
    assert seen["lastStatus"] == "RUNNING"
    assert (seen["pullStartedAt"].timestamp(), seen["pullStoppedAt"].timestamp()) == (1.0, 2.0)
    ecs.stop_task(task=arn)
    wait_for(lambda: task(ecs, arn)["lastStatus"] == "STOPPING")
    stopped = {"containerName": "app", "status": "STOPPED", "exitCode": 143}
    ecs.submit_task_state_change(task=arn, status="STOPPED", containers=[stopped])
    seen = task(ecs, arn)
    assert (seen["lastStatus"], seen["stopCode"]) == ("STOPPED", "UserInitiated")
    assert seen["containers"][0]["exitCode"] == 143


def test_a_task_that_its_agent_could_not_start(ecs: Any) -> None:
    arn = started(ecs, new_instance(ecs, agent=True))["taskArn"]
    ecs.submit_task_state_change(task=arn, status="STOPPED", reason="CannotPullContainerError: no")
    seen = task(ecs, arn)
    assert (seen["lastStatus"], seen["stopCode"]) == ("STOPPED", "TaskFailedToStart")
    assert seen["stoppedReason"] == "CannotPullContainerError: no"
    assert "startedAt" not in seen


def test_an_attachment(ecs: Any) -> None:
    register_fargate(ecs, "net")
    instance = new_instance(ecs, agent=True)
    made = started(ecs, instance, "net", networkConfiguration=NETWORK)
    assert made["lastStatus"] == "PROVISIONING"
    attachment = f"arn:aws:ecs:us-east-1:123456789012:attachment/{made['attachments'][0]['id']}"
    ecs.submit_attachment_state_changes(
        attachments=[{"attachmentArn": attachment, "status": "ATTACHED"}]
    )
    seen = task(ecs, made["taskArn"])
    assert (seen["lastStatus"], seen["connectivity"]) == ("PENDING", "CONNECTED")
    assert seen["attachments"][0]["status"] == "ATTACHED"


@pytest.mark.inferred
def test_a_service_of_an_agents_tasks(ecs: Any, wait_for: Wait) -> None:
    """Its tasks are replaced as those of the engine are."""
    instance = new_instance(ecs, agent=True)
    ecs.create_service(serviceName="s", taskDefinition="app", desiredCount=1)

    def only() -> str:
        arns = ecs.list_tasks(serviceName="s")["taskArns"]
        return arns[0] if len(arns) == 1 else ""

    wait_for(only)
    first = only()
    assert task(ecs, first)["containerInstanceArn"] == instance
    ecs.submit_container_state_change(task=first, containerName="app", status="RUNNING")
    ecs.get_waiter("services_stable").wait(services=["s"])
    ecs.submit_container_state_change(task=first, containerName="app", status="STOPPED")
    wait_for(lambda: only() not in ("", first))


@pytest.mark.inferred
def test_tasks_of_a_deregistered_instance_are_not_waited_for(ecs: Any, wait_for: Wait) -> None:
    instance = new_instance(ecs, agent=True)
    arn = started(ecs, instance)["taskArn"]
    ecs.deregister_container_instance(containerInstance=instance, force=True)
    wait_for(lambda: task(ecs, arn)["lastStatus"] == "STOPPED")


@pytest.mark.inferred
def test_reports_refused(ecs: Any) -> None:
    of_engine = run(ecs, "app")["taskArn"]
    remote = started(ecs, new_instance(ecs, agent=True))["taskArn"]
    attachment = {"attachmentArn": "arn:aws:ecs:us-east-1:123456789012:attachment/x"}
    for call, params in (
        (ecs.submit_task_state_change, {"task": of_engine, "status": "STOPPED"}),
        (ecs.submit_task_state_change, {"task": "0" * 32, "status": "STOPPED"}),
        (ecs.submit_task_state_change, {"task": remote, "status": "DONE"}),
        (ecs.submit_task_state_change, {"task": remote, "pullStartedAt": -1}),
        (ecs.submit_container_state_change, {"task": remote, "containerName": "x"}),
        (
            ecs.submit_container_state_change,
            {
                "task": remote,
                "containerName": "app",
                "networkBindings": [{"containerPortRange": "many"}],
            },
        ),
        (
            ecs.submit_attachment_state_changes,
            {"attachments": [{**attachment, "status": "ATTACHED"}]},
        ),
    ):
        before = task(ecs, remote)
        assert refusal(call, **params)[0] == "InvalidParameterException"
        assert task(ecs, remote) == before
    host = task(ecs, of_engine)["containerInstanceArn"]
    code, _ = refusal(ecs.discover_poll_endpoint, containerInstance=host)
    assert code == "InvalidParameterException"
