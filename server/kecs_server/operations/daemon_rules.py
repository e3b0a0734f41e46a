"""What CreateDaemon and UpdateDaemon refuse (the model's words; refusals are ours)."""

from __future__ import annotations

import re
from typing import Any

from kecs_server.domain.arns import NAME
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.daemon import DaemonRevision
from kecs_server.domain.daemon_task_definition import COMPATIBILITY
from kecs_server.errors import InvalidParameterException
from kecs_server.operations import lookup
from kecs_server.operations.capacity import associable
from kecs_server.operations.daemon_task_definitions import usable_definition
from kecs_server.operations.registry import Call

Structure = dict[str, Any]

MAX_TOKEN = 36
LONGEST_BAKE = 1440
"""Minutes."""

_TOKEN = re.compile(r"[!-~]*\Z")
_CONFIGURATION: Structure = {"drainPercent": 25.0, "bakeTimeInMinutes": 0}
_ALARMS: Structure = {"alarmNames": [], "enable": False}


def check_name(name: str) -> None:
    if not NAME.match(name):
        raise InvalidParameterException("Daemon name contains invalid characters.")


def check_token(token: str) -> None:
    if len(token) > MAX_TOKEN:
        raise InvalidParameterException(f"idempotency token longer than {MAX_TOKEN}.")
    if not _TOKEN.match(token):
        raise InvalidParameterException("idempotency token contains invalid characters.")


def checked_configuration(given: Structure) -> Structure:
    """The whole deployment configuration: what is not given has its default, in updates too."""
    configuration = {**_CONFIGURATION, **given, "alarms": {**_ALARMS, **given.get("alarms", {})}}
    if not 0.0 <= configuration["drainPercent"] <= 100.0:
        raise InvalidParameterException("drainPercent must be between 0.0 and 100.0.")
    if not 0 <= configuration["bakeTimeInMinutes"] <= LONGEST_BAKE:
        raise InvalidParameterException(f"bakeTimeInMinutes must be between 0 and {LONGEST_BAKE}.")
    alarms = configuration["alarms"]
    if alarms["enable"] and not alarms["alarmNames"]:
        raise InvalidParameterException("alarmNames must be specified when alarms are enabled.")
    return configuration


def new_revision(
    call: Call, cluster: Cluster, daemon_arn: str, params: Structure
) -> DaemonRevision:
    """What a request asks for.

    :raises InvalidParameterException, ClientException: its definition or a provider is not usable.
    """
    lookup.own_parts(call, params["daemonTaskDefinitionArn"], "daemon-task-definition")
    definition = usable_definition(call, params["daemonTaskDefinitionArn"])
    references = params["capacityProviderArns"]
    if not references:
        raise InvalidParameterException("capacityProviderArns can not be empty.")
    for reference in references:
        lookup.own_parts(call, reference, "capacity-provider")
    providers = associable(call, references, cluster.name)
    for provider in providers.values():
        if provider.type != COMPATIBILITY:
            raise InvalidParameterException(
                f"The capacity provider {provider.name} is not one of Managed Instances."
            )
    return DaemonRevision(
        daemon_arn=daemon_arn,
        definition=definition,
        providers=tuple(provider.arn for provider in providers.values()),
        propagate_tags=params.get("propagateTags", "NONE"),
        enable_managed_tags=params.get("enableECSManagedTags", False),
        enable_execute_command=params.get("enableExecuteCommand", False),
        critical=params.get("critical", True),
        created_at=call.now,
    )
