"""The container instances that a daemon has a task on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.instance import ACTIVE


@dataclass(frozen=True, slots=True)
class Seat:
    """An instance, and the capacity provider that it counts as one of."""

    instance_arn: str
    provider_arn: str


def seats(cluster: Cluster, providers: Sequence[str]) -> list[Seat]:
    """The ACTIVE instances of the providers; one that is of none counts for each."""
    names = {arn.rpartition("/")[2]: arn for arn in providers}
    return [
        Seat(instance.arn, names.get(instance.capacity_provider or "", providers[0]))
        for instance in cluster.instances.values()
        if instance.status == ACTIVE and instance.capacity_provider in (None, *names)
    ]
