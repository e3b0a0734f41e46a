"""Rules of what a definition is for: Windows, external instances, Managed Instances, EC2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kecs_server.domain.task_definition import DAEMON_BRIDGE
from kecs_server.domain.task_definition import runs_windows

Structure = dict[str, Any]

_NOT_ON_WINDOWS = (
    "links",
    "linuxParameters",
    "user",
    "disableNetworking",
    "privileged",
    "readonlyRootFilesystem",
    "dnsServers",
    "dnsSearchDomains",
    "extraHosts",
    "ulimits",
)
_MANAGED_LOG_DRIVERS = ("awslogs", "splunk", "awsfirelens", "json-file")


def problems(definition: Structure) -> Iterator[str]:
    required = definition.get("requiresCompatibilities", ())
    if runs_windows(definition):
        yield from _windows_problems(definition)
    elif "runtimePlatform" in definition:
        yield from _linux_problems(definition)
    if "EXTERNAL" in required and definition.get("networkMode") == "awsvpc":
        yield "External instances do not support networkMode=awsvpc."
    if "MANAGED_INSTANCES" in required:
        yield from _managed_problems(definition)
    if "EC2" in required and "FARGATE" not in required and "ephemeralStorage" in definition:
        yield "Tasks using the EC2 launch type do not support EphemeralStorage."


def _windows_problems(definition: Structure) -> Iterator[str]:
    if definition["runtimePlatform"].get("cpuArchitecture") == "ARM64":
        yield "Windows containers do not support the cpuArchitecture ARM64."
    if definition.get("networkMode", "awsvpc") != "awsvpc":
        yield f"Windows containers do not support networkMode={definition['networkMode']}."
    for member in ("pidMode", "ipcMode"):
        if member in definition:
            yield f"Windows containers do not support {member}."
    for container in definition["containerDefinitions"]:
        for member in _NOT_ON_WINDOWS:
            if container.get(member):
                yield f"Windows containers do not support {member}."


def _linux_problems(definition: Structure) -> Iterator[str]:
    for volume in definition.get("volumes", ()):
        if "fsxWindowsFileServerVolumeConfiguration" in volume:
            yield "Linux containers do not support fsxWindowsFileServerVolumeConfiguration."


def _managed_problems(definition: Structure) -> Iterator[str]:
    if runs_windows(definition):
        yield "Managed Instances do not support Windows containers."
    if definition.get("networkMode") not in ("awsvpc", "host", DAEMON_BRIDGE):
        yield "Managed Instances only support the network modes awsvpc and host."
    for container in definition["containerDefinitions"]:
        driver = container.get("logConfiguration", {}).get("logDriver", "json-file")
        if driver not in _MANAGED_LOG_DRIVERS:
            allowed = ",".join(_MANAGED_LOG_DRIVERS)
            yield f"{driver} is not a valid log driver. Must be one of [{allowed}]"
