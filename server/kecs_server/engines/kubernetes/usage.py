"""What a container uses, as its node's kubelet counts it: a few seconds old. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from kecs_server.engines.base import Usage
from kecs_server.engines.kubernetes.streams import Json

_STORED = ("rootfs", "logs")
_FRACTION = re.compile(r"\.\d+")


def read_usage(summary: Json, uid: str, container: str) -> Usage | None:
    """The container of the Pod in kubelet's summary; None if it has not been counted yet."""
    for pod in summary.get("pods", ()):
        if pod["podRef"]["uid"] != uid:
            continue
        for each in pod.get("containers", ()):
            if each["name"] == container and "usageBytes" in each.get("memory", {}):
                return _usage(each)
    return None


def read_storage(summary: Json, uid: str) -> int | None:
    """Bytes that the Pod takes of its node's disk; None if it has not been counted yet. Of a Pod
    without volumes kubelet tells no sum.
    """
    for pod in summary.get("pods", ()):
        if pod["podRef"]["uid"] != uid:
            continue
        parts = [pod.get("ephemeral-storage", {})]
        if "usedBytes" not in parts[0]:
            parts = [each.get(part, {}) for each in pod["containers"] for part in _STORED]
        counted = [int(part["usedBytes"]) for part in parts if "usedBytes" in part]
        return sum(counted) if counted else None
    return None


def _usage(container: Json) -> Usage:
    memory, cpu = container["memory"], container.get("cpu", {})
    moment = _FRACTION.sub("", memory["time"]).replace("Z", "+00:00")
    return Usage(
        read_at=datetime.fromisoformat(moment).timestamp(),
        cpu_nanoseconds=int(cpu.get("usageCoreNanoSeconds", 0)),
        memory=int(memory["usageBytes"]),
    )
