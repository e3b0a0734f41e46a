"""The main job: run real ECS tasks, and see what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

    from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.kecs

# Ends at once when it is told to, with the exit code of a process that SIGTERM ended.
SERVE = "trap 'exit 143' TERM; sleep 600 & wait"


def register(ecs_client: ECSClient, family: str, script: str) -> None:
    """Register a task definition with one container that runs a shell script."""
    ecs_client.register_task_definition(
        family=family,
        containerDefinitions=[
            {
                "name": "app",
                "image": "busybox:1.36",
                "memory": 128,
                "command": ["sh", "-c", script],
            }
        ],
    )


def test_a_task_that_succeeds(ecs_client: ECSClient, kecs: Kecs) -> None:
    register(ecs_client, "hello", 'echo "hello, $WHO"')
    task = kecs.run_task("hello", environment={"WHO": "world"})
    kecs.assert_stopped(task, exit_code=0)
    assert kecs.logs(task) == "hello, world\n"


def test_a_task_that_fails(ecs_client: ECSClient, kecs: Kecs) -> None:
    register(ecs_client, "worker", "exit 3")
    task = kecs.run_task("worker")
    stopped = kecs.assert_stopped(task, exit_code=3, stop_code="EssentialContainerExited")
    assert stopped.stopped_reason == "Essential container in task exited"


def test_a_task_that_is_stopped(ecs_client: ECSClient, kecs: Kecs) -> None:
    register(ecs_client, "server", SERVE)
    task = kecs.run_task("server")
    kecs.assert_running(task)
    ecs_client.stop_task(task=task.arn, reason="no longer needed")
    kecs.assert_stopped(task, exit_code=143, stop_code="UserInitiated", reason="no longer needed")


def test_a_service_keeps_two_tasks(ecs_client: ECSClient, kecs: Kecs) -> None:
    register(ecs_client, "web", SERVE)
    ecs_client.create_cluster(clusterName="default")
    ecs_client.create_service(serviceName="web", taskDefinition="web", desiredCount=2)
    kecs.assert_service_stable("web")
    before = ecs_client.list_tasks(serviceName="web")["taskArns"]
    assert len(before) == 2

    ecs_client.stop_task(task=before[0])
    kecs.wait_stopped(before[0])
    kecs.assert_service_stable("web")
    after = ecs_client.list_tasks(serviceName="web")["taskArns"]
    assert len(after) == 2
    assert before[0] not in after
