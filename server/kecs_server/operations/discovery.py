"""Service Connect and Cloud Map: what services say of them, and who is in a namespace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kecs_server.domain.arns import parse_arn
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.cluster_rules import namespace_of
from kecs_server.domain.discovery import named_port
from kecs_server.domain.service import Service
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.errors import InvalidParameterException
from kecs_server.operations.paging import page_of
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry

Structure = dict[str, Any]

MAX_PORT = 65535

_DNS_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,126}\Z")
_DISCOVERY_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}\Z")

registry = Registry()


@registry.operation("ListServicesByNamespace")
def list_services_by_namespace(call: Call, params: Structure) -> Structure:
    """Services of all clusters whose deployment is in the namespace. Without Cloud Map, one that
    nobody uses is a namespace without services.
    """
    wanted = namespace_arn(call, params)
    if wanted is None:
        raise InvalidParameterException("Namespace can not be blank.")

    def after(last: tuple[Any, ...] | None) -> Iterator[Service]:
        return call.store.discovery.in_namespace(wanted, last[0] if last else None)

    shown, token = page_of(after, params, key=lambda service: (service.arn,), default=10)
    return {"serviceArns": [service.arn for service in shown], **token}


def namespace_arn(call: Call, given: Structure) -> str | None:
    """The ARN of the namespace that the member `namespace` names; None for the empty name.

    :raises InvalidParameterException: it is none.
    """
    found = namespace_of(given, call.account, call.region)
    return None if found is None else str(found["namespace"])


def namespace_for(call: Call, cluster: Cluster, settings: Structure) -> str | None:
    """The namespace that a deployment with these settings is in: that which it names, or else its
    cluster's; None without Service Connect.

    :raises InvalidParameterException: it names none.
    """
    connect = settings.get("serviceConnectConfiguration", {})
    own = namespace_arn(call, connect) if "namespace" in connect else None
    if not connect.get("enabled", False):
        return None
    defaults = cluster.service_connect_defaults
    return own or (defaults["namespace"] if defaults else None)


def check_registries(registries: list[Structure], definition: TaskDefinition) -> None:
    """What of a registry is not its container's (ecs-facts 7.9, the model's text; words ours).

    :raises InvalidParameterException: it is not valid.
    """
    if len(registries) > 1:
        raise InvalidParameterException("A service can have at most one service registry.")
    for each in registries:
        arn = parse_arn(each.get("registryArn", ""))
        if arn is None or (arn.service, arn.kind) != ("servicediscovery", "service"):
            raise InvalidParameterException("Invalid arn syntax.")
        if "port" in each and {"containerName", "containerPort"} & each.keys():
            raise InvalidParameterException(
                "A service registry has either a port or a containerName and containerPort."
            )
        is_shared = definition.network_mode in ("bridge", "host")
        if is_shared and not {"containerName", "containerPort"} <= each.keys():
            raise InvalidParameterException(
                "A service registry must have a containerName and containerPort in network mode "
                f"{definition.network_mode}."
            )


def check_connect(configuration: Structure, definition: TaskDefinition) -> None:
    """:raises InvalidParameterException: no such port (ecs-facts 7.1), or more than one alias."""
    for each in configuration.get("services", ()):
        if named_port(definition, each["portName"]) is None:
            raise InvalidParameterException(
                f"portName({each['portName']}) does not refer to any named PortMapping in the "
                "container definitions"
            )
        if not _DISCOVERY_NAME.match(each.get("discoveryName", "x")):
            raise InvalidParameterException(
                f"The discoveryName {each['discoveryName']} contains invalid characters."
            )
        for alias in each.get("clientAliases", ()):
            if not _DNS_NAME.match(alias.get("dnsName", "x")):
                raise InvalidParameterException(
                    f"The dnsName {alias['dnsName']} contains invalid characters."
                )
            if not 1 <= alias["port"] <= MAX_PORT:
                raise InvalidParameterException(
                    f"The port of a client alias must be between 1 and {MAX_PORT}."
                )
        if len(each.get("clientAliases", ())) > 1:
            raise InvalidParameterException(
                "A Service Connect service can have at most one client alias."
            )
