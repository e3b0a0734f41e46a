"""Daemon task definitions (the model's words; developer guide, "Daemon task definitions").

A registration is held to the rules of RegisterTaskDefinition, of which it has fewer members.
"""

from __future__ import annotations

from typing import Any

from kecs_server.domain import daemon_task_definition as daemons
from kecs_server.domain.daemon_task_definition import DaemonTaskDefinition
from kecs_server.domain.registration.check import check_registration
from kecs_server.domain.tags import checked_tags
from kecs_server.domain.task_definition import ACTIVE
from kecs_server.domain.task_definition import DELETE_IN_PROGRESS
from kecs_server.domain.task_definition import required_attributes
from kecs_server.errors import ClientException
from kecs_server.errors import InvalidParameterException
from kecs_server.operations import lookup
from kecs_server.operations.paging import page
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry
from kecs_server.operations.views import timestamp

Structure = dict[str, Any]

registry = Registry()

_SHOWN = ("family", "taskRoleArn", "executionRoleArn", "volumes", "cpu", "memory")


@registry.operation("RegisterDaemonTaskDefinition")
def register_daemon_task_definition(call: Call, params: Structure) -> Structure:
    check_registration(daemons.as_task_definition(params))
    tags = checked_tags(params.get("tags"))
    family = params["family"]
    revisions = call.store.daemon_families.setdefault(family, {})
    revision = max(revisions, default=0) + 1
    body = daemons.body_of(params)
    definition = DaemonTaskDefinition(
        arn=call.store.arn(f"daemon-task-definition/{family}:{revision}"),
        family=family,
        revision=revision,
        body=body,
        modes=daemons.modes_of(params),
        compatibilities=[daemons.COMPATIBILITY],
        requires_attributes=required_attributes(body),
        registered_at=call.now,
        registered_by=call.principal,
        tags=tags,
    )
    revisions[revision] = definition
    return {"daemonTaskDefinitionArn": definition.arn}


@registry.operation("DescribeDaemonTaskDefinition")
def describe_daemon_task_definition(call: Call, params: Structure) -> Structure:
    definition = known_definition(call, params["daemonTaskDefinition"])
    return {"daemonTaskDefinition": _view(definition)}


@registry.operation("ListDaemonTaskDefinitions")
def list_daemon_task_definitions(call: Call, params: Structure) -> Structure:
    status = params.get("status", ACTIVE)
    matching = [
        definition
        for family, revisions in call.store.daemon_families.items()
        for definition in _filtered(revisions, params)
        if family.startswith(params.get("familyPrefix", ""))
        and params.get("family") in (None, family)
        and status in ("ALL", definition.status)
    ]
    shown, token = page(
        matching,
        params,
        key=lambda definition: (definition.family, definition.revision),
        reverse=params.get("sort") == "DESC",
    )
    return {"daemonTaskDefinitions": [_summary(definition) for definition in shown], **token}


@registry.operation("DeleteDaemonTaskDefinition")
def delete_daemon_task_definition(call: Call, params: Structure) -> Structure:
    reference = params["daemonTaskDefinition"]
    _, revision = lookup.split_definition(call, reference, "daemon-task-definition")
    if revision is None:
        raise InvalidParameterException("Revision is missing")
    definition = usable_definition(call, reference)
    definition.status = DELETE_IN_PROGRESS
    definition.delete_requested_at = call.now
    definition.news.append((call.now, definition.status))
    call.realm.touch_managed(definition)
    return {"daemonTaskDefinitionArn": definition.arn}


def known_definition(call: Call, reference: str) -> DaemonTaskDefinition:
    """`family` (its latest ACTIVE revision), `family:revision` or a full ARN.

    :raises ClientException: there is none.
    """
    family, revision = lookup.split_definition(call, reference, "daemon-task-definition")
    revisions = call.store.daemon_families.get(family, {})
    if revision is None:
        revision = max((n for n, each in revisions.items() if each.status == ACTIVE), default=0)
    if revision not in revisions:
        raise ClientException("Unable to describe daemon task definition.")
    return revisions[revision]


def usable_definition(call: Call, reference: str) -> DaemonTaskDefinition:
    """One that a daemon can be made of.

    :raises ClientException: there is none, or it is not ACTIVE.
    """
    definition = known_definition(call, reference)
    if definition.status != ACTIVE:
        raise ClientException("The specified daemon task definition is not in ACTIVE status.")
    return definition


def _filtered(
    revisions: dict[int, DaemonTaskDefinition], params: Structure
) -> list[DaemonTaskDefinition]:
    if params.get("revision") == "LAST_REGISTERED" and revisions:
        return [revisions[max(revisions)]]
    return list(revisions.values())


def _view(definition: DaemonTaskDefinition) -> Structure:
    body = definition.body
    return {
        "daemonTaskDefinitionArn": definition.arn,
        "revision": definition.revision,
        "containerDefinitions": definition.shown_containers(),
        **{name: body[name] for name in _SHOWN if name in body},
        **definition.modes,
        **_life(definition),
    }


def _summary(definition: DaemonTaskDefinition) -> Structure:
    return {"arn": definition.arn, **_life(definition)}


def _life(definition: DaemonTaskDefinition) -> Structure:
    life: Structure = {
        "status": definition.status,
        "registeredAt": timestamp(definition.registered_at),
        "registeredBy": definition.registered_by,
    }
    if definition.delete_requested_at is not None:
        life["deleteRequestedAt"] = timestamp(definition.delete_requested_at)
    return life
