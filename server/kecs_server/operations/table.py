"""Every operation that this server has."""

from __future__ import annotations

from kecs_server.operations import clusters
from kecs_server.operations import execute_command
from kecs_server.operations import services
from kecs_server.operations import tags
from kecs_server.operations import task_definitions
from kecs_server.operations import task_protection
from kecs_server.operations import tasks
from kecs_server.operations.registry import Registry


def all_operations() -> Registry:
    registry = Registry()
    for module in (
        clusters,
        task_definitions,
        tasks,
        task_protection,
        execute_command,
        services,
        tags,
    ):
        registry.include(module.registry)
    return registry
