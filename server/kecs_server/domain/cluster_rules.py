"""What is refused of a cluster's settings and configuration, and what ECS makes of them
(ecs-facts 3.1, the model's text; the words for the configuration are ours).
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from kecs_server.domain.account_settings import INSIGHTS
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.arns import partition_of
from kecs_server.errors import InvalidParameterException

Structure = dict[str, Any]

_NAMESPACE = re.compile(r"[^<>\"/]{1,1024}\Z")


def checked_settings(settings: list[Structure] | None) -> list[Structure]:
    """:raises InvalidParameterException: a name or value that is none (ecs-facts 3.1)."""
    for setting in settings or ():
        if setting.get("name") != "containerInsights":
            raise InvalidParameterException("Invalid setting 'name'")
        if setting.get("value") not in INSIGHTS:
            raise InvalidParameterException("Invalid setting 'value'")
    return list(settings or ())


def check_configuration(configuration: Structure) -> None:
    """:raises InvalidParameterException: where sessions are logged, or a key, is not valid."""
    commands = configuration.get("executeCommandConfiguration", {})
    logs = commands.get("logConfiguration")
    is_override = commands.get("logging", "DEFAULT") == "OVERRIDE"
    if is_override and not logs:
        raise InvalidParameterException(
            "When the execute command logging is OVERRIDE, a logConfiguration is required."
        )
    if logs and not is_override:
        raise InvalidParameterException(
            "A logConfiguration is only for the execute command logging OVERRIDE."
        )
    if is_override and not {"cloudWatchLogGroupName", "s3BucketName"} & logs.keys():
        raise InvalidParameterException(
            "The logConfiguration must name a CloudWatch log group or an S3 bucket."
        )
    for member, key in configuration.get("managedStorageConfiguration", {}).items():
        if key.rpartition("/")[2].startswith("mrk-"):
            raise InvalidParameterException(f"{member} must be a single Region key.")


def namespace_of(defaults: Structure, account: str, region: str) -> Structure | None:
    """The Service Connect defaults as ECS gives them back, with the namespace's ARN; None for the
    empty name, which takes them away.

    A name becomes the ARN of a namespace that is always the same: it exists nowhere.

    :raises InvalidParameterException: no name, nor an ARN of this account and region.
    """
    namespace = defaults["namespace"]
    if not namespace:
        return None
    arn = parse_arn(namespace)
    if arn is not None:
        place = (arn.service, arn.kind, arn.account, arn.region)
        if place != ("servicediscovery", "namespace", account, region):
            raise InvalidParameterException("Invalid arn syntax.")
        return {"namespace": namespace}
    if not _NAMESPACE.match(namespace):
        raise InvalidParameterException("The namespace contains invalid characters.")
    digest = hashlib.blake2b(namespace.encode(), digest_size=8).hexdigest()
    prefix = f"arn:{partition_of(region)}:servicediscovery:{region}:{account}"
    return {"namespace": f"{prefix}:namespace/ns-{digest}"}
