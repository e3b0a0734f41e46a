"""Requests that no client should make: each gets one of ECS's errors, and the server goes on."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from kecs_server.credentials import Credentials
from raw import RawClient

from pytest_kecs.launcher import Launcher

pytestmark = pytest.mark.inferred

SERIALIZATION = "SerializationException"


@pytest.fixture
def raw(server: Launcher, credentials: Credentials, admin: Any) -> Iterator[RawClient]:
    client = RawClient(server.endpoint, credentials.access_key, credentials.secret_key)
    yield client
    # It still works, for this connection or another.
    client.close()
    assert client.call("ListClusters", b"{}").status == 200
    client.close()


def send_bytes(server: Launcher, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """What the server answers to bytes; the client says that it sends no more."""
    address = urlsplit(server.endpoint)
    assert address.hostname
    with socket.create_connection((address.hostname, address.port or 0), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while received := connection.recv(65536):
            answer += received
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}
    return int(first.split()[1]), headers, body


@pytest.mark.parametrize(
    ("operation", "body", "code"),
    [
        ("DescribeClusters", b'{"clusters": ["\\ud800"]}', SERIALIZATION),
        ("DescribeClusters", b'{"clusters": ["\xed\xa0\x80"]}', SERIALIZATION),
        ("DescribeClusters", "{}".encode("utf-16"), None),
        ("DescribeClusters", b"\xef\xbb\xbf{}", None),
        ("DescribeClusters", b'{"clusters": [null, null]}', None),
        ("DescribeClusters", b'{"clusters": null}', None),
        ("DescribeClusters", b"null", SERIALIZATION),
        ("DescribeClusters", b'{"clusters": [' + b"[" * 100_000, SERIALIZATION),
        ("DescribeClusters", b'{"unknown": ' + b"[" * 900 + b"]" * 900 + b"}", None),
        ("ListClusters", b'{"maxResults": ' + b"9" * 5000 + b"}", SERIALIZATION),
        ("ListClusters", b'{"maxResults": NaN}', SERIALIZATION),
        ("ListClusters", b'{"maxResults": -Infinity}', SERIALIZATION),
        ("ListClusters", b'{"maxResults": 1e2}', None),
        ("ListClusters", b'{"maxResults": -0}', "InvalidParameterException"),
        ("ListClusters", b'{"maxResults": 2147483648}', SERIALIZATION),
        ("ListClusters", b'{"nextToken": "W1tb"}', "InvalidParameterException"),
        ("CreateCluster", b'{"settings": [{"name": 1}]}', SERIALIZATION),
        ("CreateCluster", b'{"settings": [1]}', SERIALIZATION),
        ("CreateCluster", b'{"settings": [{}]}', "InvalidParameterException"),
        ("CreateCluster", b'{"tags": [{}]}', "ClientException"),
        ("RunTask", b'{"taskDefinition": "x", "enableECSManagedTags": "true"}', SERIALIZATION),
        ("RunTask", b'{"taskDefinition": "x", "enableECSManagedTags": 1}', SERIALIZATION),
        ("RunTask", b'{"taskDefinition": {"a": 1}}', SERIALIZATION),
        ("RunTask", b'{"taskDefinition": null}', "InvalidParameterException"),
        ("RunTask", b'{"taskDefinition": "x", "propagateTags": "X"}', "InvalidParameterException"),
    ],
)
def test_bodies(raw: RawClient, operation: str, body: bytes, code: str | None) -> None:
    answer = raw.call(operation, body)
    assert answer.code == code
    assert answer.status == (400 if code else 200)


@pytest.mark.parametrize(
    ("labels", "status"),
    [
        (b'{"a": null}', 200),
        (b'{"a": 1}', 400),
        (b'["a"]', 400),
        (b'"a"', 400),
        (b'{"\\udfff": "x"}', 400),
    ],
)
def test_maps(raw: RawClient, labels: bytes, status: int) -> None:
    container = b'{"name": "a", "image": "b", "memory": 8, "dockerLabels": ' + labels + b"}"
    answer = raw.call(
        "RegisterTaskDefinition", b'{"family": "a", "containerDefinitions": [' + container + b"]}"
    )
    assert answer.status == status
    assert status == 200 or answer.code == SERIALIZATION


def tampered(raw: RawClient, old: str, new: str) -> dict[str, str]:
    headers = raw.headers()
    assert old in headers["Authorization"]
    return {**headers, "Authorization": headers["Authorization"].replace(old, new)}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("Signature=", "Signature=é", "InvalidSignatureException"),
        ("Credential=KECS", "Credential=KECSé", "UnrecognizedClientException"),
        ("Credential=KECS", "Credential=", "UnrecognizedClientException"),
        ("/us-east-1/", "/us_east_1/", "InvalidSignatureException"),
        ("/us-east-1/", "//", "InvalidSignatureException"),
        ("/aws4_request", "/aws5_request", "InvalidSignatureException"),
        ("/aws4_request", "/aws4_request/more", "InvalidSignatureException"),
        ("SignedHeaders=", "SignedHeaders=none;", "InvalidSignatureException"),
        ("AWS4-HMAC-SHA256 ", "AWS4-ECDSA-P256-SHA256 ", "IncompleteSignatureException"),
    ],
)
def test_authorization(raw: RawClient, old: str, new: str, code: str) -> None:
    answer = raw.send(tampered(raw, old, new))
    assert (answer.status, answer.code) == (400, code)
    assert json.loads(answer.body).get("message")


@pytest.mark.parametrize("value", ["", " ", "Bearer x", "Basic Zm9vOmJhcg==", "AWS4-HMAC-SHA256"])
def test_other_kinds_of_authorization(raw: RawClient, value: str) -> None:
    answer = raw.send({**raw.headers(), "Authorization": value})
    assert answer.status == 400
    assert answer.code in ("IncompleteSignatureException", "MissingAuthenticationTokenException")


@pytest.mark.parametrize("date", ["", "yesterday", "20200101T000000Z"])
def test_another_date_than_the_signed(raw: RawClient, date: str) -> None:
    answer = raw.send({**raw.headers(), "X-Amz-Date": date})
    assert answer.status == 400
    assert answer.code in ("InvalidSignatureException", "IncompleteSignatureException")


def test_declared_digest_of_another_body(raw: RawClient) -> None:
    headers = raw.headers(**{"X-Amz-Content-SHA256": "0" * 64})
    assert raw.send(headers).code == "InvalidSignatureException"


@pytest.mark.ours
def test_admin_with_odd_keys(raw: RawClient) -> None:
    for value in ("Basic w6k6eA==", "Basic !", "Basic", "Bearer x", "Basic OjpyOg=="):
        answer = raw.send({"Authorization": value}, None, method="GET", path="/_kecs/health")
        assert answer.status == 401
        assert "error" in json.loads(answer.body)


@pytest.mark.ours
@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_other_methods(raw: RawClient, method: str) -> None:
    answer = raw.send({}, None, method=method)
    assert answer.status in (405, 501)
    assert "html" not in answer.headers["content-type"]
    assert answer.code


@pytest.mark.ours
@pytest.mark.parametrize(
    "path", ["//", "/static/x", "/_kecs", "/_kecs/", "/?a=b&a=%zz", "/a/../.."]
)
def test_other_paths(raw: RawClient, path: str) -> None:
    for method in ("GET", "POST"):
        answer = raw.send({}, None, method=method, path=path)
        assert answer.status in (200, 400, 404)
        assert "html" not in answer.headers["content-type"]
        assert "x-amzn-requestid" in answer.headers


@pytest.mark.ours
@pytest.mark.parametrize(
    "request_line",
    [
        b"\x00\x01nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / FTP/1.0\r\n\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
    ids=["binary", "short", "version", "protocol", "long path", "long header", "many headers"],
)
def test_what_is_no_http(server: Launcher, request_line: bytes) -> None:
    status, headers, body = send_bytes(server, request_line)
    assert 400 <= status < 600
    assert "html" not in headers.get("content-type", "")
    assert b"<html" not in body.lower()
    assert json.loads(body)["message"]
    assert len(headers["x-amzn-requestid"]) == 36


@pytest.mark.parametrize(
    "framing",
    [
        b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"Transfer-Encoding: chunked\r\n\r\n-5\r\nab\r\n",
        b"Content-Length: 100\r\n\r\n{}",
        b"Content-Length: many\r\n\r\n{}",
        b"Content-Length: -1\r\n\r\n{}",
    ],
)
def test_broken_bodies(server: Launcher, framing: bytes) -> None:
    status, headers, body = send_bytes(server, b"POST / HTTP/1.1\r\nHost: localhost\r\n" + framing)
    assert status == 400
    assert headers["content-type"] == "application/x-amz-json-1.1"
    assert json.loads(body.partition(b"HTTP/1.1")[0])["__type"]


@pytest.mark.ours
def test_no_host(server: Launcher) -> None:
    status, _, body = send_bytes(server, b"GET / HTTP/1.0\r\n\r\n")
    assert status in (200, 400)
    assert b"<html" not in body


@pytest.mark.ours
@pytest.mark.parametrize(
    "host", ["", "a b", "evil.example@127.0.0.1", "127.0.0.1:x", "[", "localhost.", "0"]
)
def test_odd_hosts(server: Launcher, host: str) -> None:
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    status, headers, body = send_bytes(server, request.encode())
    assert status == 400
    assert json.loads(body)["__type"] == "AccessDeniedException"
    assert "x-amzn-requestid" in headers
