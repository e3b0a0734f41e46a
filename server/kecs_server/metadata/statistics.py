"""What a container uses, in the form of Docker's statistics (ecs-facts 17.5)."""

from __future__ import annotations

from typing import Any

from kecs_server.engines.base import Usage
from kecs_server.metadata.views import MIB
from kecs_server.metadata.views import moment

Structure = dict[str, Any]


def statistics_document(
    name: str, identifier: str, usage: Usage, earlier: Usage | None, memory_limit: int | None
) -> Structure:
    """`earlier` is the last figure that was read, `memory_limit` in MiB; both None if unknown."""
    document: Structure = {
        "read": moment(usage.read_at),
        "preread": moment(earlier.read_at) if earlier else "0001-01-01T00:00:00Z",
        "pids_stats": _known({"current": usage.processes}),
        "num_procs": 0,
        "cpu_stats": _cpu(usage),
        "precpu_stats": _cpu(earlier) if earlier else {"cpu_usage": {"total_usage": 0}},
        "memory_stats": {"usage": usage.memory, "stats": {}},
        "name": name,
        "id": identifier,
    }
    if memory_limit is not None:
        document["memory_stats"]["limit"] = memory_limit * MIB
    return document


def _cpu(usage: Usage) -> Structure:
    return _known(
        {
            "cpu_usage": {"total_usage": usage.cpu_nanoseconds},
            "system_cpu_usage": usage.system_cpu_nanoseconds,
            "online_cpus": usage.online_cpus,
        }
    )


def _known(structure: Structure) -> Structure:
    return {name: value for name, value in structure.items() if value is not None}
