"""The stages of each deployment strategy, their weights and bake times (ecs-facts 8.6)."""

from __future__ import annotations

from typing import Any

import pytest
from kecs_server.domain.stages import path_of

BEFORE = ["PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP"]
TEST = ["TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT"]
SHIFT = ["PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"]
AFTER = ["POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"]


@pytest.mark.parametrize(
    ("configuration", "stages"),
    [
        ({}, [*BEFORE, "BAKE_TIME", "CLEAN_UP"]),
        ({"strategy": "BLUE_GREEN"}, [*BEFORE, *TEST, *SHIFT, *AFTER]),
        ({"strategy": "CANARY"}, [*BEFORE, *TEST, *SHIFT, *SHIFT, *AFTER]),
        (
            {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 30.0}},
            [*BEFORE, *TEST, *SHIFT * 4, *AFTER],
        ),
    ],
    ids=str,
)
def test_stages(configuration: dict[str, Any], stages: list[str]) -> None:
    assert [step.stage for step in path_of(configuration, sources=1)] == stages
    several = [step.stage for step in path_of(configuration, sources=2)]
    assert several == ["RECONCILE_SERVICE", *stages]


def shifts(configuration: dict[str, Any], sources: int = 1) -> list[tuple[float | None, float]]:
    """(percent, minutes) of each shift of production traffic."""
    return [
        (step.weight, step.bake / 60)
        for step in path_of(configuration, sources=sources)
        if step.stage == "PRODUCTION_TRAFFIC_SHIFT"
    ]


def test_a_canary() -> None:
    assert shifts({"strategy": "CANARY"}) == [(5, 10), (100, 0)]
    canary = {"canaryPercent": 12.5, "canaryBakeTimeInMinutes": 3}
    assert shifts({"strategy": "CANARY", "canaryConfiguration": canary}) == [(12.5, 3), (100, 0)]
    whole = {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 100.0}}
    assert shifts(whole) == [(100, 0)]


def test_equal_steps() -> None:
    found = shifts({"strategy": "LINEAR"})
    assert found == [*((percent, 6) for percent in range(10, 100, 10)), (100, 0)]
    linear = {"stepPercent": 3.3, "stepBakeTimeInMinutes": 0}
    found = shifts({"strategy": "LINEAR", "linearConfiguration": linear})
    assert len(found) == 31
    assert found[-2:] == [(99.0, 0), (100, 0)]


def test_a_first_deployment_has_nothing_to_shift_from() -> None:
    assert shifts({"strategy": "LINEAR"}, sources=0) == [(100, 0)]
