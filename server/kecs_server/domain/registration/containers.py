"""Rules of a container by itself: name, image, sizes, timeouts, health check, restart policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kecs_server.domain.arns import NAME
from kecs_server.domain.task_definition import DAEMON_BRIDGE

Structure = dict[str, Any]

MAX_CONTAINERS = 10
MAX_NAME = 255
"""Characters of a container's name, and of an image without its digest."""

LEAST_MEMORY = 4
"""MiB."""

LEAST_TIMEOUT = 2
"""Seconds of startTimeout and stopTimeout."""

_IMAGE = re.compile(r"[A-Za-z0-9_./:#-]+(@sha256:[A-Fa-f0-9]{64})?\Z")
_HEALTH_RANGES = {
    "interval": (5, 300),
    "timeout": (2, 60),
    "retries": (1, 10),
    "startPeriod": (0, 300),
}
_RESTART_PERIOD = (60, 1800)
_MAX_IGNORED_CODES = 50
_UNSUPPORTED_WITH_AWSVPC = {
    "hostname": "hostname is",
    "extraHosts": "Extra hosts are",
    "dnsServers": "DNS servers are",
    "dnsSearchDomains": "DNS search domains are",
    "disableNetworking": "Disable Networking is",
}


def list_problems(definition: Structure) -> Iterator[str]:
    """Of the containers together, before each is looked at by itself."""
    containers = definition["containerDefinitions"]
    if not containers:
        yield "Container list cannot be empty."
    if len(containers) > MAX_CONTAINERS:
        yield "Too many containers."
    if not any(container.get("essential", True) for container in containers):
        yield "Task definition doesn't have any essential container."
    for container in containers:
        for member in ("name", "image"):
            if not container.get(member):
                yield f"Container.{member} should not be null or empty."
    if len({container["name"] for container in containers}) < len(containers):
        yield "Container names must be unique within a Task Definition."


def problems(container: Structure, definition: Structure) -> Iterator[str]:
    if len(container["name"]) > MAX_NAME:
        yield f"Container.name should be {MAX_NAME} characters or less"
    if not NAME.match(container["name"]):
        yield "Container.name contains invalid characters."
    if len(container["image"].partition("@")[0]) > MAX_NAME:
        yield f"Container.image should be {MAX_NAME} characters or less"
    if not _IMAGE.match(container["image"]):
        yield "Container.image contains invalid characters."
    yield from nul_problems(container)
    yield from _memory_problems(container, definition)
    yield from _name_problems(container)
    yield from _network_problems(container, definition)
    yield from _timeout_problems(container)
    yield from _health_problems(container)
    yield from _restart_problems(container)


def nul_problems(container: Structure) -> Iterator[str]:
    """Of what becomes variables, words and paths of a process; an override is held to them too."""
    texts = {
        "user": [container.get("user")],
        "workingDirectory": [container.get("workingDirectory")],
        "entryPoint": container.get("entryPoint", ()),
        "command": container.get("command", ()),
        "healthCheck": container.get("healthCheck", {}).get("command", ()),
        "environment": [
            text for pair in container.get("environment", ()) for text in pair.values()
        ],
        "mountPoints": [mount.get("containerPath") for mount in container.get("mountPoints", ())],
    }
    for member, found in texts.items():
        if any("\0" in (text or "") for text in found):
            yield f"The {member} of container '{container['name']}' has a NUL in it."


def size_problems(container: Structure) -> Iterator[str]:
    """Of the container's own numbers; an override is held to them too."""
    setting = f"Invalid setting for container '{container['name']}'."
    memory, reservation = container.get("memory"), container.get("memoryReservation")
    for member, value in (("memory", memory), ("memoryReservation", reservation)):
        if value is not None and value < LEAST_MEMORY:
            yield f"{setting} '{member}' must be at least {LEAST_MEMORY}"
    if memory is not None and reservation is not None and reservation > memory:
        yield f"{setting} 'memoryReservation' must be less than 'memory'."
    if container.get("cpu", 0) < 0:
        yield f"{setting} 'cpu' must not be negative"


def _memory_problems(container: Structure, definition: Structure) -> Iterator[str]:
    is_of_daemon = definition.get("networkMode") == DAEMON_BRIDGE
    has_memory = "memory" in definition or {"memory", "memoryReservation"} & container.keys()
    if not has_memory and not is_of_daemon:
        yield (
            f"Invalid setting for container '{container['name']}'. At least one of 'memory' or "
            "'memoryReservation' must be specified."
        )
    yield from size_problems(container)


def _name_problems(container: Structure) -> Iterator[str]:
    """Of what becomes words of /etc/hosts and /etc/resolv.conf. What ECS says is not known."""
    hosts = container.get("extraHosts", ())
    texts = {
        "hostname": [container.get("hostname", "")],
        "extraHosts": [text for host in hosts for text in host.values()],
        "dnsServers": container.get("dnsServers", ()),
        "dnsSearchDomains": container.get("dnsSearchDomains", ()),
    }
    for member, found in texts.items():
        if any(" " in text or not text.isprintable() for text in found):
            yield (
                f"The {member} of container '{container['name']}' has a blank or a control "
                "character in it."
            )


def _network_problems(container: Structure, definition: Structure) -> Iterator[str]:
    if definition.get("networkMode") != "awsvpc":
        return
    for member, subject in _UNSUPPORTED_WITH_AWSVPC.items():
        if container.get(member):
            yield f"{subject} not supported on container when networkMode=awsvpc."


def _timeout_problems(container: Structure) -> Iterator[str]:
    for member, word in (("startTimeout", "start"), ("stopTimeout", "stop")):
        if container.get(member, LEAST_TIMEOUT) < LEAST_TIMEOUT:
            yield (
                f"Granular {word} timeout on container '{container['name']}' must be at least "
                f"{LEAST_TIMEOUT} seconds."
            )


def _health_problems(container: Structure) -> Iterator[str]:
    check = container.get("healthCheck")
    if check is None:
        return
    subject = f"The healthCheck of container '{container['name']}'"
    if not check["command"]:
        yield f"{subject} needs a command."
    kind, *command = check["command"]
    if kind not in ("CMD", "CMD-SHELL", "NONE"):
        yield f"{subject} must have a command that begins with CMD, CMD-SHELL or NONE."
    if kind != "NONE" and not any(command):
        yield f"{subject} has nothing to run after {kind}."
    for member, (lowest, highest) in _HEALTH_RANGES.items():
        if not lowest <= check.get(member, lowest) <= highest:
            yield f"{subject} must have {member} between {lowest} and {highest}."


def _restart_problems(container: Structure) -> Iterator[str]:
    policy = container.get("restartPolicy", {})
    lowest, highest = _RESTART_PERIOD
    if not lowest <= policy.get("restartAttemptPeriod", lowest) <= highest:
        yield (
            f"The 'restartAttemptPeriod' setting for container '{container['name']}' must be "
            f"between {lowest} and {highest}."
        )
    if len(policy.get("ignoredExitCodes", ())) > _MAX_IGNORED_CODES:
        yield (
            f"The 'ignoredExitCodes' setting for container '{container['name']}' can have at most "
            f"{_MAX_IGNORED_CODES} exit codes."
        )
