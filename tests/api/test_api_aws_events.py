"""Life-cycle events to EventBridge (moto's server), received from a queue behind a rule."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from api_steps import NETWORK
from api_steps import container
from api_steps import register
from api_steps import register_fargate
from api_steps import run
from api_steps import task
from api_steps import wait_running
from api_steps import wait_stable
from api_steps import wait_stopped
from kecs_server.credentials import derive_credentials
from moto_server import Moto

from pytest_kecs.launcher import Launcher

pytestmark = pytest.mark.documented

PATIENCE = 20.0
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
Events = Callable[[Callable[[list[Any]], object]], list[Any]]


@pytest.fixture
def events(moto: Moto) -> Events:
    """Receive the events of ECS from now on, until those so far are enough."""
    name = f"n{uuid.uuid4().hex[:12]}"
    sqs, bridge = moto.client("sqs"), moto.client("events")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    [arn] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])[
        "Attributes"
    ].values()
    bridge.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.ecs"]}))
    bridge.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    received: list[Any] = []

    def events(are_enough: Callable[[list[Any]], object]) -> list[Any]:
        deadline = time.monotonic() + PATIENCE
        while not are_enough(received):
            assert time.monotonic() < deadline, received
            answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10)
            for message in answer.get("Messages", ()):
                received.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return received

    return events


def of(arn: str, received: list[Any]) -> list[Any]:
    return [event for event in received if event["resources"] == [arn]]


def states(arn: str, received: list[Any]) -> list[tuple[str, str]]:
    details = [event["detail"] for event in of(arn, received)]
    return [(each["lastStatus"], each["desiredStatus"]) for each in details]


def test_the_life_of_a_task(rest: Any, events: Events) -> None:
    arn = run(rest, register(rest, "app", container(command=["sh", "-c", "exit 3"])))["taskArn"]
    wait_stopped(rest, arn)
    received = events(lambda seen: ("STOPPED", "STOPPED") in states(arn, seen))
    lives = states(arn, received)
    assert list(dict.fromkeys(lives)) == [
        ("PENDING", "RUNNING"),
        ("RUNNING", "RUNNING"),
        ("RUNNING", "STOPPED"),
        ("STOPPED", "STOPPED"),
    ]
    mine = of(arn, received)
    versions = [event["detail"]["version"] for event in mine]
    assert versions == sorted(versions)
    last = mine[-1]
    assert (last["source"], last["detail-type"]) == ("aws.ecs", "ECS Task State Change")
    assert last["region"] == "us-east-1"
    detail, described = last["detail"], task(rest, arn)
    # The same structure, but for times, tags that were asked for, and health.
    assert set(detail) == set(described) - {"healthStatus"} | {"updatedAt"}
    for name, value in detail.items():
        if name.endswith("At"):
            assert ISO.match(value), name
    for name in ("taskArn", "clusterArn", "stopCode", "stoppedReason", "overrides", "launchType"):
        assert detail[name] == described[name]
    [app] = detail["containers"]
    assert (app["name"], app["exitCode"], app["lastStatus"]) == ("app", 3, "STOPPED")
    assert "healthStatus" not in app


def test_the_states_of_a_container_instance(rest: Any, events: Events) -> None:
    made = rest.register_container_instance()["containerInstance"]
    arn = made["containerInstanceArn"]
    rest.update_container_instances_state(containerInstances=[arn], status="DRAINING")
    rest.deregister_container_instance(containerInstance=arn)
    received = events(
        lambda seen: [each["detail"]["status"] for each in of(arn, seen)][-1:] == ["INACTIVE"]
    )
    mine = of(arn, received)
    details = [event["detail"] for event in mine]
    assert {event["detail-type"] for event in mine} == {"ECS Container Instance State Change"}
    assert [each["status"] for each in details] == ["ACTIVE", "DRAINING", "INACTIVE"]
    assert [each["version"] for each in details] == [1, 2, 3]
    assert set(details[0]) == set(made) | {"accountId", "clusterArn", "updatedAt"}
    assert ISO.match(details[0]["registeredAt"])


def test_the_attachment_of_a_task_on_fargate(rest: Any, events: Events) -> None:
    definition = register_fargate(rest)
    arn = run(rest, definition, launchType="FARGATE", networkConfiguration=NETWORK)["taskArn"]
    wait_running(rest, arn)
    received = events(lambda seen: ("RUNNING", "RUNNING") in states(arn, seen))
    assert states(arn, received)[0] == ("PROVISIONING", "RUNNING")
    [attachment] = of(arn, received)[-1]["detail"]["attachments"]
    assert (attachment["type"], attachment["status"]) == ("eni", "ATTACHED")


def test_deployments_and_the_steady_state_of_a_service(rest: Any, events: Events) -> None:
    created = rest.create_service(
        serviceName="s", taskDefinition=register(rest, "web"), desiredCount=1
    )["service"]
    arn = created["serviceArn"]
    wait_stable(rest, "s")

    def names(seen: list[Any]) -> list[tuple[str, str]]:
        return [(each["detail-type"], each["detail"]["eventName"]) for each in of(arn, seen)]

    action, change = "ECS Service Action", "ECS Deployment State Change"
    received = events(lambda seen: (action, "SERVICE_STEADY_STATE") in names(seen))
    assert names(received) == [
        (change, "SERVICE_DEPLOYMENT_IN_PROGRESS"),
        (action, "SERVICE_DEPLOYMENT_IN_PROGRESS"),
        (change, "SERVICE_DEPLOYMENT_COMPLETED"),
        (action, "SERVICE_DEPLOYMENT_COMPLETED"),
        (action, "SERVICE_STEADY_STATE"),
    ]
    began, _, completed, _, steady = of(arn, received)
    deployment = created["deployments"][0]["id"]
    assert (began["detail"]["deploymentId"], began["detail"]["eventType"]) == (deployment, "INFO")
    assert began["detail"]["reason"] == f"ECS deployment {deployment} in progress."
    assert completed["detail"]["reason"] == f"ECS deployment {deployment} completed."
    assert ISO.match(completed["detail"]["updatedAt"])
    assert steady["detail"]["clusterArn"] == created["clusterArn"]
    assert ISO.match(steady["detail"]["createdAt"])


@pytest.mark.ours
def test_an_endpoint_that_takes_no_events(
    launch: Callable[..., Launcher], new_client: Any, free_url: str
) -> None:
    launcher = launch(aws_endpoint=free_url)
    try:
        key = derive_credentials(launcher.run_secret, "events")
        ecs = new_client(key=key, endpoint=launcher.endpoint)
        ecs.create_cluster()
        for _ in range(3):
            arn = run(ecs, register(ecs, "app", container(command=["true"])))["taskArn"]
            wait_stopped(ecs, arn)
        log = launcher.log_file
        deadline = time.monotonic() + PATIENCE
        while "does not take events of ECS" not in log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        text = launcher.log_file.read_text()
        began = time.monotonic()
        launcher.stop()
    assert time.monotonic() - began < PATIENCE
    assert text.count("does not take events of ECS") == 1
    assert "Traceback" not in text
