"""Disturbances of a task's network that its agent makes when it is asked to (ecs-facts 17.7)."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BlackHole:
    """What is sent to a port is lost: by the task (`is_egress`) or to it. `spared` are addresses
    and networks; what is sent there is not.
    """

    is_egress: bool
    protocol: str
    port: int
    spared: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{'egress' if self.is_egress else 'ingress'}-{self.protocol}-{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """What the task sends to `sources`, but for what is `spared`, takes `delay` seconds longer, or
    up to `jitter` more or less.
    """

    delay: float
    jitter: float
    sources: tuple[str, ...]
    spared: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return "latency"

    def delay_to(self, address: str) -> float:
        if not _is_in(address, self.sources) or _is_in(address, self.spared):
            return 0.0
        return max(self.delay + random.uniform(-self.jitter, self.jitter), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketLoss:
    """So many of a hundred packets are lost that the task sends to `sources`, but for `spared`."""

    percent: int
    sources: tuple[str, ...]
    spared: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return "packet-loss"


Fault = BlackHole | Latency | PacketLoss


def _is_in(address: str, networks: Iterable[str]) -> bool:
    parsed = ipaddress.ip_address(address)
    return any(parsed in ipaddress.ip_network(each, strict=False) for each in networks)
