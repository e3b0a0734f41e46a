"""Account settings: names, values and whose hold (ecs-facts 13, the model's text)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kecs_server.domain.arns import Arn
from kecs_server.domain.arns import parse_arn
from kecs_server.errors import InvalidParameterException

_SWITCH = ("enabled", "disabled")

INSIGHTS = ("enabled", "disabled", "enhanced")
"""Values of containerInsights, of accounts as of clusters."""

FOR_ROOT = frozenset({"fargateTaskRetirementWaitPeriod"})
"""Settings that hold for a whole account."""

MANAGED = frozenset({"guardDutyActivate"})
"""Settings that AWS makes, and nobody else."""


@dataclass(frozen=True, slots=True)
class Setting:
    """`default` holds where neither the principal nor the account's root says otherwise."""

    values: tuple[str, ...]
    default: str


SETTINGS: Mapping[str, Setting] = {
    "serviceLongArnFormat": Setting(_SWITCH, "enabled"),
    "taskLongArnFormat": Setting(_SWITCH, "enabled"),
    "containerInstanceLongArnFormat": Setting(_SWITCH, "enabled"),
    "awsvpcTrunking": Setting(_SWITCH, "disabled"),
    "containerInsights": Setting(INSIGHTS, "disabled"),
    "dualStackIPv6": Setting(_SWITCH, "enabled"),
    "fargateFIPSMode": Setting(_SWITCH, "disabled"),
    "tagResourceAuthorization": Setting(("on", "off"), "on"),
    "fargateTaskRetirementWaitPeriod": Setting(("0", "7", "14"), "7"),
    "guardDutyActivate": Setting(("on", "off"), "off"),
    "defaultLogDriverMode": Setting(("blocking", "non-blocking"), "non-blocking"),
    "fargateEventWindows": Setting(_SWITCH, "disabled"),
}
"""In the order of the model, whose text has `dualStackIPv6` and whose enum has not."""

Given = Mapping[str, Mapping[str, str]]
"""What was set: values by name, by the ARN of the principal."""


@dataclass(frozen=True, slots=True)
class Effective:
    """`principal`: whose setting it is."""

    value: str
    principal: str


def check_name(name: str) -> None:
    """:raises InvalidParameterException: there is no such setting (ecs-facts 13)."""
    if name not in SETTINGS:
        raise InvalidParameterException(f"{name} should be one of [{','.join(SETTINGS)}]")


def check_value(name: str, value: str) -> None:
    """:raises InvalidParameterException: the setting cannot have it, or nobody may set it."""
    check_name(name)
    if name in MANAGED:
        raise InvalidParameterException(f"The setting {name} is managed by AWS.")
    if value not in SETTINGS[name].values:
        raise InvalidParameterException("Invalid setting 'value'")


def holder_of(principal: str, account: str) -> str:
    """Whose settings a principal has: a role's sessions have the role's.

    :raises InvalidParameterException: not a root user, user or role of the account.
    """
    arn = parse_arn(principal)
    if arn is None or arn.account != account or not _can_hold(arn):
        raise InvalidParameterException("The principalArn is invalid.")
    if arn.service == "sts":
        return f"arn:{arn.partition}:iam::{account}:role/{arn.parts[0]}"
    return principal


def _can_hold(arn: Arn) -> bool:
    if arn.service == "sts":
        return arn.kind == "assumed-role" and bool(arn.parts)
    is_one = arn.kind in ("user", "role") and all(arn.parts) and bool(arn.parts)
    return arn.service == "iam" and (arn.resource == "root" or is_one)


def effective(name: str, given: Given, principal: str, root: str) -> Effective:
    """The principal's own, else the root's, else what ECS begins with."""
    for holder in (principal, root):
        value = given.get(holder, {}).get(name)
        if value is not None:
            return Effective(value, holder)
    return Effective(SETTINGS[name].default, root)
