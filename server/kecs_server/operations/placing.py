"""Making the tasks of RunTask and StartTask on container instances (ecs-facts 5.3, 11.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any

from kecs_server.domain.daemon_service import floor_of
from kecs_server.domain.instance import ACTIVE
from kecs_server.domain.instance import EXTERNAL
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.instance import Space
from kecs_server.domain.launch import Launch
from kecs_server.domain.launch import new_task
from kecs_server.domain.placement import NO_CAPACITY
from kecs_server.domain.placement import NO_INSTANCES
from kecs_server.domain.placement import NO_INSTANCES_OF_PROVIDER
from kecs_server.domain.placement import Wish
from kecs_server.domain.placement import refused
from kecs_server.domain.placement import wish
from kecs_server.domain.task import Task
from kecs_server.domain.task_definition import runs_windows
from kecs_server.errors import InvalidParameterException
from kecs_server.operations import lookup
from kecs_server.operations.registering import have_hosts
from kecs_server.operations.registry import Call

Structure = dict[str, Any]


@dataclass(slots=True)
class Result:
    """Tasks that were made, and `failures` as the answer has them."""

    tasks: list[Task] = field(default_factory=list)
    failures: list[Structure] = field(default_factory=list)


def place(call: Call, launches: Sequence[Launch], params: Structure) -> Result:
    """Make each task where its constraints and strategy want it.

    :param params: may have `placementConstraints` and `placementStrategy`.
    :raises InvalidParameterException: the cluster has no instance of the kind.
    """
    cluster = launches[0].cluster
    for launch in launches:
        have_hosts(call, cluster, launch.launch_type)
    floor = floor_of(cluster)
    wishes = [_wish(launch, params) for launch in launches]
    for wanted in wishes:
        if wanted is not None and not floor.candidates(wanted):
            raise InvalidParameterException(
                NO_INSTANCES_OF_PROVIDER if wanted.provider else NO_INSTANCES
            )
    result = Result()
    for launch, wanted in zip(launches, wishes, strict=True):
        if wanted is None and runs_windows(launch.definition.body):
            result.failures.append({"reason": NO_CAPACITY})
            continue
        if wanted is None:
            result.tasks.append(new_task(launch))
            continue
        found = floor.place(wanted)
        if isinstance(found, ContainerInstance):
            task = new_task(replace(launch, instance=found))
            floor.took(task, found)
            result.tasks.append(task)
        else:
            result.failures += [_failure(each.instance, each.reason) for each in found]
    return result


def start_on(call: Call, launch: Launch, identifiers: Sequence[str]) -> Result:
    """Make one task on each instance, whatever constraints say."""
    cluster, result = launch.cluster, Result()
    for identifier in identifiers:
        instance = lookup.find_instance(call, cluster, identifier)
        if instance is None:
            arn = call.store.arn(f"container-instance/{cluster.name}/{identifier}")
            result.failures.append(lookup.missing(arn))
            continue
        is_external = EXTERNAL in instance.attributes
        there = replace(launch, instance=instance, launch_type="EXTERNAL" if is_external else "EC2")
        wanted = _wish(there, {})
        assert wanted is not None
        reason = "INACTIVE" if instance.status != ACTIVE else refused(Space(instance), wanted)
        if reason is None:
            result.tasks.append(new_task(there))
        else:
            result.failures.append(_failure(instance, reason))
    return result


def _wish(launch: Launch, params: Structure) -> Wish | None:
    """None for a task on AWS Fargate, which nobody places."""
    if launch.launch_type == "FARGATE":
        return None
    return wish(
        launch.definition,
        group=launch.group,
        launch_type=launch.launch_type,
        overrides=launch.overrides,
        provider=launch.capacity_provider,
        constraints=params.get("placementConstraints", ()),
        strategy=params.get("placementStrategy", ()),
    )


def _failure(instance: ContainerInstance, reason: str) -> Structure:
    return {"arn": instance.arn, "reason": reason}
