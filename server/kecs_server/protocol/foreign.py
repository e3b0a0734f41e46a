"""The refusal of requests for other AWS services, in the protocol of each, so that every SDK tells
its user the text, and nobody takes "not found" for an answer about an object or a function.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from xml.sax.saxutils import escape

CODE = "AccessDeniedException"
STATUS = 403

_REST_XML = frozenset({"cloudfront", "route53", "s3control"})


@dataclass(frozen=True, slots=True)
class Refusal:
    body: str
    content_type: str


def refusal(service: str, content_type: str) -> Refusal:
    """:param service: as the signature's scope names it; content_type: of the request."""
    text = (
        f"This endpoint is a pytest-kecs server: it has Amazon ECS and STS GetCallerIdentity, not "
        f"the service '{service}'. In a task, AWS_ENDPOINT_URL points here so that nothing reaches "
        "real AWS by accident; --kecs-aws-endpoint names what has the rest of AWS."
    )
    error = f"<Code>{CODE}</Code><Message>{escape(text)}</Message>"
    if service == "s3":
        return Refusal(f"<Error>{error}</Error>", "application/xml")
    if service == "ec2":
        return Refusal(f"<Response><Errors><Error>{error}</Error></Errors></Response>", "text/xml")
    if service in _REST_XML or content_type.startswith("application/x-www-form-urlencoded"):
        body = f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>"
        return Refusal(body, "text/xml")
    return Refusal(json.dumps({"__type": CODE, "message": text}), "application/x-amz-json-1.1")
