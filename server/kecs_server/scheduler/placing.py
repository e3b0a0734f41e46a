"""Where the next task of a service goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.launch import Launch
from kecs_server.domain.launch import new_task
from kecs_server.domain.placement import Floor
from kecs_server.domain.placement import NoPlace
from kecs_server.domain.placement import Refusal
from kecs_server.domain.placement import Wish
from kecs_server.domain.placement import no_place
from kecs_server.domain.placement import no_place_on_fargate
from kecs_server.domain.placement import no_place_without_instances
from kecs_server.domain.placement import wish
from kecs_server.domain.service import Service
from kecs_server.domain.task import Task
from kecs_server.domain.task_definition import runs_windows


def start_task(floor: Floor, service: Service, launch: Launch) -> Task | NoPlace:
    """The task, made on an instance that takes it; else why there is none."""
    if launch.launch_type == "FARGATE":
        return no_place_on_fargate() if runs_windows(launch.definition.body) else new_task(launch)
    found = floor.place(_wish(service, launch))
    if not isinstance(found, ContainerInstance):
        return no_place(found) if found else no_place_without_instances(launch.capacity_provider)
    return _made_on(floor, launch, found)


def start_on(
    floor: Floor,
    service: Service,
    launch: Launch,
    places: Sequence[ContainerInstance],
    most: int,
) -> tuple[list[Task], NoPlace | None]:
    """A task on each of the instances that takes one, and why others do not.

    :param most: after so many tasks the rest of the instances have to wait.
    """
    wanted = _wish(service, launch)
    started: list[Task] = []
    refusals = []
    for instance in places:
        if len(started) == most:
            break
        reason = floor.reason_against(instance, wanted)
        if reason is None:
            started.append(_made_on(floor, launch, instance))
        else:
            refusals.append(Refusal(instance, reason))
    return started, no_place(refusals) if refusals else None


def _wish(service: Service, launch: Launch) -> Wish:
    return wish(
        launch.definition,
        group=launch.group,
        launch_type=launch.launch_type,
        provider=launch.capacity_provider,
        constraints=service.settings.get("placementConstraints", ()),
        strategy=service.settings.get("placementStrategy", ()),
    )


def _made_on(floor: Floor, launch: Launch, instance: ContainerInstance) -> Task:
    task = new_task(replace(launch, instance=instance))
    floor.took(task, instance)
    return task
