"""What names and ARNs in a request stand for (ecs-facts 2.3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterator
from functools import cache
from typing import Any

from kecs_server.domain import task_definition as definitions
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.arns import partition_of
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.service import INACTIVE
from kecs_server.domain.service import Service
from kecs_server.domain.task import Task
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.errors import ClientException
from kecs_server.errors import ClusterNotFoundException
from kecs_server.errors import InvalidParameterException
from kecs_server.operations.registry import Call

Structure = dict[str, Any]

DEFAULT_CLUSTER = "default"

_ID_LENGTHS = (32, 36)

_MOST_PARTS = {
    "capacity-provider": 1,
    "cluster": 1,
    "container-instance": 2,
    "daemon": 2,
    "daemon-deployment": 3,
    "daemon-revision": 3,
    "daemon-task-definition": 1,
    "gateway": 1,
    "gateway-route": 2,
    "service": 2,
    "task": 2,
    "task-definition": 1,
    "task-set": 4,
}
"""Segments after the kind in an ARN; the short forms have one (ecs-facts 2.1)."""


def cluster_name(call: Call, reference: str | None) -> str:
    """The short name that `reference` (a name, an ARN, or None for `default`) has here.

    :raises InvalidParameterException: the ARN is of another account, region or kind.
    """
    if not reference:
        return DEFAULT_CLUSTER
    if not reference.startswith("arn:"):
        return reference
    return own_parts(call, reference, "cluster")[0]


def own_parts(call: Call, text: str, kind: str) -> tuple[str, ...]:
    """The segments after the kind of an ARN that is of this account and region.

    :raises InvalidParameterException: it is not.
    """
    arn = parse_arn(text)
    if arn is None or arn.service != "ecs" or arn.kind != kind or not all(arn.parts):
        raise InvalidParameterException("Invalid arn syntax.")
    if not 1 <= len(arn.parts) <= _MOST_PARTS.get(kind, len(arn.parts)):
        raise InvalidParameterException("Invalid arn syntax.")
    if arn.account != call.account:
        raise InvalidParameterException("AccountIDs mismatch")
    if arn.region != call.region:
        raise InvalidParameterException("Regions mismatch")
    if arn.partition != partition_of(call.region):
        raise InvalidParameterException("Invalid arn syntax.")
    return arn.parts


def find_cluster(call: Call, reference: str | None) -> Cluster:
    """A cluster that is ACTIVE or was so until lately.

    :raises ClusterNotFoundException: there is none.
    """
    cluster = call.store.clusters.get(cluster_name(call, reference))
    if cluster is None or not cluster.is_visible(call.now):
        raise ClusterNotFoundException
    return cluster


def find_active_cluster(call: Call, reference: str | None) -> Cluster:
    """:raises ClusterNotFoundException: there is none, or it was deleted."""
    cluster = find_cluster(call, reference)
    if not cluster.is_active:
        raise ClusterNotFoundException("The referenced cluster was inactive.")
    return cluster


def find_usable_definition(call: Call, reference: str) -> TaskDefinition:
    """The definition that a new task or service gets.

    :raises ClientException: unknown, or INACTIVE (ecs-facts 5.1).
    """
    definition = find_definition(call, reference)
    if definition is None:
        raise ClientException("TaskDefinition not found.")
    if definition.status != definitions.ACTIVE:
        raise ClientException("TaskDefinition is inactive")
    return definition


def find_definition(call: Call, reference: str) -> TaskDefinition | None:
    """`family` (its latest ACTIVE revision), `family:revision` or a full ARN; None if unknown.

    :raises InvalidParameterException: the revision is not a number.
    """
    family, revision = split_definition(call, reference)
    revisions = call.store.families.get(family, {})
    if revision is not None:
        definition = revisions.get(revision)
        return None if definition is None or is_gone(call, definition) else definition
    newest_first = reversed(revisions.values())
    return next((item for item in newest_first if item.status == definitions.ACTIVE), None)


def is_gone(call: Call, definition: TaskDefinition) -> bool:
    """Whether it was deleted and nothing that has not ended uses it any more (ecs-facts 4.5)."""
    if definition.status != definitions.DELETE_IN_PROGRESS:
        return False
    return definition.arn not in _definitions_in_use(call)


def gone_or_not(call: Call) -> Callable[[TaskDefinition], bool]:
    """`is_gone` for many definitions of one call: what is used is looked up once."""
    in_use = cache(lambda: set(_definitions_in_use(call)))
    return lambda definition: (
        definition.status == definitions.DELETE_IN_PROGRESS and definition.arn not in in_use()
    )


def _definitions_in_use(call: Call) -> Iterator[str]:
    """The ARNs of those of everything that has not ended; each as often as it is used."""
    for cluster in call.store.clusters.values():
        yield from cluster.tasks.live_definitions
        for service in cluster.services.values():
            if service.status != INACTIVE:
                yield from (each.task_definition.arn for each in service.in_place)


def split_definition(
    call: Call, reference: str, kind: str = "task-definition"
) -> tuple[str, int | None]:
    """:raises InvalidParameterException: the revision is not a number, or the ARN not ours."""
    if reference.startswith("arn:"):
        reference = own_parts(call, reference, kind)[0]
    family, colon, revision = reference.partition(":")
    if not colon:
        return family, None
    if not re.fullmatch(r"[0-9]{1,9}", revision):
        raise InvalidParameterException("Invalid task definition: Invalid revision number.")
    return family, int(revision)


def task_id(call: Call, cluster: Cluster, reference: str, *, parameter: str = "taskId") -> str:
    """The id in a task's id or ARN.

    :param parameter: what the refusal calls it, which depends on the operation.
    :raises InvalidParameterException: of another length, cluster or account (ecs-facts 2.2).
    """
    identifier = _last_of(call, cluster, reference, "task")
    if len(identifier) not in _ID_LENGTHS:
        raise InvalidParameterException(f"{parameter} length should be one of [32,36]")
    return identifier


def find_task(call: Call, cluster: Cluster, identifier: str) -> Task | None:
    task = cluster.tasks.get(identifier)
    return task if task is not None and task.is_visible(call.now) else None


def instance_id(call: Call, cluster: Cluster, reference: str) -> str:
    """The id in a container instance's id or ARN.

    :raises InvalidParameterException: of another length, cluster or account (ecs-facts 2.2).
    """
    identifier = _last_of(call, cluster, reference, "container-instance")
    if len(identifier) not in _ID_LENGTHS:
        raise InvalidParameterException("containerInstanceId length should be one of [32,36]")
    return identifier


def find_instance(call: Call, cluster: Cluster, identifier: str) -> ContainerInstance | None:
    instance = cluster.instances.get(identifier)
    return instance if instance is not None and instance.is_visible(call.now) else None


def registered_instance(call: Call, cluster: Cluster, reference: str) -> ContainerInstance:
    """:raises InvalidParameterException: there is none, or it was deregistered."""
    identifier = instance_id(call, cluster, reference)
    instance = find_instance(call, cluster, identifier)
    if instance is None or not instance.is_registered:
        raise InvalidParameterException(f"Referenced container instance {identifier} not found.")
    return instance


def service_name(call: Call, cluster: Cluster, reference: str) -> str:
    """:raises InvalidParameterException: an ARN of another cluster or account."""
    return _last_of(call, cluster, reference, "service")


def find_service(call: Call, cluster: Cluster, reference: str) -> Service | None:
    service = cluster.services.get(service_name(call, cluster, reference))
    return service if service is not None and service.is_visible(call.now) else None


def _last_of(call: Call, cluster: Cluster, reference: str, kind: str) -> str:
    if not reference.startswith("arn:"):
        return reference
    *context, name = own_parts(call, reference, kind)
    if context and context[0] != cluster.name:
        raise InvalidParameterException(
            f"Identifier is for {context[0]}. Your cluster is {cluster.name}"
        )
    return name


def unique(references: list[str]) -> Iterator[str]:
    """Each reference once, in order: ECS merges duplicates."""
    return iter(dict.fromkeys(references))


def missing(arn: str) -> Structure:
    """The `failures` entry of something that does not exist."""
    return {"arn": arn, "reason": "MISSING"}
