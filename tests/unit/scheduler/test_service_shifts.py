"""Blue/green, linear and canary deployments: two revisions side by side, and traffic that is
shifted from one to the other (ecs-facts 8.6, 8.7).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from kecs_server.domain import deploying
from kecs_server.domain import hooks
from kecs_server.domain.deployment import ROLLBACK_REQUESTED
from kecs_server.domain.deployment import STOP_REQUESTED
from kecs_server.domain.deployment import ServiceDeployment
from kecs_server.domain.discovery import Turns
from service_world import World

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:check"
STRATEGIES = ("BLUE_GREEN", "LINEAR", "CANARY")


def deployed(**configuration: Any) -> tuple[World, ServiceDeployment]:
    """A service of two tasks, and a second deployment that has just begun."""
    world = World(2, **configuration)
    world.settle()
    assert world.service.history[0].status == "SUCCESSFUL"
    return world, world.deploy("2")


def weights(world: World, kind: str = "production") -> dict[str, float]:
    return deploying.weights(world.service, kind)


def test_blue_and_green() -> None:
    world, way = deployed(strategy="BLUE_GREEN", bakeTimeInMinutes=5)
    assert weights(world) == {"1": 100, "2": 0}
    world.settle()
    # Both are whole while the traffic has moved and time is left to come back.
    assert (way.status, way.step.stage) == ("IN_PROGRESS", "BAKE_TIME")
    assert world.counts() == {"1": 2, "2": 2}
    assert weights(world) == {"1": 0, "2": 100}
    assert weights(world, "test") == {"1": 0, "2": 100}
    assert [each.desired_count for each in world.service.deployments] == [2, 2]
    world.pass_time(300)
    world.settle()
    assert way.status == "SUCCESSFUL"
    assert world.counts() == {"2": 2}
    assert weights(world) == {"2": 100}


def test_the_source_serves_until_the_target_is_whole() -> None:
    world, way = deployed(strategy="BLUE_GREEN")
    new = world.started()
    assert len(new) == 2
    world.run(new[0])
    world.pass_time(10)
    assert way.step.stage == "SCALE_UP"
    assert weights(world) == {"1": 100, "2": 0}
    # What serves is replaced by its like.
    old = next(task for task in world.cluster.tasks.values() if task.started_by == "ecs-svc/1")
    world.stop(old, "UserInitiated")
    [replacement] = world.started()
    assert replacement.started_by == "ecs-svc/1"


def test_a_canary_moves_in_two_steps() -> None:
    canary = {"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 10}
    world, way = deployed(strategy="CANARY", canaryConfiguration=canary)
    world.settle()
    assert weights(world) == {"1": 80, "2": 20}
    assert way.step.stage == "PRODUCTION_TRAFFIC_SHIFT"
    world.pass_time(599 - 50 * 0.25)
    assert weights(world) == {"1": 80, "2": 20}
    world.pass_time(50)
    assert weights(world)["2"] == 100
    world.settle()
    assert way.status == "SUCCESSFUL"


def test_what_is_found_by_name_has_its_weight() -> None:
    canary = {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}
    world, way = deployed(strategy="CANARY", canaryConfiguration=canary)
    turns = Turns()

    def served() -> Counter[str | None]:
        tasks = world.cluster.service_tasks("s")
        return Counter(turns.order(world.service, tasks)[0].started_by for _ in range(100))

    assert served() == {"ecs-svc/1": 100}
    world.settle()
    assert way.step.stage == "PRODUCTION_TRAFFIC_SHIFT"
    assert served() == {"ecs-svc/1": 95, "ecs-svc/2": 5}
    world.pass_time(600)
    world.settle()
    assert way.status == "SUCCESSFUL"
    assert served() == {"ecs-svc/2": 100}


def test_equal_steps() -> None:
    linear = {"stepPercent": 25.0, "stepBakeTimeInMinutes": 1}
    world, way = deployed(strategy="LINEAR", linearConfiguration=linear)
    world.run(*world.started())
    world.pass_time(1)
    seen = [weights(world)["2"]]
    while way.status == "IN_PROGRESS" and weights(world)["2"] < 100:
        world.pass_time(60)
        seen.append(weights(world)["2"])
    assert seen == [25, 50, 75, 100]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "stage",
    [
        "PRE_SCALE_UP",
        "POST_SCALE_UP",
        "TEST_TRAFFIC_SHIFT",
        "POST_TEST_TRAFFIC_SHIFT",
        "PRE_PRODUCTION_TRAFFIC_SHIFT",
        "PRODUCTION_TRAFFIC_SHIFT",
        "POST_PRODUCTION_TRAFFIC_SHIFT",
    ],
)
def test_rollback_from_every_stage(strategy: str, stage: str) -> None:
    world, way = deployed(strategy=strategy)
    hook = {"hookTargetArn": FUNCTION, "lifecycleStages": [stage]}
    world.service.deployment_configuration["lifecycleHooks"] = [hook]
    answers: list[str] = []

    def answer(stages: list[str]) -> None:
        for call in world.look().calls:
            assert call.run.stage == stage
            status = "SUCCEEDED" if way.rollback else "FAILED"
            hooks.take_answer(world.service, call.run, {"hookStatus": status}, world.now)
            stages.append(status)

    for _ in range(30):
        world.settle_once()
        answer(answers)
        world.now += 200
    assert way.status == "ROLLBACK_SUCCESSFUL"
    assert answers[0] == "FAILED"
    # On the way back only hooks of shifts run, where there was something to shift back.
    back = ["SUCCEEDED"] if stage in ("TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT") else []
    assert answers[1:] == back
    assert world.counts() == {"1": 2}
    assert weights(world) == {"1": 100}
    [primary] = world.service.deployments
    assert (primary.number, primary.rollout_state) == ("1", "COMPLETED")
    assert world.service.revisions["2"].rollout_state == "FAILED"
    # The next one goes on from there.
    world.service.deployment_configuration["lifecycleHooks"] = []
    world.deploy("3")
    for _ in range(40):
        world.settle()
        world.now += 600
    assert world.counts() == {"3": 2}


def test_stopped_in_its_bake_time() -> None:
    world, way = deployed(strategy="BLUE_GREEN", bakeTimeInMinutes=5)
    world.settle()
    way.status = ROLLBACK_REQUESTED
    world.settle()
    assert way.status == "ROLLBACK_SUCCESSFUL"
    assert world.counts() == {"1": 2}


def test_aborted_in_the_middle() -> None:
    world, way = deployed(strategy="CANARY")
    world.settle()
    way.status = STOP_REQUESTED
    world.settle()
    assert way.status == "STOPPED"
    # Nothing moves any more, neither tasks nor traffic.
    assert world.counts() == {"1": 2, "2": 2}
    assert weights(world) == {"1": 95, "2": 5}


def test_alternate_target_groups_alternate() -> None:
    world, way = deployed(strategy="BLUE_GREEN")
    assert [each.uses_alternate for each in world.service.deployments] == [True, False]
    world.settle()
    assert way.status == "SUCCESSFUL"
    world.deploy("3")
    assert [each.uses_alternate for each in world.service.deployments] == [False, True]


def test_scaling_while_traffic_is_shifted() -> None:
    world, way = deployed(strategy="CANARY")
    world.settle()
    world.service.want(3)
    world.settle()
    assert world.counts() == {"1": 3, "2": 3}
    world.pass_time(600)
    world.settle()
    assert way.status == "SUCCESSFUL"
    assert world.counts() == {"2": 3}


def test_a_newer_deployment_of_several() -> None:
    world, _ = deployed(strategy="CANARY")
    world.settle()
    way = world.deploy("3")
    assert way.step.stage == "RECONCILE_SERVICE"
    world.settle()
    # What was on its way has gone, and the last that completed serves.
    assert world.counts() == {"1": 2, "3": 2}
    assert weights(world) == {"1": 95, "3": 5}


class TestAnswers:
    """What a function's answer makes of a hook."""

    @pytest.fixture
    def world(self) -> World:
        hook = {"hookTargetArn": FUNCTION, "lifecycleStages": ["PRE_SCALE_UP"]}
        return World(1, lifecycleHooks=[hook])

    @pytest.mark.parametrize(
        ("answer", "status"),
        [
            ({"hookStatus": "SUCCEEDED"}, "SUCCEEDED"),
            ({"hookStatus": "FAILED"}, "FAILED"),
            ({"hookStatus": "IN_PROGRESS"}, "IN_PROGRESS"),
            ({"hookStatus": "DONE"}, "FAILED"),
            ({}, "FAILED"),
            (None, "FAILED"),
            ("SUCCEEDED", "FAILED"),
            ([{"hookStatus": "SUCCEEDED"}], "FAILED"),
        ],
    )
    def test_statuses(self, world: World, answer: object, status: str) -> None:
        [call] = world.look().calls
        hooks.take_answer(world.service, call.run, answer, world.now)
        assert call.run.status == status

    @pytest.mark.parametrize(
        ("delay", "seconds"), [(5, 5), (0, 0), (-1, 0), ("soon", hooks.CALL_AGAIN), (True, 1.0)]
    )
    def test_called_again(self, world: World, delay: object, seconds: float) -> None:
        [call] = world.look().calls
        assert list(world.look().calls) == []
        answer = {"hookStatus": "IN_PROGRESS", "callBackDelay": delay}
        hooks.take_answer(world.service, call.run, answer, world.now)
        if seconds:
            assert list(world.look().calls) == []
            assert world.look().look_again_at == world.now + seconds
        world.now += seconds
        [again] = world.look().calls
        assert again.run is call.run

    def test_one_that_never_answers(self, world: World) -> None:
        [call] = world.look().calls
        world.pass_time(1440 * 60)
        assert call.run.status == "TIMED_OUT"
        # An answer that comes too late changes nothing.
        hooks.take_answer(world.service, call.run, {"hookStatus": "SUCCEEDED"}, world.now)
        assert call.run.status == "TIMED_OUT"
        assert world.service.history[0].status == "STOPPED"
