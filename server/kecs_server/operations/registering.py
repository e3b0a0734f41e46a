"""Making container instances: the engine's hosts, and those of calls (ecs-facts 12.1)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.hosts import add_host
from kecs_server.domain.hosts import add_instance
from kecs_server.domain.instance import ENGINE_CAPABILITIES
from kecs_server.domain.instance import EXTERNAL
from kecs_server.domain.instance import ZONE
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.instance import Host
from kecs_server.domain.instance import host_resources
from kecs_server.domain.instance import integer_resource
from kecs_server.domain.instance import string_set_resource
from kecs_server.domain.tags import checked_tags
from kecs_server.errors import InvalidParameterException
from kecs_server.operations.registry import Call

Structure = dict[str, Any]

INSTANCE_TYPE = "ecs.instance-type"

_VALUES = {
    "INTEGER": "integerValue",
    "LONG": "longValue",
    "DOUBLE": "doubleValue",
    "STRINGSET": "stringSetValue",
}
_NUMBERS = ("CPU", "MEMORY")
_SETS = ("PORTS", "PORTS_UDP", "GPU")
_NAME = re.compile(r"[A-Za-z0-9\-_./\\]{1,128}")
_VALUE = re.compile(r"(?! )[A-Za-z0-9\-_.@/\\: ]{1,128}(?<! )")

_DOCUMENT = {
    "availabilityZone": ZONE,
    "instanceType": INSTANCE_TYPE,
    "imageId": "ecs.ami-id",
}
"""Members of an identity document that become attributes."""


def have_hosts(call: Call, cluster: Cluster, launch_type: str) -> None:
    """Register the engine's hosts in a cluster that needs an instance and never had any."""
    if cluster.instances or launch_type == "FARGATE":
        return
    for host in call.realm.hosts():
        call.realm.touch_instance(cluster, add_host(cluster, host, call.now))


def new_instance(call: Call, cluster: Cluster, params: Structure) -> ContainerInstance:
    """The instance that RegisterContainerInstance asks for: a share of one of the hosts.

    :raises InvalidParameterException: the request is not valid.
    """
    document = identity(params)
    given = own_attributes(params)
    host = _least_used_host(call, cluster)
    resources = checked_resources(params, host)
    tags = checked_tags(params.get("tags"))
    instance = add_instance(cluster, host, call.now)
    attributes = instance.attributes
    if has_capabilities(given):
        for name in ENGINE_CAPABILITIES:
            del attributes[name]
    attributes |= document_attributes(document)
    instance.resources = resources
    instance.attributes = {**given, **attributes, **given}
    instance.has_capabilities = has_capabilities(given)
    instance.version_info = version_info(params)
    instance.tags = tags
    instance.ec2_instance_id = str(document.get("instanceId") or instance.ec2_instance_id)
    return instance


def has_capabilities(attributes: Iterable[str]) -> bool:
    """Whether an agent says what it can do; else its instance can do what the engine can."""
    return any(".capability." in name for name in attributes if name != EXTERNAL)


def version_info(params: Structure) -> Structure:
    given = params.get("versionInfo", {})
    names = ("agentVersion", "agentHash", "dockerVersion")
    return {name: given[name] for name in names if name in given}


def identity(params: Structure) -> Structure:
    """The identity document. Nobody signed it who could be asked.

    :raises InvalidParameterException: it is no JSON object.
    """
    try:
        document = json.loads(params.get("instanceIdentityDocument") or "{}")
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InvalidParameterException("The instance identity document is not valid.")
    return document


def document_attributes(document: Structure) -> dict[str, str | None]:
    return {
        attribute: str(document[member])
        for member, attribute in _DOCUMENT.items()
        if document.get(member)
    }


def checked_attributes(params: Structure) -> dict[str, str | None]:
    """:raises InvalidParameterException: a name or value has other characters than it may have."""
    result: dict[str, str | None] = {}
    for attribute in params.get("attributes", ()):
        name, value = attribute["name"], attribute.get("value")
        if not _NAME.fullmatch(name):
            raise InvalidParameterException(
                "The name of an attribute must have 1 to 128 characters of letters, digits, and "
                f"-_./\\; '{name}' has not."
            )
        if value is not None and not _VALUE.fullmatch(value):
            raise InvalidParameterException(
                "The value of an attribute must have 1 to 128 characters of letters, digits, "
                f"spaces, and -_.@/\\:, and no space at either end; '{value}' has not."
            )
        result[name] = value
    return result


def own_attributes(params: Structure) -> dict[str, str | None]:
    """Those that an agent says its instance has.

    :raises InvalidParameterException: one is not valid, is another's, or is there twice.
    """
    attributes = params.get("attributes", ())
    if any("targetId" in each or "targetType" in each for each in attributes):
        raise InvalidParameterException(
            "An attribute of a container instance that is registered has no target but itself."
        )
    if len({attribute["name"] for attribute in attributes}) < len(attributes):
        raise InvalidParameterException("Duplicate attribute names found.")
    return checked_attributes(params)


def checked_resources(params: Structure, host: Host) -> list[Structure]:
    """What the request says, and of the rest what the host has.

    :raises InvalidParameterException: a resource is not valid.
    """
    given = {each["name"]: each for each in map(_resource, params.get("totalResources", ()))}
    for kind, name in (("GPU", "GPU"), ("NEURON_DEVICE", "NEURON_DEVICE")):
        devices = [each["id"] for each in params.get("platformDevices", ()) if each["type"] == kind]
        if devices:
            given.setdefault(name, string_set_resource(name, devices))
    defaults = {each["name"]: each for each in host_resources(host)}
    return list({**defaults, **given}.values())


def _resource(given: Structure) -> Structure:
    name, kind = given.get("name", ""), given.get("type", "")
    is_known = name not in (*_NUMBERS, *_SETS) or (kind == "STRINGSET") == (name in _SETS)
    if not name or kind not in _VALUES or not is_known:
        raise InvalidParameterException(f"The resource '{name}' cannot be of type '{kind}'.")
    member = _VALUES[kind]
    if member not in given:
        raise InvalidParameterException(f"The resource '{name}' has no {member}.")
    value = given[member]
    if kind == "STRINGSET":
        return string_set_resource(name, value)
    if value < 0:
        raise InvalidParameterException(f"The resource '{name}' cannot be negative.")
    return {**integer_resource(name, 0), "type": kind, member: value}


def host_of(call: Call, instance: ContainerInstance) -> Host:
    """The host that the instance is a share of."""
    hosts = call.realm.hosts()
    return next((host for host in hosts if host.node == instance.node), hosts[0])


def _least_used_host(call: Call, cluster: Cluster) -> Host:
    hosts = call.realm.hosts()
    used = Counter(instance.node for instance in cluster.registered_instances())
    return min(hosts, key=lambda host: used[host.node])
