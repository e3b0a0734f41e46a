"""Task definitions (ecs-facts 4)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from kecs_server.domain import task_definition as definitions
from kecs_server.domain.registration.check import check_registration
from kecs_server.domain.registration.check import fits_fargate
from kecs_server.domain.tags import checked_tags
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.errors import ClientException
from kecs_server.errors import EcsError
from kecs_server.errors import InvalidParameterException
from kecs_server.operations import lookup
from kecs_server.operations import views
from kecs_server.operations.paging import Key
from kecs_server.operations.paging import page_of
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry

Structure = dict[str, Any]

registry = Registry()

_STILL_ACTIVE = (
    "The specified task definition is still in ACTIVE status. Please deregister the target and "
    "try again."
)
_UNKNOWN = (
    "The specified task definition does not exist. Specify a valid account, family, revision and "
    "try again."
)
_INVALID = (
    "The specified task definition identifier is invalid. Specify a valid name or ARN and try "
    "again."
)


@registry.operation("RegisterTaskDefinition")
def register_task_definition(call: Call, params: Structure) -> Structure:
    if params.get("tags") == []:
        raise ClientException("Tags can not be empty.")
    check_registration(params)
    tags = checked_tags(params.get("tags"))
    family = params["family"]
    revisions = call.store.families.setdefault(family, {})
    revision = len(revisions) + 1
    body = definitions.with_defaults(params)
    definition = TaskDefinition(
        arn=call.store.arn(f"task-definition/{family}:{revision}"),
        family=family,
        revision=revision,
        body=body,
        compatibilities=definitions.compatibilities(body, fits_fargate=fits_fargate(body)),
        requires_attributes=definitions.required_attributes(body),
        registered_at=call.now,
        registered_by=call.principal,
        tags=tags,
    )
    revisions[revision] = definition
    return {"taskDefinition": views.task_definition_view(definition), "tags": tags}


@registry.operation("DescribeTaskDefinition")
def describe_task_definition(call: Call, params: Structure) -> Structure:
    for value in params.get("include", ()):
        if value != "TAGS":
            raise ClientException(
                f"{value} is not a valid value for include. The value must be one of [[TAGS]]"
            )
    definition = lookup.find_definition(call, params["taskDefinition"])
    if definition is None:
        raise ClientException("Unable to describe task definition.")
    tags = definition.tags if params.get("include") else []
    return {"taskDefinition": views.task_definition_view(definition), "tags": tags}


@registry.operation("ListTaskDefinitions")
def list_task_definitions(call: Call, params: Structure) -> Structure:
    status = params.get("status", definitions.ACTIVE)
    family = params.get("familyPrefix")
    reverse = params.get("sort") == "DESC"
    is_gone = lookup.gone_or_not(call)

    def matching_after(last: Key | None) -> Iterator[TaskDefinition]:
        return (
            definition
            for definition in _definitions_after(call, last, family=family, reverse=reverse)
            if definition.status == status and not is_gone(definition)
        )

    shown, token = page_of(
        matching_after, params, key=lambda definition: (definition.family, definition.revision)
    )
    return {"taskDefinitionArns": [definition.arn for definition in shown], **token}


@registry.operation("ListTaskDefinitionFamilies")
def list_task_definition_families(call: Call, params: Structure) -> Structure:
    status = params.get("status", "ALL")
    prefix = params.get("familyPrefix", "")
    families = call.store.families

    def matching_after(last: Key | None) -> Iterator[str]:
        # Names that begin alike are neighbours.
        names = families.names_from(max(last[0], prefix) if last else prefix)
        for name in takewhile(lambda name: name.startswith(prefix), names):
            is_new = last is None or name != last[0]
            if is_new and status in ("ALL", _family_status(families[name])):
                yield name

    shown, token = page_of(matching_after, params, key=lambda name: (name,))
    return {"families": shown, **token}


@registry.operation("DeregisterTaskDefinition")
def deregister_task_definition(call: Call, params: Structure) -> Structure:
    _, revision = lookup.split_definition(call, params["taskDefinition"])
    if revision is None:
        raise InvalidParameterException("Revision is missing")
    definition = lookup.find_definition(call, params["taskDefinition"])
    if definition is None:
        raise ClientException("Unable to describe task definition.")
    if definition.status == definitions.DELETE_IN_PROGRESS:
        raise ClientException(
            "The task definition could not be deregistered because it is in the process of being "
            "deleted."
        )
    view = views.task_definition_view(definition) | {"status": definitions.INACTIVE}
    if definition.status == definitions.ACTIVE:
        definition.status = definitions.INACTIVE
        definition.deregistered_at = call.now
    return {"taskDefinition": view}


@registry.operation("DeleteTaskDefinitions")
def delete_task_definitions(call: Call, params: Structure) -> Structure:
    references = params["taskDefinitions"]
    if not references:
        raise ClientException("size of TaskDefinition references list must be greater than 0")
    if len(references) > 10:
        raise ClientException("Size of TaskDefinition references list cannot exceed 10")
    deleted, failures = [], []
    for reference in references:
        problem, definition = _deletable(call, reference)
        if definition is None:
            failures.append({"arn": reference, "reason": problem})
            continue
        definition.status = definitions.DELETE_IN_PROGRESS
        definition.delete_requested_at = definition.delete_requested_at or call.now
        deleted.append(views.task_definition_view(definition))
    return {"taskDefinitions": deleted, "failures": failures}


def _deletable(call: Call, reference: str) -> tuple[str, TaskDefinition | None]:
    try:
        _, revision = lookup.split_definition(call, reference)
    except EcsError:
        return _INVALID, None
    if revision is None:
        return _INVALID, None
    definition = lookup.find_definition(call, reference)
    if definition is None:
        return _UNKNOWN, None
    if definition.status == definitions.ACTIVE:
        return _STILL_ACTIVE, None
    return "", definition


def _definitions_after(
    call: Call, last: Key | None, *, family: str | None, reverse: bool
) -> Iterator[TaskDefinition]:
    """Of one family or all, by family and revision, those behind the family and revision `last`."""
    families = call.store.families
    names = families.names_from(last[0] if last else None, reverse=reverse)
    if family is not None:
        names = iter([family] if family in families else [])
    for name in names:
        revisions = families[name]
        begin, end = 1, len(revisions)
        if last and name == last[0]:
            begin, end = (begin, last[1] - 1) if reverse else (last[1] + 1, end)
        numbers = range(end, begin - 1, -1) if reverse else range(begin, end + 1)
        yield from (revisions[number] for number in numbers)


def _family_status(revisions: dict[int, TaskDefinition]) -> str:
    active = any(item.status == definitions.ACTIVE for item in reversed(revisions.values()))
    return definitions.ACTIVE if active else definitions.INACTIVE
