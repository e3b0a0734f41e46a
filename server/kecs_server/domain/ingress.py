"""Load balancers and what belongs to them, as records: names and ARNs that lead nowhere."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

from kecs_server.domain.arns import new_uuid
from kecs_server.domain.arns import partition_of

PUBLIC = "PUBLIC"
PRIVATE = "PRIVATE"

ROUTES_PER_BALANCER = 25
"""Services behind one load balancer, each with a certificate of its own."""

_ZONES = "abc"


@dataclass(frozen=True, slots=True)
class Place:
    """The account and region in which resources are named."""

    account: str
    region: str

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{partition_of(self.region)}:{service}:{self.region}:{self.account}:{resource}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancer:
    """An Application Load Balancer with its HTTPS listener and its security group."""

    arn: str
    listener_arn: str
    security_group: str
    security_group_arn: str
    security_group_rule_arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """What leads from a load balancer's listener to one service."""

    certificate_arn: str
    rule_arn: str
    test_rule_arn: str
    target_group_arn: str
    alternate_target_group_arn: str
    security_group_arn: str


def new_load_balancer(place: Place, prefix: str) -> LoadBalancer:
    name = f"{prefix}-{secrets.token_hex(4)}/{secrets.token_hex(8)}"
    group = new_security_group()
    return LoadBalancer(
        arn=place.arn("elasticloadbalancing", f"loadbalancer/app/{name}"),
        listener_arn=place.arn("elasticloadbalancing", f"listener/app/{name}/{_suffix()}"),
        security_group=group,
        security_group_arn=place.arn("ec2", f"security-group/{group}"),
        security_group_rule_arn=place.arn("ec2", f"security-group-rule/sgr-{_id()}"),
    )


def new_backend(place: Place, balancer: LoadBalancer, prefix: str) -> Backend:
    listener = balancer.listener_arn.partition(":listener/")[2]

    def rule() -> str:
        return place.arn("elasticloadbalancing", f"listener-rule/{listener}/{_suffix()}")

    def target_group() -> str:
        name = f"{prefix}-{secrets.token_hex(4)}/{_suffix()}"
        return place.arn("elasticloadbalancing", f"targetgroup/{name}")

    return Backend(
        certificate_arn=place.arn("acm", f"certificate/{new_uuid()}"),
        rule_arn=rule(),
        test_rule_arn=rule(),
        target_group_arn=target_group(),
        alternate_target_group_arn=target_group(),
        security_group_arn=place.arn("ec2", f"security-group/{new_security_group()}"),
    )


def new_security_group() -> str:
    return f"sg-{_id()}"


def new_host_name(service_name: str, region: str) -> str:
    """Two characters of the service's name, then what nobody guesses."""
    letters = re.sub(r"[^a-z0-9]", "", service_name.lower())[:2] or "s"
    return f"{letters}-{secrets.token_hex(16)}.ecs.{region}.on.aws"


def default_subnets(place: Place) -> list[str]:
    """Those of the default VPC, which every account has here: always the same."""
    return [f"subnet-{_stable_id(place, zone)}" for zone in _ZONES]


def _stable_id(place: Place, label: str) -> str:
    text = f"{place.account}/{place.region}/{label}"
    return "0" + hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _id() -> str:
    return "0" + secrets.token_hex(8)


def _suffix() -> str:
    return secrets.token_hex(8)
