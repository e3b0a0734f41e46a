"""Where the next task of a service goes."""

from __future__ import annotations

from dataclasses import replace

from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.launch import Launch
from kecs_server.domain.launch import new_task
from kecs_server.domain.placement import Floor
from kecs_server.domain.placement import NoPlace
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
    wanted = wish(
        launch.definition,
        group=launch.group,
        launch_type=launch.launch_type,
        provider=launch.capacity_provider,
        constraints=service.settings.get("placementConstraints", ()),
        strategy=service.settings.get("placementStrategy", ()),
    )
    found = floor.place(wanted)
    if not isinstance(found, ContainerInstance):
        return no_place(found) if found else no_place_without_instances(launch.capacity_provider)
    task = new_task(replace(launch, instance=found))
    floor.took(task, found)
    return task
