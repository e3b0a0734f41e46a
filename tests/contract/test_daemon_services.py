"""A DAEMON service has a task on each host of the engine: this machine, or every node."""

from __future__ import annotations

from typing import Any

import pytest
from steps import on_term

from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.documented


def places(ecs_client: Any) -> list[str]:
    """The container instances of the service's tasks."""
    arns = ecs_client.list_tasks(serviceName="d")["taskArns"]
    tasks = ecs_client.describe_tasks(tasks=arns)["tasks"] if arns else []
    return sorted(task["containerInstanceArn"] for task in tasks)


def test_a_task_on_each_host_through_an_update_a_drain_and_the_end(
    kecs: Kecs, ecs_client: Any, register: Any
) -> None:
    ecs_client.create_cluster()
    definition = register(app=on_term("exit 0"))
    ecs_client.create_service(
        serviceName="d", taskDefinition=definition, schedulingStrategy="DAEMON"
    )
    kecs.wait_stable("d")
    hosts = sorted(ecs_client.list_container_instances()["containerInstanceArns"])
    assert places(ecs_client) == hosts
    before = set(ecs_client.list_tasks(serviceName="d")["taskArns"])
    ecs_client.update_service(service="d", forceNewDeployment=True)
    kecs.wait_stable("d")
    assert places(ecs_client) == hosts
    assert not before & set(ecs_client.list_tasks(serviceName="d")["taskArns"])
    [one, *others] = hosts
    ecs_client.update_container_instances_state(containerInstances=[one], status="DRAINING")
    kecs.wait_stable("d")
    assert places(ecs_client) == others
    ecs_client.update_container_instances_state(containerInstances=[one], status="ACTIVE")
    kecs.wait_stable("d")
    assert places(ecs_client) == hosts
    ecs_client.delete_service(service="d")
    ecs_client.get_waiter("services_inactive").wait(services=["d"])
    assert places(ecs_client) == []
