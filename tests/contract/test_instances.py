"""What services do as hosts of the engine (this machine, or every node) drain and go."""

from __future__ import annotations

from typing import Any

import pytest
from steps import on_term
from steps import wait_for

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


def test_what_runs_on_an_instance_that_is_deregistered_by_force_runs_on(
    kecs: Kecs, ecs_client: Any, register: Any
) -> None:
    """ECS takes no more notice of it, and the service has another task in its place."""
    ecs_client.create_cluster()
    definition = register(app="while :; do echo tick; sleep 0.1; done")
    ecs_client.create_service(serviceName="d", taskDefinition=definition, desiredCount=1)
    kecs.wait_stable("d")
    [orphan] = ecs_client.list_tasks(serviceName="d")["taskArns"]
    [host] = places(ecs_client)
    ecs_client.register_container_instance()
    ecs_client.deregister_container_instance(containerInstance=host, force=True)
    stopped = kecs.assert_stopped(orphan, stop_code="UserInitiated")
    assert "exitCode" not in stopped["containers"][0]
    kecs.wait_stable("d")
    [heir] = ecs_client.list_tasks(serviceName="d")["taskArns"]
    assert heir != orphan
    ticks = len(kecs.logs(orphan))
    wait_for(lambda: len(kecs.logs(orphan)) > ticks, "it does not run any more")
