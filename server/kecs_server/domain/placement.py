"""On which container instance a task is placed (ecs-facts 11.4).

Instances are filtered by what they have free, then by the constraints; of those that are left the
strategies choose in order.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kecs_server.domain.demand import Demand
from kecs_server.domain.demand import demand_of
from kecs_server.domain.instance import ACTIVE
from kecs_server.domain.instance import EXTERNAL
from kecs_server.domain.instance import ZONE
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.instance import Space
from kecs_server.domain.query import Test
from kecs_server.domain.query import parse
from kecs_server.domain.task import Task
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.domain.task_definition import runs_windows

Structure = dict[str, Any]

NO_INSTANCES = "No Container Instances were found in your cluster."
NO_INSTANCES_OF_PROVIDER = "No Container Instances were found in your capacity provider."

NO_CAPACITY = (
    "Capacity is unavailable at this time. Please try again later or in a different availability "
    "zone"
)
"""What Fargate answers for Windows, which runs nowhere here; it has no instances to lack it."""

MEMBER_OF = "MemberOf placement constraint unsatisfied."
DISTINCT = "DistinctInstance placement constraint unsatisfied."

DEFAULT_STRATEGY = (
    {"type": "spread", "field": f"attribute:{ZONE}"},
    {"type": "spread", "field": "instanceId"},
)
"""Without one: over the zones, and evenly in each."""

_NOT_CLOSE = (
    "AGENT",
    "ATTRIBUTE",
    MEMBER_OF,
    DISTINCT,
    "RESOURCE:GPU",
    "RESOURCE:PORTS",
    "RESOURCE:MEMORY",
    "RESOURCE:CPU",
)
"""Why an instance was not taken, the worst reason first."""

_WHAT_IS_LACKING = {
    "ATTRIBUTE": "is missing an attribute required by your task.",
    "RESOURCE:CPU": "has insufficient CPU units available.",
    "RESOURCE:MEMORY": "has insufficient memory available.",
    "RESOURCE:PORTS": "is already using a port required by your task.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A task to be placed. `provider`: the capacity provider whose instances it may have, beside
    those of none; `expressions`: of memberOf; `is_distinct`: no instance that has
    a task of `group`.
    """

    demand: Demand
    group: str
    attributes: Sequence[str] = ()
    os_type: str = "linux"
    is_external: bool = False
    provider: str | None = None
    expressions: Sequence[Test] = ()
    is_distinct: bool = False
    strategy: Sequence[Structure] = DEFAULT_STRATEGY


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an instance does not take the task, in the words of RunTask's failures."""

    instance: ContainerInstance
    reason: str


@dataclass(frozen=True, slots=True)
class NoPlace:
    """That there is no place for a task of a service: the text of the service's event (ecs-facts
    7.7), and reason and instances of EventBridge's (18).
    """

    text: str
    reason: str
    instances: tuple[str, ...] = ()


def wish(
    definition: TaskDefinition,
    *,
    group: str,
    launch_type: str,
    overrides: Structure | None = None,
    provider: str | None = None,
    constraints: Iterable[Structure] = (),
    strategy: Sequence[Structure] = (),
) -> Wish:
    """The constraints of the definition and those of the call count together.

    :raises QueryError: an expression is none.
    """
    joined = [*definition.body.get("placementConstraints", ()), *constraints]
    return Wish(
        demand=demand_of(definition, overrides or {}),
        group=group,
        attributes=definition.requires_attributes,
        os_type="windows" if runs_windows(definition.body) else "linux",
        is_external=launch_type == "EXTERNAL",
        provider=provider,
        expressions=[expression(each["expression"]) for each in joined if "expression" in each],
        is_distinct=any(each["type"] == "distinctInstance" for each in joined),
        strategy=strategy or DEFAULT_STRATEGY,
    )


@lru_cache(maxsize=256)
def expression(text: str) -> Test:
    """:raises QueryError: the text is no expression."""
    return parse(text)


class Floor:
    """The ACTIVE instances with what is free on each. Takes note of each task that was made."""

    def __init__(self, instances: Iterable[ContainerInstance]) -> None:
        self._spaces = {each.id: Space(each) for each in instances if each.status == ACTIVE}

    def candidates(self, wanted: Wish) -> list[Space]:
        """All instances of the kind that the task is for, whatever is free on them."""
        return [space for space in self._spaces.values() if _is_of_kind(space.instance, wanted)]

    def place(self, wanted: Wish) -> ContainerInstance | list[Refusal]:
        """The instance for the task, or why each candidate refuses it."""
        fitting: list[Space] = []
        refusals: list[Refusal] = []
        for space in self.candidates(wanted):
            reason = refused(space, wanted) or _constrained(space, wanted)
            if reason is None:
                fitting.append(space)
            else:
                refusals.append(Refusal(space.instance, reason))
        if not fitting:
            return refusals
        for strategy in wanted.strategy:
            fitting = self._narrowed(fitting, strategy, wanted.group)
        return fitting[0].instance

    def reason_against(self, instance: ContainerInstance, wanted: Wish) -> str | None:
        """Why the instance does not take the task now, constraints aside; None if it does."""
        return refused(self._spaces[instance.id], wanted)

    def reserve(self, instance: ContainerInstance, demand: Demand) -> None:
        """Keep room on the instance, if it is here, for a task that is to come."""
        if instance.id in self._spaces:
            self._spaces[instance.id].reserve(demand)

    def took(self, task: Task, instance: ContainerInstance) -> None:
        """The task was made on the instance."""
        self._spaces[instance.id].take(task)

    def _narrowed(self, spaces: Sequence[Space], strategy: Structure, group: str) -> list[Space]:
        kind, field = strategy["type"], strategy.get("field", "")
        if kind == "random":
            return [random.choice(spaces)]
        if kind == "binpack":
            least = field.lower()
            return _lowest(spaces, lambda space: int(getattr(space, least)))
        value = _value_of(field)
        counts: Counter[str | None] = Counter()
        for space in self._spaces.values():
            counts[value(space)] += space.groups[group]
        return _lowest(spaces, lambda space: counts[value(space)])


def refused(space: Space, wanted: Wish) -> str | None:
    """Why the instance cannot take the task, constraints aside; None if it can."""
    demand = wanted.demand
    if not space.instance.agent_connected:
        return "AGENT"
    if _lacks_an_attribute(space.instance, wanted):
        return "ATTRIBUTE"
    if demand.cpu > space.cpu:
        return "RESOURCE:CPU"
    if demand.memory > space.memory:
        return "RESOURCE:MEMORY"
    if demand.ports & space.ports:
        return "RESOURCE:PORTS"
    if demand.gpus > len(space.gpus):
        return "RESOURCE:GPU"
    return None


def suits(instance: ContainerInstance, wanted: Wish) -> bool:
    """Whether the task may be on the instance, by its kind, attributes and constraints, for which
    tasks of its own group do not count.
    """
    if not _is_of_kind(instance, wanted) or _lacks_an_attribute(instance, wanted):
        return False
    if not wanted.expressions and not wanted.is_distinct:
        return True
    return _constrained(Space(instance, without=wanted.group), wanted) is None


def _lacks_an_attribute(instance: ContainerInstance, wanted: Wish) -> bool:
    if instance.attributes.get("ecs.os-type") != wanted.os_type:
        return True
    return instance.has_capabilities and not instance.attributes.keys() >= set(wanted.attributes)


def no_place(refusals: Sequence[Refusal]) -> NoPlace:
    """No instance takes the task: what is told is why the closest one does not."""
    closest = max(refusals, key=lambda refusal: _NOT_CLOSE.index(refusal.reason))
    lacking = _WHAT_IS_LACKING.get(closest.reason, f'encountered error "{closest.reason}".')
    text = _no_room(f"The closest matching (container-instance {closest.instance.id}) {lacking}")
    return NoPlace(text, closest.reason, tuple(each.instance.arn for each in refusals))


def no_place_on_fargate() -> NoPlace:
    return NoPlace(f"was unable to place a task. Reason: {NO_CAPACITY}.", "RESOURCE:FARGATE")


def no_place_without_instances(provider: str | None) -> NoPlace:
    reason = NO_INSTANCES_OF_PROVIDER if provider else NO_INSTANCES
    return NoPlace(_no_room(f"Reason: {reason}"), reason)


def _no_room(why: str) -> str:
    return (
        "was unable to place a task because no container instance met all of its requirements. "
        f"{why} For more information, see the Troubleshooting section of the Amazon ECS Developer "
        "Guide."
    )


def _is_of_kind(instance: ContainerInstance, wanted: Wish) -> bool:
    if wanted.provider is not None and instance.capacity_provider not in (None, wanted.provider):
        return False
    return instance.is_host or (EXTERNAL in instance.attributes) == wanted.is_external


def _constrained(space: Space, wanted: Wish) -> str | None:
    if wanted.expressions:
        queried = space.queried()
        if not all(test(queried) for test in wanted.expressions):
            return MEMBER_OF
    if wanted.is_distinct and space.groups[wanted.group]:
        return DISTINCT
    return None


def _value_of(field: str) -> Callable[[Space], str | None]:
    """Over what a spread counts; instances without the attribute count together."""
    if field.startswith("attribute:"):
        name = field.removeprefix("attribute:")
        return lambda space: space.instance.attributes.get(name)
    return lambda space: space.instance.id


def _lowest(spaces: Sequence[Space], key: Callable[[Space], int]) -> list[Space]:
    keys = [key(space) for space in spaces]
    least = min(keys)
    return [space for space, its in zip(spaces, keys, strict=True) if its == least]
