"""ARNs and identifiers of ECS resources (ecs-facts 2)."""

from __future__ import annotations

import re
import secrets
import string
import uuid
from dataclasses import dataclass

NAME = re.compile(r"[A-Za-z0-9_-]{1,255}\Z")
"""Names of clusters, services, families and containers (ecs-facts 3.1, 4.3, 7.1)."""

_ARN = re.compile(r"arn:(aws[a-z-]*):([a-z0-9-]*):([a-z0-9-]*):(\d*):(.+)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Arn:
    """A parsed ARN; `resource` is what follows the account, `kind` its first segment."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @property
    def kind(self) -> str:
        return self.resource.split("/", 1)[0]

    @property
    def parts(self) -> tuple[str, ...]:
        """The segments after the kind."""
        return tuple(self.resource.split("/")[1:])


_FUNCTION = re.compile(r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_:$-]+\Z")


def is_function_arn(text: str) -> bool:
    """Whether it is the ARN of a Lambda function, with or without version or alias."""
    return _FUNCTION.match(text) is not None


def parse_arn(text: str) -> Arn | None:
    """The ARN that `text` is, or None."""
    match = _ARN.match(text)
    return Arn(*match.groups()) if match else None


def partition_of(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    if region.startswith("us-gov-"):
        return "aws-us-gov"
    return "aws"


def ecs_arn(region: str, account: str, resource: str) -> str:
    return f"arn:{partition_of(region)}:ecs:{region}:{account}:{resource}"


def root_arn(region: str, account: str) -> str:
    """The principal that every caller of this server is."""
    return f"arn:{partition_of(region)}:iam::{account}:root"


def service_role_arn(region: str, account: str) -> str:
    role = "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
    return f"arn:{partition_of(region)}:iam::{account}:{role}"


def role_session_arn(region: str, account: str, role: str, session: str) -> str:
    """The principal that somebody is who has assumed the role (its name or ARN)."""
    name = role.rpartition("/")[2]
    return f"arn:{partition_of(region)}:sts::{account}:assumed-role/{name}/{session}"


def new_task_id() -> str:
    return secrets.token_hex(16)


def new_container_instance_id() -> str:
    return secrets.token_hex(16)


def new_ec2_instance_id() -> str:
    return "i-" + secrets.token_hex(9)[:17]


def new_uuid() -> str:
    return str(uuid.uuid4())


def new_deployment_number() -> str:
    """19 digits, zero-padded: of a deployment `ecs-svc/N` and of its service revision."""
    return f"{secrets.randbelow(10**19):019d}"


def new_service_deployment_id() -> str:
    alphabet = string.ascii_letters + string.digits + "_-"
    return "".join(secrets.choice(alphabet) for _ in range(21))


def new_interface_id() -> str:
    return "eni-" + secrets.token_hex(9)[:17]


def new_mac_address() -> str:
    return "0a:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(5))
