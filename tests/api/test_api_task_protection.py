"""UpdateTaskProtection and GetTaskProtection (ecs-facts 10)."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.documented

MISSING = "0" * 32


@pytest.fixture
def service_task(ecs: Any) -> str:
    """The id of the one task of a service."""
    ecs.create_cluster()
    ecs.register_task_definition(
        family="app",
        containerDefinitions=[
            {"name": "app", "image": "x", "memory": 8, "command": ["sleep", "600"]}
        ],
    )
    ecs.create_service(serviceName="app", taskDefinition="app", desiredCount=1)
    ecs.get_waiter("services_stable").wait(cluster="default", services=["app"])
    [arn] = ecs.list_tasks(serviceName="app")["taskArns"]
    return str(arn)


def test_on_and_off(ecs: Any, service_task: str) -> None:
    answer = ecs.update_task_protection(
        cluster="default", tasks=[service_task], protectionEnabled=True, expiresInMinutes=5
    )
    [protected] = answer["protectedTasks"]
    assert protected["protectionEnabled"] is True
    assert answer["failures"] == []
    assert ecs.get_task_protection(cluster="default", tasks=[service_task])["protectedTasks"] == [
        protected
    ]
    ecs.update_task_protection(cluster="default", tasks=[service_task], protectionEnabled=False)
    assert ecs.get_task_protection(cluster="default", tasks=[service_task])["protectedTasks"] == [
        {"taskArn": service_task, "protectionEnabled": False}
    ]


def test_failures(ecs: Any, service_task: str) -> None:
    alone = ecs.run_task(taskDefinition="app")["tasks"][0]["taskArn"]
    answer = ecs.update_task_protection(
        cluster="default", tasks=[alone, MISSING, service_task], protectionEnabled=True
    )
    assert [task["taskArn"] for task in answer["protectedTasks"]] == [service_task]
    assert [failure["reason"] for failure in answer["failures"]] == ["TASK_NOT_VALID", "MISSING"]
    ecs.update_service(service="app", desiredCount=2)
    ecs.get_waiter("services_stable").wait(cluster="default", services=["app"])
    ecs.update_service(service="app", desiredCount=1)
    ecs.get_waiter("services_stable").wait(cluster="default", services=["app"])
    assert ecs.list_tasks(serviceName="app")["taskArns"] == [service_task]


@pytest.mark.parametrize(
    "wrong",
    [{"tasks": []}, {"tasks": [MISSING] * 11}, {"expiresInMinutes": 0}, {"expiresInMinutes": 2881}],
)
def test_refused(ecs: Any, wrong: dict[str, Any]) -> None:
    ecs.create_cluster()
    given = {"cluster": "default", "tasks": [MISSING], "protectionEnabled": True, **wrong}
    with pytest.raises(ecs.exceptions.InvalidParameterException):
        ecs.update_task_protection(**given)
