"""A service keeps its count, replaces what died, exchanges its tasks, and goes (ecs-facts 7)."""

from __future__ import annotations

from typing import Any

import pytest
from steps import on_term
from steps import wait_for

from pytest_kecs.kecs import Kecs
from pytest_kecs.waiting import WaitTimeout
from pytest_kecs.waiting import wait_until

pytestmark = pytest.mark.documented


@pytest.fixture
def service(kecs: Kecs, ecs_client: Any, register: Any) -> str:
    """A service of two tasks that end quickly when told to."""
    ecs_client.create_cluster()
    ecs_client.create_service(
        serviceName="web", taskDefinition=register(app=on_term("exit 0")), desiredCount=2
    )
    kecs.wait_stable("web")
    return "web"


def running(ecs_client: Any) -> set[str]:
    return set(ecs_client.list_tasks(serviceName="web")["taskArns"])


def messages(ecs_client: Any) -> list[str]:
    [service] = ecs_client.describe_services(services=["web"])["services"]
    return [event["message"] for event in service["events"]]


def test_keeps_two_tasks(ecs_client: Any, service: str) -> None:
    [described] = ecs_client.describe_services(services=[service])["services"]
    assert described["deployments"][0]["rolloutState"] == "COMPLETED"
    assert (described["runningCount"], described["pendingCount"]) == (2, 0)
    tasks = ecs_client.describe_tasks(tasks=list(running(ecs_client)))["tasks"]
    assert {task["group"] for task in tasks} == {"service:web"}
    assert {task["startedBy"] for task in tasks} == {described["deployments"][0]["id"]}
    assert messages(ecs_client)[0] == "(service web) has reached a steady state."


def test_replaces_a_task_that_was_stopped(kecs: Kecs, ecs_client: Any, service: str) -> None:
    before = running(ecs_client)
    victim = min(before)
    ecs_client.stop_task(task=victim)
    kecs.assert_stopped(victim, stop_code="UserInitiated")
    kecs.wait_stable(service)
    after = running(ecs_client)
    assert len(after) == 2
    assert after & before == before - {victim}


def test_scales_out_and_in(kecs: Kecs, ecs_client: Any, service: str) -> None:
    for count in (4, 1):
        ecs_client.update_service(service=service, desiredCount=count)
        kecs.wait_stable(service)
        assert len(running(ecs_client)) == count
    stopped = ecs_client.list_tasks(serviceName=service, desiredStatus="STOPPED")["taskArns"]
    reasons = {task["stoppedReason"] for task in ecs_client.describe_tasks(tasks=stopped)["tasks"]}
    [reason] = reasons
    assert reason.startswith("Scaling activity initiated by (deployment ecs-svc/")


def test_new_definition_replaces_all_tasks(
    kecs: Kecs, ecs_client: Any, service: str, register: Any
) -> None:
    before = running(ecs_client)
    register(app=on_term("exit 1"))
    answer = ecs_client.update_service(service=service, taskDefinition="app")["service"]
    assert [d["status"] for d in answer["deployments"]] == ["PRIMARY", "ACTIVE"]
    assert answer["taskDefinition"].endswith("/app:2")
    stable = kecs.wait_stable(service)
    assert [d["rolloutState"] for d in stable["deployments"]] == ["COMPLETED"]
    assert not running(ecs_client) & before


def test_deleted_service_drains(kecs: Kecs, ecs_client: Any, service: str) -> None:
    answer = ecs_client.delete_service(service=service, force=True)["service"]
    assert (answer["status"], answer["desiredCount"]) == ("DRAINING", 0)

    def is_inactive() -> bool | None:
        [described] = ecs_client.describe_services(services=[service])["services"]
        return True if described["status"] == "INACTIVE" else None

    assert wait_until(kecs._admin, is_inactive, 30.0)
    assert ecs_client.list_tasks()["taskArns"] == []


def test_tasks_that_cannot_start_are_not_started_without_end(
    kecs: Kecs, ecs_client: Any, register: Any
) -> None:
    kecs.map_image("*", pull_error="no such image")
    ecs_client.create_cluster()
    ecs_client.create_service(
        serviceName="web", taskDefinition=register(app="exit 0"), desiredCount=1
    )

    def has_failed_twice() -> int | None:
        [described] = ecs_client.describe_services(services=["web"])["services"]
        failed: int = described["deployments"][0]["failedTasks"]
        return failed if failed >= 2 else None

    assert wait_until(kecs._admin, has_failed_twice, 30.0) == 2
    assert len(ecs_client.list_tasks(desiredStatus="STOPPED")["taskArns"]) == 2


def test_tasks_that_exit_at_once_do_not_complete_a_deployment(
    kecs: Kecs, ecs_client: Any, register: Any
) -> None:
    ecs_client.create_cluster()
    ecs_client.create_service(
        serviceName="web", taskDefinition=register(app="exit 1"), desiredCount=1
    )

    with pytest.raises(WaitTimeout):
        kecs.assert_service_stable("web", timeout=0.5)

    def have_exited() -> list[str] | None:
        arns: list[str] = ecs_client.list_tasks(desiredStatus="STOPPED")["taskArns"]
        return arns if len(arns) >= 3 else None

    assert wait_until(kecs._admin, have_exited, 30.0)
    [described] = ecs_client.describe_services(services=["web"])["services"]
    assert described["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert not any("steady" in message for message in messages(ecs_client))


def test_replaces_a_task_whose_health_checks_fail(
    kecs: Kecs, ecs_client: Any, register: Any
) -> None:
    """The replacement comes first; the service is stable again when that is healthy."""
    check = {"command": ["CMD-SHELL", "test ! -e sick"], "interval": 5, "retries": 1}
    app = {"command": on_term("exit 0"), "healthCheck": check}
    ecs_client.create_cluster()
    ecs_client.create_service(serviceName="web", taskDefinition=register(app=app), desiredCount=1)
    kecs.wait_stable("web")
    [victim] = running(ecs_client)
    assert kecs.describe(victim)["healthStatus"] == "HEALTHY"
    assert kecs.exec(victim, "touch sick").exit_code == 0
    kecs.advance_clock(6)
    stopped = kecs.assert_stopped(victim, stop_code="ServiceSchedulerInitiated")
    assert stopped["stoppedReason"] == "Task failed container health checks"
    assert stopped["healthStatus"] == "UNHEALTHY"
    kecs.wait_stable("web")
    [heir] = running(ecs_client)
    heir_started = kecs.describe(heir)["startedAt"]
    assert heir_started < stopped["stoppingAt"]
    text = f"(service web) (task {stopped.id}) failed container health checks."
    assert text in messages(ecs_client)


def test_failed_tasks_are_those_whose_health_checks_failed_until_one_is_healthy(
    kecs: Kecs, ecs_client: Any, register: Any
) -> None:
    def failed_tasks() -> int:
        [service] = ecs_client.describe_services(services=["web"])["services"]
        return int(service["deployments"][0]["failedTasks"])

    check = {"command": ["CMD-SHELL", "exit 1"], "interval": 5, "retries": 1}
    app = {"command": on_term("exit 0"), "healthCheck": check}
    ecs_client.create_cluster()
    ecs_client.create_service(
        serviceName="web",
        taskDefinition=register(app=app),
        desiredCount=1,
        deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 100},
    )
    seen: set[str] = set()
    for count in (1, 2):
        wait_for(lambda: running(ecs_client) - seen, "no replacement")
        [task] = running(ecs_client) - seen
        seen.add(task)
        kecs.wait_running(task)
        kecs.advance_clock(6)
        kecs.assert_stopped(task, reason="Task failed container health checks")
        assert failed_tasks() == count
    ecs_client.update_service(service="web", taskDefinition=register(app=on_term("exit 0")))
    kecs.wait_stable("web")
    assert failed_tasks() == 0
