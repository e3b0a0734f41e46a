"""SigV4 of a request, verified.

Which error answers which mistake: ecs-facts 1.4.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import quote

from kecs_server.errors import IncompleteSignatureException
from kecs_server.errors import InvalidSignatureException
from kecs_server.errors import MissingAuthenticationTokenException
from kecs_server.errors import UnrecognizedClientException

ALGORITHM = "AWS4-HMAC-SHA256"
CLOCK_SKEW = 300.0
"""Seconds that a signature's date may be off, where dates are compared at all."""

TERMINATOR = "aws4_request"

_BASIC = "%Y%m%dT%H%M%SZ"
"""ISO 8601's basic form."""

_REGION = re.compile(r"[a-z0-9-]+")
_PARTS = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details."
)

SecretOf = Callable[[str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """The parts of an HTTP request that a signature covers. Header names are lower-case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who signed: the key, and the region and service of the credential scope."""

    access_key: str
    region: str
    service: str


def verify(request: SignedRequest, secret_of: SecretOf, *, now: float | None) -> Caller:
    """Return the caller of a correctly signed request.

    :param now: epoch seconds to compare the signature's date with; None accepts any date.
    :raises EcsError: no, an incomplete, an unknown or a wrong signature.
    """
    authorization = request.headers.get("authorization", "")
    if not authorization:
        raise MissingAuthenticationTokenException
    parts = _parts(authorization, request.headers)
    access_key, scope = parts["Credential"].split("/", 1)
    date, region, service, terminator = scope.split("/", 3)
    if terminator != TERMINATOR:
        raise InvalidSignatureException(
            f"Credential should be scoped with a valid terminator: '{TERMINATOR}'."
        )
    if not _REGION.fullmatch(region):
        raise InvalidSignatureException("Credential should be scoped to a valid region.")
    secret = secret_of(access_key)
    if secret is None:
        raise UnrecognizedClientException
    timestamp = _timestamp(request.headers)
    if not timestamp.startswith(date):
        raise InvalidSignatureException(
            "Credential should be scoped to the date of the request's X-Amz-Date."
        )
    expected = _signature(request, parts["SignedHeaders"], secret, scope)
    if not hmac.compare_digest(expected.encode(), parts["Signature"].encode()):
        raise InvalidSignatureException(_MISMATCH)
    if now is not None:
        _check_date(timestamp, now)
    return Caller(access_key=access_key, region=region, service=service)


def _parts(authorization: str, headers: Mapping[str, str]) -> dict[str, str]:
    if not authorization.startswith(ALGORITHM):
        raise IncompleteSignatureException(
            f"Unsupported algorithm in the Authorization header; {ALGORITHM} is expected."
        )
    parts = dict(_PARTS.findall(authorization))
    missing = [name for name in ("Credential", "SignedHeaders", "Signature") if name not in parts]
    if missing:
        names = " ".join(f"Authorization header requires '{name}' parameter." for name in missing)
        raise IncompleteSignatureException(names)
    if parts["Credential"].count("/") < 4:
        raise IncompleteSignatureException(
            "Credential must have at least 5 slash-delimited elements."
        )
    if not _timestamp(headers):
        raise IncompleteSignatureException(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    if "host" not in parts["SignedHeaders"].split(";"):
        raise InvalidSignatureException("'Host' must be a 'SignedHeader' in the AWS Authorization.")
    return parts


def _timestamp(headers: Mapping[str, str]) -> str:
    """When the request says that it was signed, in ISO 8601's basic form: X-Amz-Date, or else Date,
    which may be as in mails too. Empty when neither is there.
    """
    date = headers.get("x-amz-date") or headers.get("date", "")
    try:
        moment = parsedate_to_datetime(date)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC).strftime(_BASIC)
    except (ValueError, OverflowError):
        return date


def _signature(request: SignedRequest, signed_headers: str, secret: str, scope: str) -> str:
    # Not botocore's signer: it leaves out headers (user-agent, ...) that other SDKs do sign.
    payload = hashlib.sha256(request.body).hexdigest()
    declared = request.headers.get("x-amz-content-sha256", payload)
    if declared not in (payload, "UNSIGNED-PAYLOAD"):
        raise InvalidSignatureException(_MISMATCH)
    names = signed_headers.split(";")
    canonical = [
        request.method,
        quote(request.path, safe="/~"),
        "&".join(sorted(request.query.split("&"))),
        *(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in names),
        "",
        signed_headers,
        declared,
    ]
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    to_sign = "\n".join([ALGORITHM, _timestamp(request.headers), scope, digest])
    return hmac.digest(_signing_key(secret, scope), to_sign.encode(), "sha256").hex()


@lru_cache(maxsize=1024)
def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _check_date(timestamp: str, now: float) -> None:
    try:
        signed_at = calendar.timegm(time.strptime(timestamp, _BASIC))
    except ValueError:
        raise IncompleteSignatureException(
            f"Date must be in ISO-8601 'basic format'. Got '{timestamp}'."
        ) from None
    if signed_at < now - CLOCK_SKEW:
        raise InvalidSignatureException(
            f"Signature expired: {timestamp} is now earlier than {_basic(now - CLOCK_SKEW)} "
            f"({_basic(now)} - 5 min.)"
        )
    if signed_at > now + CLOCK_SKEW:
        raise InvalidSignatureException(
            f"Signature not yet current: {timestamp} is still later than "
            f"{_basic(now + CLOCK_SKEW)} ({_basic(now)} + 5 min.)"
        )


def _basic(seconds: float) -> str:
    return time.strftime(_BASIC, time.gmtime(seconds))
