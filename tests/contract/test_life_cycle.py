"""States in their order, on a bridge and with a network interface of its own (ecs-facts 6)."""

from __future__ import annotations

from typing import Any

import pytest
from steps import on_term
from steps import wait_ready

from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.documented

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-0a"], "securityGroups": ["sg-0a"]}}
FARGATE = {
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
}


def states(kecs: Kecs, task: Any) -> list[str]:
    """The task's states, in the order in which it had them."""
    words = (
        entry["text"].split(" ")[0]
        for entry in kecs._admin.timeline()
        if entry["kind"] == "task" and entry["subject"] == task["taskArn"]
    )
    return [word for word in words if word.isupper()]


def test_on_a_bridge(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    family = register(app=on_term("exit 0"))
    ecs_client.create_cluster()
    [task] = ecs_client.run_task(taskDefinition=family)["tasks"]
    assert (task["lastStatus"], task["desiredStatus"], task["version"]) == ("PENDING", "RUNNING", 1)
    assert task["launchType"] == "EC2"
    assert [container["lastStatus"] for container in task["containers"]] == ["PENDING"]
    running = kecs.wait_running(task)
    assert running["connectivity"] == "CONNECTED"
    assert running["pullStartedAt"] <= running["pullStoppedAt"]
    assert running["containers"][0]["runtimeId"]
    wait_ready(kecs, running)
    ecs_client.stop_task(task=task["taskArn"])
    kecs.wait_stopped(task)
    assert states(kecs, task) == ["PENDING", "RUNNING", "STOPPING", "STOPPED"]


def test_on_fargate(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    family = register("app", FARGATE, app=on_term("exit 0"))
    ecs_client.create_cluster()
    [task] = ecs_client.run_task(
        taskDefinition=family, launchType="FARGATE", networkConfiguration=NETWORK
    )["tasks"]
    assert (task["lastStatus"], task["version"]) == ("PROVISIONING", 1)
    [attachment] = task["attachments"]
    assert (attachment["type"], attachment["status"]) == ("ElasticNetworkInterface", "PRECREATED")
    assert attachment["details"] == [{"name": "subnetId", "value": "subnet-0a"}]
    running = kecs.wait_running(task)
    assert running["version"] == 4
    [attachment] = running["attachments"]
    details = {detail["name"]: detail["value"] for detail in attachment["details"]}
    [interface] = running["containers"][0]["networkInterfaces"]
    assert attachment["status"] == "ATTACHED"
    assert interface["privateIpv4Address"] == details["privateIPv4Address"]
    wait_ready(kecs, running)
    ecs_client.stop_task(task=task["taskArn"])
    stopped = kecs.wait_stopped(task)
    assert stopped["attachments"][0]["status"] == "DELETED"
    assert stopped["version"] == 6
    assert states(kecs, task) == [
        "PROVISIONING",
        "PENDING",
        "RUNNING",
        "STOPPING",
        "DEPROVISIONING",
        "STOPPED",
    ]


def test_on_what_the_clusters_strategy_says(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    group = {"autoScalingGroupArn": "group", "managedScaling": {"status": "ENABLED"}}
    ecs_client.create_capacity_provider(name="group", autoScalingGroupProvider=group)
    ecs_client.create_cluster(
        capacityProviders=["group"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "group", "weight": 1}],
    )
    # Also while its attachments are being made.
    task = kecs.run_task(register(app="true"))
    kecs.assert_stopped(task, exit_code=0)
    [described] = ecs_client.describe_tasks(tasks=[task["taskArn"]])["tasks"]
    assert (described["launchType"], described["capacityProviderName"]) == ("EC2", "group")
