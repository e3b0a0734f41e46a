"""Target groups of load balancers, and the targets that tasks are in them (ecs-facts 7.9).

The rules of health and of draining are Elastic Load Balancing's, its states too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kecs_server.domain.arns import parse_arn

Structure = dict[str, Any]

UNUSED = "unused"
INITIAL = "initial"
HEALTHY = "healthy"
UNHEALTHY = "unhealthy"
DRAINING = "draining"
GONE = "gone"
"""States of a target: ELBv2's, but that it is no target any more once it is GONE."""

REGISTERED = (INITIAL, HEALTHY, UNHEALTHY)

HTTP = "HTTP"
TCP = "TCP"

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
"""Seconds between checks of a target that has never been healthy, doubling, up to the interval."""

DEREGISTRATION_DELAY = 5.0
"""Seconds that a target which is to go has for requests that have begun; 300 on AWS. It goes as
soon as there are none.
"""


@dataclass(slots=True, kw_only=True)
class HealthCheck:
    """How targets are checked; times in seconds. `path` None: whether they accept a connection."""

    path: str | None = None
    matcher: str = "200"
    interval: float = 30.0
    timeout: float = 5.0
    healthy_threshold: int = 1
    unhealthy_threshold: int = 2

    def takes(self, status: int) -> bool:
        """Whether an answer with this status is a healthy target's: `200,301` or `200-299`."""
        return any(first <= status <= last for first, last in _ranges(self.matcher))


@dataclass(slots=True, kw_only=True)
class TargetGroup:
    """What a load balancer forwards to. `protocol`: HTTP, by requests; TCP, by connections."""

    arn: str
    protocol: str = HTTP
    deregistration_delay: float = DEREGISTRATION_DELAY
    check: HealthCheck = field(default_factory=HealthCheck)


class TargetGroups:
    """Those of an account and region, by their ARNs: one is known as soon as it is named."""

    def __init__(self) -> None:
        self._groups: dict[str, TargetGroup] = {}

    def named(self, arn: str) -> TargetGroup:
        return self._groups.setdefault(arn, TargetGroup(arn=arn))


@dataclass(slots=True, kw_only=True, eq=False)
class Target:
    """A port of a task's container in a target group. Times are of the realm's clock.

    `due_at`: when the next check is to begin; `pause`: seconds to the one after it, until the
    target is healthy; `is_idle`: no request to it is under way; `drained_by`: when it goes although
    one is.
    """

    group: TargetGroup
    container: str
    port: int
    revision: str
    """The number of the deployment that the task is of."""
    state: str = UNUSED
    reason: str = ""
    registered_at: float = 0.0
    due_at: float = 0.0
    pause: float = FIRST_PAUSE
    checking: bool = False
    was_healthy: bool = False
    successes: int = 0
    failures: int = 0
    is_counted: bool = False
    """Whether the service has been told that it is registered."""
    is_idle: bool = False
    drained_by: float = 0.0

    @property
    def key(self) -> tuple[str, str, int]:
        """Tells it from the task's other targets."""
        return self.group.arn, self.container, self.port

    @property
    def is_registered(self) -> bool:
        return self.state in REGISTERED


def is_target_group_arn(text: str) -> bool:
    arn = parse_arn(text)
    return (
        arn is not None
        and arn.service == "elasticloadbalancing"
        and arn.kind == "targetgroup"
        and len(arn.parts) == 2
        and all(arn.parts)
    )


def group_of(balancer: Structure, *, uses_alternate: bool) -> str | None:
    """The target group that a revision's tasks are in, of an entry of a service's loadBalancers;
    None: a Classic Load Balancer.
    """
    group: str | None = balancer.get("targetGroupArn")
    if uses_alternate:
        group = balancer.get("advancedConfiguration", {}).get("alternateTargetGroupArn", group)
    return group


def targets_of(
    balancers: list[Structure], groups: TargetGroups, revision: str, *, uses_alternate: bool
) -> tuple[Target, ...]:
    """The targets that a task of this revision is to be."""
    return tuple(
        Target(
            group=groups.named(group),
            container=balancer["containerName"],
            port=balancer["containerPort"],
            revision=revision,
        )
        for balancer in balancers
        if (group := group_of(balancer, uses_alternate=uses_alternate)) is not None
        and "containerName" in balancer
        and "containerPort" in balancer
    )


def register(target: Target, now: float) -> None:
    """The task's containers have started: requests come once it is healthy."""
    target.state = INITIAL
    target.registered_at = target.due_at = now


def is_due(target: Target, now: float) -> bool:
    return target.is_registered and not target.checking and target.due_at <= now


def take_check(target: Target, problem: str | None, now: float) -> bool:
    """Take in how a check ended, and say whether the target is in another state now.

    Failures before a target was ever healthy count as if it had been checked each interval.

    :param problem: why it failed; None: it did not.
    """
    check, before = target.group.check, target.state
    target.checking = False
    if not target.is_registered:
        return False
    if problem is None:
        target.successes += 1
        target.failures = 0
        target.due_at = now + check.interval
        if target.state != HEALTHY and target.successes >= check.healthy_threshold:
            target.state, target.reason, target.was_healthy = HEALTHY, "", True
        elif target.state != HEALTHY:
            target.due_at = now + _pause(target)
        return target.state != before
    target.successes = 0
    target.failures += 1
    if target.was_healthy:
        target.due_at = now + check.interval
        has_failed = target.failures >= check.unhealthy_threshold
    else:
        until = target.registered_at + check.unhealthy_threshold * check.interval
        target.due_at = max(now, min(now + _pause(target), until))
        has_failed = now >= until
    if has_failed:
        target.state, target.reason = UNHEALTHY, problem
        target.due_at = now + min(check.interval, LONGEST_PAUSE)
    return target.state != before


def _pause(target: Target) -> float:
    pause = target.pause
    target.pause = min(pause * 2, LONGEST_PAUSE)
    return min(pause, target.group.check.interval)


def leave(target: Target, now: float, *, is_stopped: bool) -> None:
    """Bring a target whose task is to stop as near to GONE as it is now.

    :param is_stopped: its container is: nobody answers requests that have begun.
    """
    if target.state == UNUSED or (is_stopped and target.state != GONE):
        target.state = GONE
    elif target.is_registered:
        target.state = DRAINING
        target.drained_by = now + target.group.deregistration_delay
    if target.state == DRAINING and (target.is_idle or target.drained_by <= now):
        target.state = GONE


_MATCHER = re.compile(r"[2-5]\d\d(-[2-5]\d\d)?(,[2-5]\d\d(-[2-5]\d\d)?)*\Z")


def configure(group: TargetGroup, settings: Structure) -> None:
    """Change what is given: members of the group and of its check, by their names.

    :raises ValueError: there is no such setting, or no such value.
    """
    checked = {name: _checked(name, value) for name, value in settings.items()}
    for name, value in checked.items():
        setattr(group if hasattr(group, name) else group.check, name, value)


def _checked(name: str, value: Any) -> Any:
    if name == "protocol":
        if value not in (HTTP, TCP):
            raise ValueError(f"protocol is {HTTP} or {TCP}, not {value!r}")
    elif name == "path":
        if value is not None and not (isinstance(value, str) and re.match(r"/[!-~]*\Z", value)):
            raise ValueError(f"path begins with / and has no spaces, or is None; not {value!r}")
    elif name == "matcher":
        if not (isinstance(value, str) and _MATCHER.match(value)):
            raise ValueError(f"matcher is codes and ranges such as 200,301 or 200-299: {value!r}")
    elif name in ("healthy_threshold", "unhealthy_threshold"):
        if type(value) is not int or not 1 <= value <= 100:
            raise ValueError(f"{name} is a number from 1 to 100, not {value!r}")
    elif name in ("interval", "timeout", "deregistration_delay"):
        least = 0.0 if name == "deregistration_delay" else 0.01
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not least <= value <= 3600.0:
            raise ValueError(f"{name} is a number of seconds from {least:g} to 3600, not {value!r}")
    else:
        raise ValueError(f"a target group has no setting {name!r}")
    return value


def _ranges(matcher: str) -> Iterator[tuple[int, int]]:
    for part in matcher.split(","):
        first, _, last = part.partition("-")
        yield int(first), int(last or first)
