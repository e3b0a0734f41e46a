"""Which services Availability Zones can be rebalanced for (ecs-facts 7.8).

The text about maximumPercent is captured; those of the other obstacles, which the documentation
names, are ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kecs_server.domain.instance import ZONE
from kecs_server.domain.service import DISABLED
from kecs_server.domain.service import ENABLED
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.errors import InvalidParameterException
from kecs_server.operations.placement import Capacity

Structure = dict[str, Any]

MEMBER = "availabilityZoneRebalancing"

_ZONE_FIELD = f"attribute:{ZONE}"


def obstacle_to(
    params: Structure,
    configuration: Structure,
    definition: TaskDefinition,
    capacity: Capacity,
    balancers: Iterable[Structure],
) -> str | None:
    """What of a service rules it out; None: nothing does.

    :param params: may have `placementConstraints` and `placementStrategy`.
    """
    if configuration["maximumPercent"] <= 100:
        return "maximumPercent <= 100 % as deployment configuration."
    if capacity.runs_on == "EXTERNAL":
        return "the EXTERNAL launch type."
    if any("loadBalancerName" in each for each in balancers):
        return "Classic Load Balancers."
    strategies = params.get("placementStrategy")
    if strategies:
        first = strategies[0]
        if (first["type"], first.get("field")) != ("spread", _ZONE_FIELD):
            return f"a placement strategy whose first is not to spread over {_ZONE_FIELD}."
    constraints = (
        *params.get("placementConstraints", ()),
        *definition.body.get("placementConstraints", ()),
    )
    if any(_ZONE_FIELD in each.get("expression", "") for each in constraints):
        return f"placement constraints that use {_ZONE_FIELD}."
    return None


def of_new(wanted: str | None, obstacle: str | None) -> str:
    """ENABLED unless something rules it out.

    :raises InvalidParameterException: it is asked for where it is ruled out.
    """
    check(wanted, obstacle)
    return wanted or (DISABLED if obstacle else ENABLED)


def check(wanted: str | None, obstacle: str | None) -> None:
    """:raises InvalidParameterException: it is ENABLED where it is ruled out."""
    if wanted == ENABLED and obstacle:
        raise InvalidParameterException(
            f"Availability Zone Rebalancing does not support {obstacle}"
        )
