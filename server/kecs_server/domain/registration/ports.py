"""Rules of port mappings and links (ecs-facts 4.3, 6.12)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Structure = dict[str, Any]

MAX_RANGES = 100
"""Port ranges of a container."""

_HIGHEST = 65535
_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}\Z")
_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})\Z", re.ASCII)
_LINK = re.compile(r"([A-Za-z0-9_-]{1,255})(:[A-Za-z0-9_-]{1,255})?\Z")


def problems(container: Structure, definition: Structure) -> Iterator[str]:
    """Of one container."""
    network_mode = definition.get("networkMode", "bridge")
    if container.get("links") and network_mode != "bridge":
        yield f"Links are not supported when networkMode={network_mode}."
    mappings = container.get("portMappings", ())
    if mappings and network_mode == "none":
        yield "Port mappings are not supported when networkMode=none."
    for mapping in mappings:
        if "containerPortRange" in mapping:
            yield from _range_problems(mapping, network_mode)
        else:
            yield from _port_problems(mapping, network_mode, container["name"])
        if not _NAME.match(mapping.get("name", "default")):
            yield f"The port mapping name '{mapping['name']}' is not valid."
    yield from _overlap_problems(mappings)


def task_problems(definition: Structure) -> Iterator[str]:
    """Of the containers together."""
    containers = definition["containerDefinitions"]
    taken = set()
    for container in containers:
        for mapping in container.get("portMappings", ()):
            name = mapping.get("name")
            if name in taken:
                yield f"The port mapping name '{name}' is already used in the task definition."
            if name is not None:
                taken.add(name)
    yield from _link_problems(containers)


def _port_problems(mapping: Structure, network_mode: str, container: str) -> Iterator[str]:
    port, host = mapping.get("containerPort"), mapping.get("hostPort")
    if port is None:
        yield f"A port mapping of container '{container}' has no containerPort."
    elif not 1 <= port <= _HIGHEST:
        yield f"The containerPort {port} is not between 1 and {_HIGHEST}."
    if host is not None and not 0 <= host <= _HIGHEST:
        yield f"The hostPort {host} is not between 0 and {_HIGHEST}."
    if network_mode in ("awsvpc", "host") and host not in (None, port):
        yield (
            f"When networkMode={network_mode}, the host ports and container ports in port "
            "mappings must match."
        )


def _range_problems(mapping: Structure, network_mode: str) -> Iterator[str]:
    if {"containerPort", "hostPort"} & mapping.keys():
        yield "A port mapping cannot specify both single port and port range."
    if network_mode not in ("bridge", "awsvpc"):
        yield f"A containerPortRange is not supported when networkMode={network_mode}."
    match = _RANGE.match(mapping["containerPortRange"])
    if match is None or not 1 <= int(match[1]) < int(match[2]) <= _HIGHEST:
        yield f"Invalid 'containerPortRange' setting: '{mapping['containerPortRange']}'."


def _overlap_problems(mappings: list[Structure]) -> Iterator[str]:
    """A port of a range is in no other mapping of its container."""
    ranges = sum("containerPortRange" in mapping for mapping in mappings)
    if not ranges:
        return
    if ranges > MAX_RANGES:
        yield f"A container can have at most {MAX_RANGES} port ranges."
    stops: dict[str, int] = {}
    for mapping in sorted(mappings, key=_place):
        protocol, (first, last) = mapping.get("protocol", "tcp"), _ports(mapping)
        if first < stops.get(protocol, 0):
            yield f"The container port {first} is used multiple times."
        if last > first:
            stops[protocol] = last + 1


def _place(mapping: Structure) -> tuple[int, int]:
    """Sorts by port, a range before the single port with which it begins."""
    first, last = _ports(mapping)
    return first, -last


def _ports(mapping: Structure) -> tuple[int, int]:
    """The first and the last one."""
    first, _, last = mapping.get("containerPortRange", "").partition("-")
    if first:
        return int(first), int(last)
    return mapping["containerPort"], mapping["containerPort"]


def _link_problems(containers: list[Structure]) -> Iterator[str]:
    names = {container["name"] for container in containers}
    for container in containers:
        for link in container.get("links", ()):
            match = _LINK.match(link)
            if match is None:
                yield f"Invalid 'links' setting: '{link}' is not of the form name:internalName."
            elif match[1] not in names:
                yield f"Invalid 'links' setting. Unknown container: '{match[1]}'"
