"""A task as RunTask makes it, for tests that need no server."""

from __future__ import annotations

from typing import Any

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.instance import AGENT_VERSION
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.instance import Host
from kecs_server.domain.instance import host_attributes
from kecs_server.domain.instance import host_resources
from kecs_server.domain.launch import Launch
from kecs_server.domain.launch import new_task
from kecs_server.domain.task import Task
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.domain.task_definition import with_defaults


def made_host(cluster: Cluster, number: int = 1, **host: Any) -> ContainerInstance:
    """A container instance of the cluster, as the engine's host has it."""
    identifier = f"{number:032x}"
    machine = Host(**{"cpu": 2048, "memory": 8192, **host})
    instance = ContainerInstance(
        id=identifier,
        arn=cluster.arn.replace(":cluster/", ":container-instance/") + f"/{identifier}",
        cluster_arn=cluster.arn,
        ec2_instance_id=f"i-{number:017x}",
        resources=host_resources(machine),
        attributes=host_attributes(machine, "us-east-1a"),
        registered_at=0.0,
        version_info={"agentVersion": AGENT_VERSION},
        is_host=True,
    )
    cluster.instances[identifier] = instance
    return instance


def made_definition(body: dict[str, Any]) -> TaskDefinition:
    """:param body: as it would be registered."""
    return TaskDefinition(
        arn="arn",
        family="f",
        revision=1,
        body=with_defaults(body),
        compatibilities=[],
        requires_attributes=[],
        registered_at=0.0,
        registered_by="me",
    )


def made_task(body: dict[str, Any], *, launch_type: str = "EC2") -> Task:
    """:param body: of the task definition, as it would be registered."""
    definition = made_definition(body)
    return new_task(
        Launch(
            account="1" * 12,
            region="r",
            cluster=Cluster(name="c", arn="arn:c", settings=[], request={}),
            definition=definition,
            launch_type=launch_type,
            group="g",
            now=0.0,
            subnets=["subnet-1"],
        )
    )
