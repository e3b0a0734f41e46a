"""The container instances that a daemon has a task on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.launch import host_arn


@dataclass(frozen=True, slots=True)
class Seat:
    """An instance, and the capacity provider that it counts as one of."""

    instance_arn: str
    provider_arn: str


def seats(cluster: Cluster, providers: Sequence[str]) -> list[Seat]:
    """The engine's host is the one instance of every provider."""
    return [Seat(host_arn(cluster), providers[0])]
