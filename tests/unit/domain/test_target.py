"""When a target is healthy, when it is not, and how it goes; and what a group can be told."""

from __future__ import annotations

import pytest
from kecs_server.domain.target import DRAINING
from kecs_server.domain.target import GONE
from kecs_server.domain.target import HEALTHY
from kecs_server.domain.target import INITIAL
from kecs_server.domain.target import UNHEALTHY
from kecs_server.domain.target import HealthCheck
from kecs_server.domain.target import Target
from kecs_server.domain.target import TargetGroup
from kecs_server.domain.target import configure
from kecs_server.domain.target import is_due
from kecs_server.domain.target import leave
from kecs_server.domain.target import register
from kecs_server.domain.target import take_check

START = 1000.0
GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef"


def registered(check: HealthCheck | None = None) -> Target:
    group = TargetGroup(arn=GROUP, check=check or HealthCheck())
    target = Target(group=group, container="web", port=80, revision="1")
    register(target, START)
    return target


def check_until(target: Target, end: float, problem: str | None) -> list[tuple[float, str]]:
    """Check whenever it is due; the states that come of that, and when."""
    seen = []
    while target.due_at <= end:
        now = target.due_at
        assert is_due(target, now)
        assert not is_due(target, now - 0.001)
        if take_check(target, problem, now):
            seen.append((now - START, target.state))
    return seen


def test_a_new_target_is_healthy_with_the_first_checks_that_succeed() -> None:
    target = registered(HealthCheck(healthy_threshold=3))
    assert target.state == INITIAL
    assert check_until(target, START + 1, None) == [(pytest.approx(0.15), HEALTHY)]
    assert target.due_at == pytest.approx(START + 0.15 + 30)


def test_a_new_target_has_as_long_as_its_checks_would_take_to_fail() -> None:
    target = registered(HealthCheck(interval=5, unhealthy_threshold=3))
    assert check_until(target, START + 14.9, "it fails") == []
    assert check_until(target, START + 15, "it fails") == [(15.0, UNHEALTHY)]
    assert target.reason == "it fails"


def test_a_healthy_target_fails_with_as_many_checks_in_a_row() -> None:
    target = registered()
    take_check(target, None, START)
    assert not take_check(target, "it fails", START + 30)
    assert not take_check(target, None, START + 60)  # the count begins anew
    assert not take_check(target, "it fails", START + 90)
    assert take_check(target, "it fails", START + 120)
    assert target.state == UNHEALTHY
    assert take_check(target, None, START + 121)
    assert (target.state, target.reason) == (HEALTHY, "")


def test_a_target_goes_when_it_is_idle_or_its_delay_is_over() -> None:
    idle, busy, killed, new = (registered() for _ in range(4))
    for target in (idle, busy):
        leave(target, START, is_stopped=False)
        leave(target, START + 4.9, is_stopped=False)
        assert target.state == DRAINING
        assert not is_due(target, START + 60)
    idle.is_idle = True
    leave(idle, START + 4.9, is_stopped=False)
    leave(busy, START + 5, is_stopped=False)
    leave(killed, START, is_stopped=True)
    assert [idle.state, busy.state, killed.state] == [GONE] * 3
    assert not take_check(new, "it fails", START)
    leave(new, START, is_stopped=False)
    assert not take_check(new, None, START)  # a check that was under way
    assert new.state == DRAINING


def test_settings_are_taken_all_or_none() -> None:
    group = TargetGroup(arn=GROUP)
    configure(group, {"protocol": "TCP", "path": "/health", "matcher": "200-299,301"})
    assert (group.protocol, group.check.path) == ("TCP", "/health")
    assert [group.check.takes(status) for status in (199, 200, 299, 300, 301)] == [
        False,
        True,
        True,
        False,
        True,
    ]
    with pytest.raises(ValueError, match="interval is a number of seconds"):
        configure(group, {"path": "/other", "interval": 0})
    assert group.check.path == "/health"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("protocol", "UDP"),
        ("path", "health"),
        ("path", "/a b"),
        ("matcher", "200;300"),
        ("matcher", "600"),
        ("healthy_threshold", True),
        ("unhealthy_threshold", 0),
        ("timeout", "5"),
        ("deregistration_delay", -1),
        ("interval", float("nan")),
        ("arn", "other"),
        ("check", {}),
    ],
)
def test_a_setting_that_cannot_be(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        configure(TargetGroup(arn=GROUP), {name: value})
