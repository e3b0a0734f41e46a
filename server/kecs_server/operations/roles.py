"""Infrastructure roles, which gateways, Express services and capacity providers name."""

from __future__ import annotations

from kecs_server.domain.arns import parse_arn
from kecs_server.errors import InvalidParameterException


def check_infrastructure_role(arn: str) -> None:
    """:raises InvalidParameterException: not the ARN of an IAM role."""
    role = parse_arn(arn)
    if role is None or role.service != "iam" or role.kind != "role" or not all(role.parts):
        raise InvalidParameterException(f"The infrastructureRoleArn '{arn}' is not a role's ARN.")
