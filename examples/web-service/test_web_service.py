"""Two tasks of one service side by side, each reached over its own address."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

    from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.kecs


@pytest.fixture
def service(ecs_client: ECSClient, kecs: Kecs) -> list[str]:
    """A service that runs two tasks; their ARNs."""
    ecs_client.register_task_definition(
        family="web",
        containerDefinitions=[
            {
                "name": "web",
                "image": "shop/web:1",
                "memory": 128,
                "portMappings": [{"containerPort": 8080}],
                "environment": [{"name": "GREETING", "value": "hello"}],
            }
        ],
    )
    ecs_client.create_cluster(clusterName="default")
    ecs_client.create_service(serviceName="web", taskDefinition="web", desiredCount=2)
    kecs.assert_service_stable("web")
    return ecs_client.list_tasks(serviceName="web")["taskArns"]


def ask(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def test_each_task_answers_for_itself(kecs: Kecs, service: list[str]) -> None:
    answers = {ask(kecs.url(task)) for task in service}
    assert len(answers) == 2
    assert all(answer.startswith("hello from ") for answer in answers)


def test_the_host_port_that_ecs_reports(kecs: Kecs, service: list[str]) -> None:
    kecs.url(service[0])  # the program listens
    [binding] = kecs.describe(service[0]).containers["web"]["networkBindings"]
    assert binding["containerPort"] == 8080
    assert ask(f"http://127.0.0.1:{binding['hostPort']}").startswith("hello from ")
