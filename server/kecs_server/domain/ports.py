"""What port mappings ask of a host, and what they got (ecs-facts 6.12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Structure = dict[str, Any]

RESERVED = frozenset({22, 2375, 2376, *range(51678, 51681)})
"""TCP ports that ECS keeps of every container instance (ecs-facts 6.12)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortMapping:
    """Container ports `first` to `last`, which are one but for a range. `host_port` is the one that
    the definition fixes; 0: any that is free.
    """

    first: int
    last: int
    host_port: int
    protocol: str
    is_range: bool

    @property
    def size(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """`host_port` and those after it stand for the ports of the mapping."""

    mapping: PortMapping
    host_port: int


def port_mappings(container: Structure) -> Iterator[PortMapping]:
    """Of a container definition as it was registered."""
    for mapping in container.get("portMappings", ()):
        text = mapping.get("containerPortRange")
        first, _, last = str(text or mapping["containerPort"]).partition("-")
        yield PortMapping(
            first=int(first),
            last=int(last or first),
            host_port=mapping.get("hostPort", 0),
            protocol=mapping["protocol"],
            is_range=text is not None,
        )


def ports_of(container: Structure) -> Iterator[tuple[int, str]]:
    """Every port of a container's mappings, and its protocol."""
    for mapping in port_mappings(container):
        for port in range(mapping.first, mapping.last + 1):
            yield port, mapping.protocol


def fixed_host_ports(containers: list[Structure], network_mode: str) -> frozenset[tuple[int, str]]:
    """The ports (number, protocol) of its host that a task can have alone."""
    if network_mode not in ("bridge", "host"):
        return frozenset()
    return frozenset(
        (mapping.host_port, mapping.protocol)
        for container in containers
        for mapping in port_mappings(container)
        if mapping.host_port
    )
