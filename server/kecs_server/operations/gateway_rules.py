"""What the operations of gateways refuse (the model's words; refusals are ours)."""

from __future__ import annotations

import re
from typing import Any

from kecs_server.domain.arns import NAME
from kecs_server.domain.arns import parse_arn
from kecs_server.errors import InvalidParameterException

Structure = dict[str, Any]

MAX_TOKEN = 64
PORT = 443
PROTOCOL = "HTTPS"

_DEFAULTS: Structure = {
    "scheme": "internet-facing",
    "port": PORT,
    "protocol": PROTOCOL,
    "maxAlbCount": 10,
    "httpDesync": "defensive",
}
_TYPE = "hostSharedAlb"
_TOKEN = re.compile(r"[!-~]*\Z")
_SUBNET = re.compile(r"subnet-[0-9a-z]+\Z")
_SECURITY_GROUP = re.compile(r"sg-[0-9a-z]+\Z")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")


def check_name(name: str) -> None:
    if len(name) > 255:
        raise InvalidParameterException("Gateway name too long.")
    if not NAME.match(name):
        raise InvalidParameterException("Gateway name contains invalid characters.")


def check_token(token: str | None) -> None:
    if token is not None and len(token) > MAX_TOKEN:
        raise InvalidParameterException(f"idempotency token longer than {MAX_TOKEN}.")
    if token is not None and not _TOKEN.match(token):
        raise InvalidParameterException("idempotency token contains invalid characters.")


def checked_configuration(configuration: Structure, default_subnets: list[str]) -> Structure:
    """A new gateway's configuration, whole.

    :raises InvalidParameterException: a member has a value that the model's words exclude.
    """
    given = _variant(configuration)
    if given.get("port", PORT) != PORT:
        raise InvalidParameterException(f"The port of a gateway must be {PORT}.")
    if given.get("protocol", PROTOCOL) != PROTOCOL:
        raise InvalidParameterException(f"The protocol of a gateway must be {PROTOCOL}.")
    _check_shared_members(given)
    network = given.get("networkConfiguration", {})
    for subnet in network.get("subnets", ()):
        if not _SUBNET.match(subnet):
            raise InvalidParameterException(f"The subnet ID '{subnet}' does not exist.")
    subnets = list(dict.fromkeys(network.get("subnets", ()))) or default_subnets
    return {
        **_DEFAULTS,
        **given,
        "networkConfiguration": {"ipAddressType": "dualstack", **network, "subnets": subnets},
    }


def checked_update(configuration: Structure, old: Structure, balancers: int) -> Structure:
    """The whole configuration `old` with the changes.

    :param balancers: load balancers that the gateway has.
    :raises InvalidParameterException: as for a new one, or there are too many load balancers.
    """
    given = _variant(configuration)
    _check_shared_members(given)
    if given.get("maxAlbCount", balancers) < balancers:
        raise InvalidParameterException(
            f"maxAlbCount must be at least {balancers}, the load balancers that the gateway has."
        )
    network = {**old["networkConfiguration"], **given.get("networkConfiguration", {})}
    return {**old, **given, "networkConfiguration": network}


def _variant(configuration: Structure) -> Structure:
    if _TYPE not in configuration:
        raise InvalidParameterException(
            f"Exactly one configuration variant must be set; {_TYPE} is the only one."
        )
    variant: Structure = configuration[_TYPE]
    return variant


def _check_shared_members(given: Structure) -> None:
    """Those that can be updated too."""
    if given.get("maxAlbCount", 1) < 1:
        raise InvalidParameterException("maxAlbCount must be at least 1.")
    group = given.get("networkConfiguration", {}).get("inboundSecurityGroup")
    if group is not None and not _SECURITY_GROUP.match(group):
        raise InvalidParameterException(f"The security group '{group}' does not exist.")
    acl = given.get("webACLArn")
    if acl is not None and getattr(parse_arn(acl), "service", None) != "wafv2":
        raise InvalidParameterException(f"The webACLArn '{acl}' is not a web ACL's ARN.")
    _check_logs(given.get("accessLogs"))
    header = given.get("testTrafficRules", {}).get("header")
    if header is not None and not (header["name"] and header["values"] and all(header["values"])):
        raise InvalidParameterException("The header of testTrafficRules needs a name and values.")


def _check_logs(logs: Structure | None) -> None:
    if logs is None:
        return
    destination = logs.get("destination", {}).get("s3")
    if destination is None:
        raise InvalidParameterException("Exactly one destination of accessLogs must be set.")
    if not _BUCKET.match(destination["bucket"]):
        raise InvalidParameterException(f"The bucket name '{destination['bucket']}' is not valid.")
