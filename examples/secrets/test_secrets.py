"""A worker with a password, a token and an environment file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

    from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.kecs

DATABASE = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/database-AbCdEf"
SETTINGS = "arn:aws:s3:::shop-settings/worker.env"
WORK = """
[ "$TOKEN" = "t0ken" ] || { echo "the token is wrong" >&2; exit 2; }
echo "$USER_NAME works at level $LEVEL with a password of ${#PASSWORD} characters"
"""


@pytest.fixture
def worker(ecs_client: ECSClient) -> str:
    """A task definition that refers to two secrets and a file; returns its family."""
    ecs_client.register_task_definition(
        family="worker",
        executionRoleArn="arn:aws:iam::123456789012:role/execution",
        containerDefinitions=[
            {
                "name": "app",
                "image": "busybox:1.36",
                "memory": 64,
                "command": ["sh", "-c", WORK],
                "secrets": [
                    {"name": "USER_NAME", "valueFrom": f"{DATABASE}:user::"},
                    {"name": "PASSWORD", "valueFrom": f"{DATABASE}:password::"},
                    {"name": "TOKEN", "valueFrom": "/shop/token"},
                ],
                "environmentFiles": [{"type": "s3", "value": SETTINGS}],
            }
        ],
    )
    return "worker"


@pytest.fixture
def registered(kecs: Kecs) -> None:
    """What the references stand for."""
    kecs.set_secret("shop/database", {"user": "ann", "password": "hunter2"})
    kecs.set_secret("/shop/token", "t0ken")
    kecs.put_env_file(SETTINGS, "# of the shop\nLEVEL=debug\n")


@pytest.mark.usefixtures("registered")
def test_the_worker_gets_all(kecs: Kecs, worker: str) -> None:
    task = kecs.run_task(worker)
    kecs.assert_stopped(task, exit_code=0)
    assert kecs.logs(task) == "ann works at level debug with a password of 7 characters\n"


@pytest.mark.usefixtures("registered")
def test_a_changed_secret_reaches_the_next_task(kecs: Kecs, worker: str) -> None:
    kecs.set_secret("/shop/token", "another")
    task = kecs.run_task(worker)
    kecs.assert_stopped(task, exit_code=2)
    assert kecs.logs(task, stream="stderr") == "the token is wrong\n"


def test_a_missing_secret_fails_the_task(kecs: Kecs, worker: str) -> None:
    task = kecs.run_task(worker)
    kecs.assert_stopped(
        task, stop_code="TaskFailedToStart", reason="can't find the specified secret"
    )
