"""Whether the host that stands for a cluster's container instance has room for one more task."""

from __future__ import annotations

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.ports import RESERVED
from kecs_server.domain.ports import fixed_host_ports
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.domain.task_definition import runs_windows

NO_CAPACITY = (
    "Capacity is unavailable at this time. Please try again later or in a different availability "
    "zone"
)
"""What Fargate answers; it has no container instances to lack something."""


def lacking(cluster: Cluster, definition: TaskDefinition, launch_type: str | None) -> str | None:
    """The reason of the failure that RunTask answers with (ecs-facts 5.3), None if there is room.

    Windows runs nowhere here. Of what can be used up only host ports are counted: every task's
    ports are its own on AWS Fargate, and CPU and memory are not counted.
    """
    if runs_windows(definition.body):
        return "ATTRIBUTE" if launch_type == "EC2" else NO_CAPACITY
    wanted = fixed_host_ports(definition.containers, definition.network_mode)
    if not wanted:
        return None
    taken = {(port, "tcp") for port in RESERVED}
    used = {task.task_definition.arn: task.task_definition for task in cluster.live_tasks()}
    for other in used.values():
        taken |= fixed_host_ports(other.containers, other.network_mode)
    return "RESOURCE:PORTS" if wanted & taken else None
