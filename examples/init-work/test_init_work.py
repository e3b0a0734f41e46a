"""Work that is done before a task's application starts: here the migration of a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import ContainerDefinitionTypeDef

    from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.kecs

MIGRATE = """
if [ -z "$DATABASE" ]; then
    echo "DATABASE is not set" >&2
    exit 2
fi
echo "$DATABASE is at version ${VERSION:-7}"
"""


def container(name: str, script: str, *, essential: bool) -> ContainerDefinitionTypeDef:
    return {
        "name": name,
        "image": "busybox:1.36",
        "memory": 64,
        "essential": essential,
        "command": ["sh", "-c", script],
    }


@pytest.fixture
def shop(ecs_client: ECSClient) -> str:
    """A task definition whose app waits for a migration to succeed; returns its family."""
    migrate = container("migrate", MIGRATE, essential=False)
    app = container("app", "echo open for business", essential=True)
    app["dependsOn"] = [{"containerName": "migrate", "condition": "SUCCESS"}]
    ecs_client.register_task_definition(family="shop", containerDefinitions=[app, migrate])
    return "shop"


def test_the_app_starts_after_the_migration(kecs: Kecs, shop: str) -> None:
    task = kecs.run_task(shop, environment={"DATABASE": "orders"})
    stopped = kecs.assert_stopped(task, stop_code="EssentialContainerExited")
    assert stopped.exit_codes == {"migrate": 0, "app": 0}
    assert kecs.logs(task, "migrate") == "orders is at version 7\n"
    assert kecs.logs(task, "app") == "open for business\n"


def test_a_migration_that_fails_ends_the_task(kecs: Kecs, shop: str) -> None:
    task = kecs.run_task(shop)
    stopped = kecs.assert_stopped(
        task,
        exit_code=2,
        container="migrate",
        stop_code="TaskFailedToStart",
        reason="[migrate] for target [app] as dependency did not exit successfully",
    )
    assert "app" not in stopped.exit_codes  # it never ran
    assert kecs.logs(task, "migrate", "stderr") == "DATABASE is not set\n"
    assert kecs.logs(task, "app") == ""


def test_a_second_try_with_an_override(kecs: Kecs, shop: str) -> None:
    kecs.assert_stopped(kecs.run_task(shop), exit_code=2, container="migrate")
    variables = [{"name": "DATABASE", "value": "orders"}, {"name": "VERSION", "value": "8"}]
    task = kecs.run_task(
        shop,
        overrides={"containerOverrides": [{"name": "migrate", "environment": variables}]},
    )
    kecs.assert_stopped(task, exit_code=0, container="app")
    assert kecs.logs(task, "migrate") == "orders is at version 8\n"


def test_work_that_may_fail(ecs_client: ECSClient, kecs: Kecs) -> None:
    warm = container("warm", "echo no cache to warm; exit 1", essential=False)
    app = container("app", "exit 0", essential=True)
    app["dependsOn"] = [{"containerName": "warm", "condition": "COMPLETE"}]
    ecs_client.register_task_definition(family="cached", containerDefinitions=[app, warm])
    stopped = kecs.assert_stopped(kecs.run_task("cached"), exit_code=0, container="app")
    assert stopped.exit_codes["warm"] == 1


def test_a_stop_before_the_app_has_begun(ecs_client: ECSClient, kecs: Kecs, shop: str) -> None:
    slow = "trap 'echo rolled back; exit 4' TERM; sleep 600 & wait"
    task = kecs.run_task(
        shop,
        overrides={"containerOverrides": [{"name": "migrate", "command": ["sh", "-c", slow]}]},
    )
    ecs_client.stop_task(task=task.arn, reason="wrong version")
    stopped = kecs.assert_stopped(task, stop_code="UserInitiated", reason="wrong version")
    assert "app" not in stopped.exit_codes
