"""Every operation that this server has, by family."""

from __future__ import annotations

from collections.abc import Collection

from kecs_server.operations import account_settings
from kecs_server.operations import agent_calls
from kecs_server.operations import attributes
from kecs_server.operations import capacity_providers
from kecs_server.operations import clusters
from kecs_server.operations import container_instances
from kecs_server.operations import daemon_deployments
from kecs_server.operations import daemon_task_definitions
from kecs_server.operations import daemons
from kecs_server.operations import deployments
from kecs_server.operations import discovery
from kecs_server.operations import execute_command
from kecs_server.operations import express
from kecs_server.operations import gateways
from kecs_server.operations import services
from kecs_server.operations import tags
from kecs_server.operations import task_definitions
from kecs_server.operations import task_protection
from kecs_server.operations import task_sets
from kecs_server.operations import tasks
from kecs_server.operations.registry import Registry

FAMILIES = {
    "Clusters": (clusters,),
    "Capacity providers": (capacity_providers,),
    "Task definitions": (task_definitions,),
    "Tasks": (tasks, task_protection, execute_command),
    "Services": (services, discovery),
    "Express services": (express,),
    "Service deployments": (deployments,),
    "Task sets": (task_sets,),
    "Daemons": (daemons, daemon_deployments, daemon_task_definitions),
    "Gateways": (gateways,),
    "Container instances": (container_instances, attributes, agent_calls),
    "Tags": (tags,),
    "Account settings": (account_settings,),
}
"""The modules that have a family's operations."""


def all_operations() -> Registry:
    registry = Registry()
    for modules in FAMILIES.values():
        for module in modules:
            registry.include(module.registry)
    return registry


def markdown(known: Collection[str]) -> str:
    """The table of the README.

    :param known: the operations that the model has.
    """
    rows = ["| family | operations |", "|---|---|"]
    for family, modules in FAMILIES.items():
        names = sorted(name for module in modules for name in module.registry.operations())
        rows.append(f"| {family} | {', '.join(f'`{name}`' for name in names)} |")
    lacking = sorted(set(known) - set(all_operations().operations()))
    if lacking:
        rows.append(f"| none yet: HTTP 501 | {', '.join(f'`{name}`' for name in lacking)} |")
    return "\n".join(rows)
