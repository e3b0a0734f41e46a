"""How a service's deployments end: circuit breaker, alarms, requests, hooks (ecs-facts 8)."""

from __future__ import annotations

from typing import Any

import pytest
from kecs_server.domain.deployment import ROLLBACK_REQUESTED
from kecs_server.domain.deployment import STOP_REQUESTED
from kecs_server.domain.deployment import SUCCEEDED
from kecs_server.domain.deployment import breaker_threshold
from service_world import World

BREAKER = {"enable": True, "rollback": True}
LOST = "ECS deployment circuit breaker: tasks failed to start."


@pytest.mark.parametrize(
    ("desired", "kind", "value", "threshold"),
    [
        (1, "BOUNDED_PERCENT", 50, 3),
        (7, "BOUNDED_PERCENT", 50, 4),
        (25, "BOUNDED_PERCENT", 50, 13),
        (400, "BOUNDED_PERCENT", 50, 200),
        (800, "BOUNDED_PERCENT", 50, 200),
        (10, "BOUNDED_PERCENT", 100, 10),
        (2, "UNBOUNDED_PERCENT", 50, 1),
        (800, "UNBOUNDED_PERCENT", 50, 400),
        (0, "UNBOUNDED_PERCENT", 50, 1),
        (800, "COUNT", 2, 2),
    ],
)
def test_threshold(desired: int, kind: str, value: int, threshold: int) -> None:
    breaker = {"thresholdConfiguration": {"type": kind, "value": value}}
    assert breaker_threshold({"deploymentCircuitBreaker": breaker}, desired) == threshold


def test_a_deployment_from_pending_to_successful() -> None:
    world = World(2)
    way = world.service.history[0]
    assert (way.status, way.started_at) == ("PENDING", None)
    world.look()
    assert (way.status, way.step.stage) == ("IN_PROGRESS", "SCALE_UP")
    world.settle()
    assert (way.status, way.step.stage) == ("SUCCESSFUL", "CLEAN_UP")
    assert way.finished_at is not None
    assert way.stopped_at is None
    assert world.service.current is None


def test_the_breaker_ends_a_first_deployment_for_good() -> None:
    world = World(1, deploymentCircuitBreaker=BREAKER)
    world.fail_starts(3)
    assert world.started() == []
    way, primary = world.service.history[0], world.service.primary
    assert (primary.rollout_state, primary.rollout_reason) == ("FAILED", LOST)
    assert (way.status, way.tripped, way.rollback) == ("STOPPED", True, None)
    assert way.stopped_at == way.finished_at == world.now
    assert primary.failed_tasks == 3
    assert "(deployment ecs-svc/1) deployment failed: tasks failed to start." in world.texts()
    world.now += 10_000
    assert world.started() == []
    assert not world.service.is_steady


def test_the_breaker_rolls_back_to_the_last_that_completed() -> None:
    world = World(2, deploymentCircuitBreaker=BREAKER)
    world.settle()
    way = world.deploy("2")
    world.fail_starts(3)
    world.look()
    failed = world.service.revisions["2"]
    assert (failed.rollout_state, failed.rollout_reason) == ("FAILED", LOST)
    assert way.status == "ROLLBACK_IN_PROGRESS"
    primary = world.service.primary
    assert primary.number not in ("1", "2")
    assert primary.task_definition is world.service.revisions["1"].task_definition
    assert primary.rollout_reason == (
        "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."
    )
    assert "rolling back to deployment ecs-svc/1." in world.texts()
    world.settle()
    assert way.status == "ROLLBACK_SUCCESSFUL"
    assert way.rollback is not None
    assert way.rollback.to is primary
    assert [each.number for each in world.service.deployments] == [primary.number]
    assert primary.rollout_state == "COMPLETED"
    assert world.counts() == {primary.number: 2}
    # What comes next can be rolled back to it.
    assert world.service.last_completed is primary


def test_a_failed_deployment_without_rollback_leaves_the_old_tasks() -> None:
    world = World(2, deploymentCircuitBreaker={"enable": True, "rollback": False})
    world.settle()
    world.deploy("2")
    world.fail_starts(3)
    world.settle()
    assert world.service.primary.rollout_state == "FAILED"
    assert world.counts()["1"] == 2
    world.service.want(1)
    world.settle()
    assert world.counts()["1"] == 1
    world.service.want(0)
    world.settle()
    assert world.counts() == {}
    world.service.want(2)
    world.deploy("3")
    world.settle()
    assert world.counts() == {"3": 2}
    assert world.service.history[-1].status == "SUCCESSFUL"


def test_a_rollback_that_fails_too() -> None:
    world = World(1, deploymentCircuitBreaker=BREAKER)
    world.settle()
    way = world.deploy("2")
    world.fail_starts(3)
    world.look()
    for task in list(world.cluster.tasks.values()):
        if task.started_by == "ecs-svc/1":
            world.stop(task, "UserInitiated")
    world.fail_starts(3)
    world.look()
    assert way.status == "ROLLBACK_FAILED"
    assert world.service.primary.rollout_state == "FAILED"


def test_without_a_breaker_it_goes_on() -> None:
    world = World(1)
    world.fail_starts(10)
    assert world.service.primary.rollout_state == "IN_PROGRESS"
    assert world.service.primary.failed_tasks == 10
    impaired = [text for text in world.texts() if "unable to consistently start" in text]
    assert len(impaired) == 1


def test_failed_starts_do_not_count_once_a_task_has_run() -> None:
    world = World(2, deploymentCircuitBreaker=BREAKER)
    world.run(world.started()[0])
    world.fail_starts(5)
    assert world.service.primary.failures == 0
    assert world.service.primary.rollout_state == "IN_PROGRESS"


@pytest.mark.parametrize("resets", [True, False])
def test_a_healthy_task_ends_the_count(*, resets: bool) -> None:
    breaker = {**BREAKER, "resetOnHealthyTask": resets}
    world = World(2, deploymentCircuitBreaker=breaker, maximumPercent=100)
    world.deploy("2", health_check=True)
    for _ in range(2):
        first, second = [*world.started(), *world.pending()][:2]
        world.run(first, second)
        world.check(first, "HEALTHY")
        world.look()
        world.check(second, "UNHEALTHY")
        world.look()
        world.stop(first, "UserInitiated")
    primary = world.service.primary
    assert primary.failures == (1 if resets else 2)
    assert primary.failed_tasks == 1


def test_health_checks_that_fail_trip_the_breaker() -> None:
    world = World(1, deploymentCircuitBreaker=BREAKER)
    world.settle()
    way = world.deploy("2", health_check=True)
    for _ in range(3):
        [task] = world.started()
        world.run(task)
        world.check(task, "UNHEALTHY")
        world.look()
        assert task.desired_status == "STOPPED"
        world.stop(task, "ServiceSchedulerInitiated")
    world.settle()
    assert way.status == "ROLLBACK_SUCCESSFUL"


def test_health_checks_are_ignored_in_the_grace_period() -> None:
    world = World(1, maximumPercent=100)
    world.service.settings["healthCheckGracePeriodSeconds"] = 60
    world.deploy("2", health_check=True)
    [task] = world.started()
    world.run(task)
    world.check(task, "UNHEALTHY")
    assert world.look().look_again_at == world.now + 60
    assert task.desired_status == "RUNNING"
    world.pass_time(60)
    assert task.desired_status == "STOPPED"


def test_an_alarm_rolls_back() -> None:
    alarms = {"enable": True, "rollback": True, "alarmNames": ["errors", "latency"]}
    world = World(1, alarms=alarms)
    world.settle()
    world.alarms["latency"] = "ALARM"
    way = world.deploy("2")
    world.look()
    assert way.ignored_alarms == {"latency"}
    world.alarms["others"] = "ALARM"
    world.look()
    assert way.status == "IN_PROGRESS"
    world.alarms["errors"] = "ALARM"
    world.look()
    assert way.status == "ROLLBACK_IN_PROGRESS"
    assert way.triggered_alarms == ("errors",)
    world.settle()
    assert way.status == "ROLLBACK_SUCCESSFUL"


def test_an_alarm_without_rollback_stops() -> None:
    world = World(1, alarms={"enable": True, "rollback": False, "alarmNames": ["errors"]})
    world.look()
    world.alarms["errors"] = "ALARM"
    world.look()
    assert world.service.history[0].status == "STOPPED"


def test_alarms_count_until_the_bake_time_is_over() -> None:
    alarms = {"enable": True, "rollback": True, "alarmNames": ["errors"]}
    world = World(1, alarms=alarms, bakeTimeInMinutes=5)
    world.settle()
    assert world.service.history[0].step.stage == "BAKE_TIME"
    world.pass_time(300)
    assert world.service.history[0].status == "SUCCESSFUL"
    way = world.deploy("2")
    world.settle()
    assert (way.status, way.step.stage) == ("IN_PROGRESS", "BAKE_TIME")
    world.alarms["errors"] = "ALARM"
    world.settle()
    assert way.status == "ROLLBACK_SUCCESSFUL"
    world.deploy("3")
    world.pass_time(600)
    world.alarms["errors"] = "OK"


def test_a_newer_deployment_ends_an_older_one() -> None:
    world = World(2)
    world.settle()
    second = world.deploy("2")
    world.look()
    third = world.deploy("3")
    assert second.status == "STOPPED"
    assert second.status_reason is not None
    assert [source.number for source in third.sources] == ["2", "1"]
    assert third.step.stage == "RECONCILE_SERVICE"
    world.settle()
    assert third.status == "SUCCESSFUL"
    assert world.counts() == {"3": 2}
    assert world.service.revisions["2"].rollout_state == "IN_PROGRESS"


def test_requests_to_stop() -> None:
    world = World(2)
    world.settle()
    way = world.deploy("2")
    world.look()
    way.status = ROLLBACK_REQUESTED
    world.settle()
    assert way.status == "ROLLBACK_SUCCESSFUL"
    way = world.deploy("3")
    world.look()
    way.status = STOP_REQUESTED
    world.look()
    assert way.status == "STOPPED"
    before = world.counts()
    world.settle()
    assert world.counts() == before


def pause(*stages: str, **members: Any) -> dict[str, Any]:
    return {"targetType": "PAUSE", "lifecycleStages": list(stages), **members}


def test_a_pause_before_tasks_are_exchanged() -> None:
    world = World(2)
    world.settle()
    world.service.deployment_configuration["lifecycleHooks"] = [pause("PRE_SCALE_UP")]
    way = world.deploy("2")
    world.settle()
    assert (way.status, way.step.stage) == ("IN_PROGRESS", "PRE_SCALE_UP")
    [run] = way.hooks
    assert (run.status, run.stage) == ("AWAITING_ACTION", "PRE_SCALE_UP")
    assert world.counts() == {"1": 2}
    # What dies meanwhile is replaced by its like.
    world.stop(next(iter(world.cluster.tasks.values())), "UserInitiated")
    world.settle()
    assert world.counts() == {"1": 2}
    run.status = SUCCEEDED
    world.settle()
    assert way.status == "SUCCESSFUL"
    assert world.counts() == {"2": 2}


def test_a_pause_of_the_first_deployment_starts_nothing() -> None:
    world = World(2, lifecycleHooks=[pause("PRE_SCALE_UP")])
    world.settle()
    assert world.counts() == {}
    world.service.history[0].hooks[0].status = SUCCEEDED
    world.settle()
    assert world.counts() == {"1": 2}


@pytest.mark.parametrize(
    ("action", "status"), [("CONTINUE", "SUCCESSFUL"), ("ROLLBACK", "ROLLBACK_SUCCESSFUL")]
)
def test_a_pause_that_nobody_ends(action: str, status: str) -> None:
    world = World(1)
    world.settle()
    timeout = {"timeoutInMinutes": 10, "action": action}
    hook = pause("POST_SCALE_UP", timeoutConfiguration=timeout)
    world.service.deployment_configuration["lifecycleHooks"] = [hook]
    way = world.deploy("2")
    world.settle()
    assert way.step.stage == "POST_SCALE_UP"
    assert world.look().look_again_at == way.hooks[0].expires_at
    world.pass_time(600)
    assert way.hooks[0].status == "TIMED_OUT"
    world.settle()
    assert way.status == status


def test_early_success() -> None:
    criteria = {
        "enable": True,
        "healthyPercent": 50,
        "sourceServiceRevisionCleanup": "DEFERRED",
    }
    world = World(4, minimumHealthyPercent=50, earlySuccessCriteria=criteria)
    world.settle()
    way = world.deploy("2")
    new = world.started()
    world.run(*new[:2])
    world.pass_time(1)
    assert way.status == "SUCCESSFUL"
    # What is left goes on in the background.
    assert len(world.service.deployments) == 2
    world.settle()
    assert len(world.service.deployments) == 1
    assert world.counts() == {"2": 4}
    assert world.service.is_steady
    criteria["sourceServiceRevisionCleanup"] = "BLOCKING"
    way = world.deploy("3")
    world.run(*world.started()[:2])
    world.pass_time(1)
    assert (way.status, way.step.stage) == ("IN_PROGRESS", "CLEAN_UP")
    world.settle()
    assert way.status == "SUCCESSFUL"
