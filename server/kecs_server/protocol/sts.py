"""STS GetCallerIdentity, the one call of another service that SDKs and Terraform make to learn
the account's id (the query protocol, version 2011-06-15).
"""

from __future__ import annotations

from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from kecs_server.domain.arns import root_arn

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def is_get_caller_identity(body: bytes) -> bool:
    return parse_qs(body.decode("utf-8", "replace")).get("Action") == ["GetCallerIdentity"]


def caller_identity(account: str, region: str, role: str | None, request_id: str) -> str:
    """The XML answer: the caller is the session of a role, given by its ARN, or the account's
    root.
    """
    arn = role or root_arn(region, account)
    user = account if role is None else f"AROAKECS:{role.rpartition('/')[2]}"
    return (
        f'<GetCallerIdentityResponse xmlns="{_NAMESPACE}"><GetCallerIdentityResult>'
        f"<Arn>{escape(arn)}</Arn><UserId>{escape(user)}</UserId>"
        f"<Account>{account}</Account></GetCallerIdentityResult><ResponseMetadata>"
        f"<RequestId>{request_id}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )


def error(code: str, message: str, request_id: str) -> str:
    return (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId>{request_id}</RequestId>"
        "</ErrorResponse>"
    )
