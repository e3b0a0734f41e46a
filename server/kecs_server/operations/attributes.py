"""Attributes of container instances (ecs-facts 12.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.instance import ContainerInstance
from kecs_server.errors import AttributeLimitExceededException
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import TargetNotFoundException
from kecs_server.operations import lookup
from kecs_server.operations.instance_views import attribute_view
from kecs_server.operations.paging import page
from kecs_server.operations.registering import checked_attributes
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry

Structure = dict[str, Any]

registry = Registry()

MAX_ATTRIBUTES = 10
"""In one call, and of the user's own on one instance."""

_BUILT_IN = ("ecs.", "com.amazonaws.ecs.")


@registry.operation("PutAttributes")
def put_attributes(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_active_cluster(call, params.get("cluster"))
    wanted: dict[str, dict[str, str | None]] = {}
    for instance, given in _targets(call, cluster, params):
        new = wanted.setdefault(instance.id, {})
        new.update(checked_attributes({"attributes": [given]}))
        if sum(map(_is_custom, {**instance.attributes, **new})) > MAX_ATTRIBUTES:
            raise AttributeLimitExceededException(
                f"A container instance can have at most {MAX_ATTRIBUTES} custom attributes."
            )
    # Nothing is changed before everything was checked.
    for identifier, attributes in wanted.items():
        cluster.instances[identifier].attributes.update(attributes)
    return _changed(call, cluster, wanted)


@registry.operation("DeleteAttributes")
def delete_attributes(call: Call, params: Structure) -> Structure:
    """An attribute that is not there, or has another value than the one given, stays as it is."""
    cluster = lookup.find_active_cluster(call, params.get("cluster"))
    wanted: dict[str, dict[str, str | None]] = {}
    for instance, given in list(_targets(call, cluster, params)):
        checked_attributes({"attributes": [given]})
        name, attributes = given["name"], instance.attributes
        if name in attributes and given.get("value") in (None, attributes[name]):
            wanted.setdefault(instance.id, {})[name] = attributes.pop(name)
    return _changed(call, cluster, wanted)


@registry.operation("ListAttributes")
def list_attributes(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_cluster(call, params.get("cluster"))
    name, value = params.get("attributeName"), params.get("attributeValue")
    if value is not None and name is None:
        raise InvalidParameterException(
            "attributeName must be specified when attributeValue is specified."
        )
    found = [
        attribute_view(instance, its_name, its_value)
        for instance in cluster.registered_instances()
        for its_name, its_value in instance.attributes.items()
        if name in (None, its_name) and value in (None, its_value)
    ]
    shown, token = page(found, params, key=lambda each: (each["targetId"], each["name"]))
    return {"attributes": shown, **token}


def _targets(
    call: Call, cluster: Cluster, params: Structure
) -> Iterator[tuple[ContainerInstance, Structure]]:
    """Each attribute of the request with its instance.

    :raises InvalidParameterException, TargetNotFoundException: one has none.
    """
    if not 1 <= len(params["attributes"]) <= MAX_ATTRIBUTES:
        raise InvalidParameterException(
            f"Between 1 and {MAX_ATTRIBUTES} attributes can be specified in one call."
        )
    for attribute in params["attributes"]:
        target = attribute.get("targetId", "")
        if not target:
            raise InvalidParameterException("The targetId of an attribute must be specified.")
        if not target.startswith("arn:") and "targetType" not in attribute:
            raise InvalidParameterException(
                "The targetType must be specified for a targetId that is no ARN."
            )
        if not _is_custom(attribute["name"]):
            raise InvalidParameterException(
                f"The attribute '{attribute['name']}' is built in and cannot be changed."
            )
        identifier = lookup.instance_id(call, cluster, target)
        instance = lookup.find_instance(call, cluster, identifier)
        if instance is None or not instance.is_registered:
            raise TargetNotFoundException(f"The specified target was not found: {target}")
        yield instance, attribute


def _changed(call: Call, cluster: Cluster, changes: dict[str, dict[str, str | None]]) -> Structure:
    """The answer; services may now have other places for their tasks.

    :param changes: by the instance's id.
    """
    shown = []
    for identifier, attributes in changes.items():
        instance = cluster.instances[identifier]
        shown += [attribute_view(instance, *attribute) for attribute in attributes.items()]
        instance.changed(call.now, f"attributes: {', '.join(attributes)}")
        call.realm.touch_instance(cluster, instance)
    return {"attributes": shown}


def _is_custom(name: str) -> bool:
    return not name.startswith(_BUILT_IN)
