"""An application and the sidecar that forwards its log, from the first line to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import pytest

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

    from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.kecs

# Says that it is there, and hands everything on when it is told to end. Crashes on request.
FORWARD = """
trap 'sed "s/^/forwarded: /" logs/app.log; exit 0' TERM
echo connected >> logs/forwarder.log
until [ -e logs/crash ]; do sleep 0.1; done
rm logs/crash
exit 1
"""

SERVE = """
trap 'echo "the last order" >> logs/app.log; exit 0' TERM
echo "the first order" >> logs/app.log
while :; do sleep 0.1; done
"""


def container(name: str, script: str, **more: Any) -> Any:
    """A container that has the volume at /logs and whose script starts in /."""
    return {
        "name": name,
        "image": "busybox:1.36",
        "memory": 64,
        "command": ["sh", "-c", script],
        "mountPoints": [{"sourceVolume": "logs", "containerPath": "/logs"}],
        **more,
    }


def check(command: str) -> dict[str, Any]:
    return {"command": ["CMD-SHELL", command], "interval": 10, "retries": 2}


@pytest.fixture
def shop(ecs_client: ECSClient) -> str:
    """A task definition whose app waits until the forwarder is healthy; returns its family."""
    ecs_client.register_task_definition(
        family="shop",
        volumes=[{"name": "logs"}],
        containerDefinitions=[
            container(
                "app",
                SERVE,
                dependsOn=[{"containerName": "forwarder", "condition": "HEALTHY"}],
                healthCheck=check("test -s logs/app.log"),
            ),
            container(
                "forwarder",
                FORWARD,
                essential=False,
                healthCheck=check("test -s logs/forwarder.log"),
                restartPolicy={"enabled": True, "restartAttemptPeriod": 60},
            ),
        ],
    )
    return "shop"


def run_as(script: str, container: str = "app") -> dict[str, Any]:
    """Overrides that have a container run another script."""
    return {"containerOverrides": [{"name": container, "command": ["sh", "-c", script]}]}


def test_the_sidecar_comes_first(kecs: Kecs, shop: str) -> None:
    task = kecs.run_task(shop, overrides=run_as("cp logs/forwarder.log logs/app.log"))
    stopped = kecs.assert_stopped(task, exit_code=0, container="app")
    assert stopped.exit_codes["forwarder"] == 0
    assert stopped.containers["forwarder"]["healthStatus"] == "HEALTHY"
    assert kecs.logs(task, "forwarder") == "forwarded: connected\n"


def test_the_sidecar_is_stopped_last(ecs_client: ECSClient, kecs: Kecs, shop: str) -> None:
    task = kecs.run_task(shop)
    kecs.assert_healthy(task)
    ecs_client.stop_task(task=task.arn, reason="closing time")
    stopped = kecs.assert_stopped(task, stop_code="UserInitiated", reason="closing time")
    assert stopped.exit_codes == {"app": 0, "forwarder": 0}
    forwarded = "forwarded: the first order\nforwarded: the last order\n"
    assert kecs.logs(task, "forwarder") == forwarded


def test_the_last_words_of_an_app_that_fails(kecs: Kecs, shop: str) -> None:
    task = kecs.run_task(shop, overrides=run_as("echo out of stock > logs/app.log; exit 3"))
    kecs.assert_stopped(task, exit_code=3, container="app", stop_code="EssentialContainerExited")
    assert kecs.logs(task, "forwarder") == "forwarded: out of stock\n"


def test_a_sidecar_that_never_gets_ready(kecs: Kecs, shop: str) -> None:
    task = kecs.run_task(shop, overrides=run_as("exit 1", container="forwarder"))
    stopped = kecs.assert_stopped(
        task,
        exit_code=1,
        container="forwarder",
        stop_code="TaskFailedToStart",
        reason="[forwarder] for target [app] because dependency will never start",
    )
    assert "app" not in stopped.exit_codes  # it never ran


def test_a_sidecar_that_crashes_is_restarted(kecs: Kecs, shop: str) -> None:
    # The app ends when the forwarder has connected twice.
    twice = """
    echo ready > logs/app.log
    until [ "$(wc -l < logs/forwarder.log)" -ge 2 ]; do sleep 0.1; done
    """
    task = kecs.run_task(shop, overrides=run_as(twice))
    kecs.assert_healthy(task)
    kecs.advance_clock(61)  # a container that ran for less than the period is not restarted
    kecs.exec(task, "touch logs/crash", "forwarder")
    stopped = kecs.assert_stopped(task, exit_code=0, container="app")
    assert stopped.exit_codes["forwarder"] == 0
