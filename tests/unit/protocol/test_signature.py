"""SigV4: what botocore signs is accepted, and nothing else (ecs-facts 1.4)."""

from __future__ import annotations

import calendar
import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from kecs_server.errors import EcsError
from kecs_server.protocol.signature import Caller
from kecs_server.protocol.signature import SignedRequest
from kecs_server.protocol.signature import _signature as signature_of
from kecs_server.protocol.signature import verify

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
HEADERS = {"X-Amz-Target": "T.ListClusters", "Content-Type": "application/x-amz-json-1.1"}


def secret_of(key: str) -> str | None:
    return SECRET if key == KEY else None


def signed(
    url: str = "http://127.0.0.1:1/",
    *,
    method: str = "POST",
    body: bytes = b"{}",
    region: str = "eu-west-1",
    **headers: str,
) -> SignedRequest:
    """A request that botocore has signed now."""
    request = AWSRequest(method, url, headers={**HEADERS, **headers}, data=body)
    SigV4Auth(Credentials(KEY, SECRET), "ecs", region).add_auth(request)
    parts = urlsplit(url)
    names = {name.lower(): value for name, value in request.headers.items()}
    return SignedRequest(
        method=method,
        path=parts.path,
        query=parts.query,
        headers={"host": parts.netloc, **names},
        body=body,
    )


def refusal(request: SignedRequest, now: float | None = None) -> tuple[str, str]:
    with pytest.raises(EcsError) as caught:
        verify(request, secret_of, now=now)
    return caught.value.code, caught.value.message or ""


def changed(request: SignedRequest, **headers: str | None) -> SignedRequest:
    """The request with headers changed; None takes one away."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    merged = {**request.headers, **names}
    return replace(request, headers={k: v for k, v in merged.items() if v is not None})


@pytest.mark.parametrize(
    "request_",
    [
        signed(),
        signed(body=b""),
        signed(body='{"a": "\u00e9"}'.encode()),
        signed("http://localhost/"),
        signed("http://127.0.0.1:1/?b=2&a=1&c="),
        signed(**{"X-Amz-Meta-Spaces": "a   b  c"}),
        signed(**{"X-Amz-Security-Token": "token"}),
        signed(method="GET", body=b""),
    ],
)
def test_accepted(request_: SignedRequest) -> None:
    assert verify(request_, secret_of, now=time.time()) == Caller(
        access_key=KEY, region="eu-west-1", service="ecs"
    )


def test_unsigned_headers_may_change() -> None:
    verify(changed(signed(), user_agent="other", x_forwarded_for="1.2.3.4"), secret_of, now=None)


def tampered_authorization(request: SignedRequest, old: str, new: str) -> SignedRequest:
    return changed(request, authorization=request.headers["authorization"].replace(old, new))


GOOD = signed()


@pytest.mark.parametrize(
    "request_",
    [
        replace(GOOD, body=b"{ }"),
        replace(GOOD, method="PUT"),
        replace(GOOD, path="/x"),
        replace(GOOD, query="a=b"),
        changed(GOOD, x_amz_target="T.CreateCluster"),
        changed(GOOD, x_amz_target=None),
        changed(GOOD, content_type="application/json"),
        changed(GOOD, host="127.0.0.1:2"),
        changed(GOOD, x_amz_content_sha256="0" * 64),
        tampered_authorization(GOOD, "Signature=", "Signature=0"),
        tampered_authorization(GOOD, "Signature=", "Signature=\u00e9"),
        tampered_authorization(GOOD, "eu-west-1", "eu-west-2"),
        tampered_authorization(GOOD, "/ecs/", "/sts/"),
        tampered_authorization(GOOD, ";x-amz-target", ""),
    ],
)
def test_changed_requests(request_: SignedRequest) -> None:
    code, message = refusal(request_)
    assert code == "InvalidSignatureException"
    assert message.startswith("The request signature we calculated does not match")


def test_date_outside_of_the_scope() -> None:
    code, _ = refusal(changed(GOOD, x_amz_date="20200101T000000Z"))
    assert code == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (KEY, "AKIDOTHER", "UnrecognizedClientException"),
        ("AWS4-HMAC-SHA256", "AWS3", "IncompleteSignatureException"),
        ("Credential=", "X=", "IncompleteSignatureException"),
        ("SignedHeaders=", "X=", "IncompleteSignatureException"),
        ("Signature=", "X=", "IncompleteSignatureException"),
        ("/eu-west-1/ecs/aws4_request", "", "IncompleteSignatureException"),
        ("aws4_request", "aws4", "InvalidSignatureException"),
        ("eu-west-1", "EU_West", "InvalidSignatureException"),
        ("host;", "", "InvalidSignatureException"),
    ],
)
def test_incomplete(old: str, new: str, code: str) -> None:
    assert refusal(tampered_authorization(GOOD, old, new))[0] == code


def test_missing_parts_are_named() -> None:
    _, message = refusal(changed(GOOD, authorization="AWS4-HMAC-SHA256 Credential=a/b/c/d/e"))
    assert "'SignedHeaders'" in message
    assert "'Signature'" in message
    assert "'Credential'" not in message
    assert refusal(changed(GOOD, authorization=None)) == (
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    )
    assert refusal(changed(GOOD, x_amz_date=None))[0] == "IncompleteSignatureException"


@pytest.mark.parametrize(
    ("off", "text"),
    [(301, "Signature expired: "), (-301, "Signature not yet current: ")],
)
def test_dates(off: int, text: str) -> None:
    request: Any = signed()
    signed_at = calendar.timegm(time.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ"))
    verify(request, secret_of, now=signed_at + off * 0.9)
    code, message = refusal(request, now=signed_at + off)
    assert code == "InvalidSignatureException"
    assert message.startswith(text + request.headers["x-amz-date"])
    assert message.endswith("5 min.)")
    verify(request, secret_of, now=None)


def test_unsigned_payload() -> None:
    request = AWSRequest("POST", "http://127.0.0.1:1/", headers=HEADERS, data=b"{}")
    request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"

    class Unsigned(SigV4Auth):
        def payload(self, request: Any) -> str:
            return "UNSIGNED-PAYLOAD"

    Unsigned(Credentials(KEY, SECRET), "ecs", "eu-west-1").add_auth(request)
    names = {name.lower(): value for name, value in request.headers.items()}
    headers = {"host": "127.0.0.1:1", **names}
    received = SignedRequest(method="POST", path="/", query="", headers=headers, body=b"other")
    assert verify(received, secret_of, now=None).access_key == KEY


@pytest.mark.parametrize("form", ["%Y%m%dT%H%M%SZ", "%a, %d %b %Y %H:%M:%S GMT"])
def test_the_header_date_instead(form: str) -> None:
    """What is signed is the date in its basic form, however the header says it."""
    request = signed()
    moment = time.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
    date = time.strftime(form, moment)
    dated = changed(request, date=date, x_amz_date=None)
    names = "content-type;date;host;x-amz-target"
    scope = request.headers["authorization"].partition(f"{KEY}/")[2].partition(",")[0]
    signature = signature_of(dated, names, SECRET, scope)
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    verify(changed(dated, authorization=authorization), secret_of, now=time.time())
    assert refusal(changed(dated, date=None, authorization=authorization))[0] == (
        "IncompleteSignatureException"
    )
