"""The wire: what is malformed is refused as ECS does, never with a 500 or HTML (ecs-facts 1)."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import socket
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from kecs_server.credentials import Credentials
from kecs_server.credentials import derive_credentials
from kecs_server.protocol.content import MAX_BODY
from raw import TARGET
from raw import RawAnswer
from raw import RawClient

from pytest_kecs.launcher import Launcher

pytestmark = pytest.mark.inferred


@pytest.fixture
def raw(server: Launcher, credentials: Credentials, admin: Any) -> Iterator[RawClient]:
    client = RawClient(server.endpoint, credentials.access_key, credentials.secret_key)
    yield client
    client.close()


def check(answer: RawAnswer, code: str, status: int = 400) -> RawAnswer:
    assert (answer.status, answer.code) == (status, code), answer.body
    assert answer.headers["content-type"] == "application/x-amz-json-1.1"
    assert len(answer.headers["x-amzn-requestid"]) == 36
    return answer


@pytest.mark.captured
def test_an_answer(raw: RawClient) -> None:
    answer = raw.call("ListClusters", b"{}")
    assert (answer.status, json.loads(answer.body)) == (200, {"clusterArns": []})
    assert answer.headers["content-type"] == "application/x-amz-json-1.1"
    assert len(answer.headers["x-amzn-requestid"]) == 36
    assert int(answer.headers["content-length"]) == len(answer.body)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b"[]",
        b'"text"',
        b"1",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"cluster": 1}',
        b'{"cluster": []}',
        b'{"cluster": {}}',
        b'{"cluster": true}',
        b'{"tasks": "one"}',
        b'{"tasks": {}}',
        b'{"tasks": [1]}',
        b'{"tasks": [[]]}',
        b'{"tasks": ["x"], "include": [{}]}',
    ],
)
def test_bodies_of_another_shape(raw: RawClient, body: bytes) -> None:
    check(raw.call("DescribeTasks", body), "SerializationException")


@pytest.mark.parametrize(
    "value", ['"one"', "1.5", "true", "99999999999999999999", "1e400", "[]", "{}"]
)
def test_numbers_of_another_type(raw: RawClient, value: str) -> None:
    body = f'{{"taskDefinition": "x", "count": {value}}}'.encode()
    check(raw.call("RunTask", body), "SerializationException")


@pytest.mark.documented
def test_null_is_absent_and_the_unknown_is_ignored(raw: RawClient) -> None:
    answer = raw.call("ListClusters", b'{"nextToken": null, "somethingNew": {"a": [1]}}')
    assert answer.status == 200


def test_a_required_member_is_missing(raw: RawClient) -> None:
    check(raw.call("RunTask", b"{}"), "InvalidParameterException")
    check(raw.call("RunTask", b""), "InvalidParameterException")


@pytest.mark.parametrize(
    "target",
    [
        "",
        "ListClusters",
        TARGET,
        TARGET + "listclusters",
        TARGET + "ListBuckets",
        "DynamoDB_20120810.ListTables",
        TARGET + "ListClusters.More",
    ],
)
def test_targets(raw: RawClient, target: str) -> None:
    check(raw.send(raw.headers(target=target)), "UnknownOperationException")


def test_no_target(raw: RawClient) -> None:
    headers = raw.headers()
    del headers["X-Amz-Target"]
    # It was signed, so the signature is wrong; either way it is refused.
    assert raw.send(headers).status == 400


def change_authorization(old: str, new: str) -> Callable[[dict[str, str]], None]:
    def change(headers: dict[str, str]) -> None:
        headers["Authorization"] = headers["Authorization"].replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda headers: headers.pop("Authorization"), "MissingAuthenticationTokenException"),
        (lambda headers: headers.pop("X-Amz-Date"), "IncompleteSignatureException"),
        (change_authorization("Signature=", "Sig="), "IncompleteSignatureException"),
        (change_authorization("Credential=", "Cred="), "IncompleteSignatureException"),
        (change_authorization("AWS4-HMAC-SHA256", "Basic"), "IncompleteSignatureException"),
        (change_authorization("/us-east-1/ecs", ""), "IncompleteSignatureException"),
        (change_authorization("Credential=KECS", "Credential=AKIA"), "UnrecognizedClientException"),
        (change_authorization("host;", ""), "InvalidSignatureException"),
        (change_authorization("Signature=", "Signature=0"), "InvalidSignatureException"),
        (
            lambda headers: headers.update({"X-Amz-Target": TARGET + "CreateCluster"}),
            "InvalidSignatureException",
        ),
        (
            lambda headers: headers.update({"X-Amz-Date": "20200101T000000Z"}),
            "InvalidSignatureException",
        ),
    ],
)
def test_signatures(raw: RawClient, change: Callable[[dict[str, str]], Any], code: str) -> None:
    headers = raw.headers()
    change(headers)
    check(raw.send(headers), code)


def test_a_changed_body(raw: RawClient) -> None:
    headers = raw.headers("CreateCluster", b'{"clusterName": "a"}')
    check(raw.send(headers, b'{"clusterName": "b"}'), "InvalidSignatureException")


def test_a_wrong_secret(server: Launcher, credentials: Credentials) -> None:
    client = RawClient(server.endpoint, credentials.access_key, "wrong")
    check(client.call("ListClusters", b"{}"), "InvalidSignatureException")
    client.close()


@pytest.mark.ours
def test_a_foreign_host(raw: RawClient) -> None:
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::2]:1"):
        check(raw.send(raw.headers(Host=host)), "AccessDeniedException")


@pytest.mark.ours
def test_other_services_are_refused(new_client: Any) -> None:
    s3 = new_client("s3")
    with pytest.raises(s3.exceptions.ClientError):
        s3.list_buckets()
    sts = new_client("sts")
    with pytest.raises(sts.exceptions.ClientError) as caught:
        sts.get_session_token()
    assert "pytest-kecs" in caught.value.response["Error"]["Message"]


@pytest.mark.ours
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods(raw: RawClient, method: str) -> None:
    answer = raw.send({}, method=method)
    assert answer.status == 405
    assert "html" not in answer.headers["content-type"]


@pytest.mark.ours
def test_other_paths(raw: RawClient) -> None:
    for path in ("/favicon.ico", "/..%2f", "/_kecs/nothing", "/%ff"):
        answer = raw.send({}, path=path)
        assert answer.status in (401, 404)
        assert "html" not in answer.headers["content-type"]


@pytest.mark.ours
def test_get_and_head(raw: RawClient) -> None:
    assert b"pytest-kecs" in raw.send({}, None, method="GET").body
    assert raw.send({}, None, method="HEAD").body == b""
    assert raw.call("ListClusters", b"{}").status == 200


@pytest.mark.documented
def test_connections_are_kept(raw: RawClient) -> None:
    raw.call("ListClusters", b"{}")
    first = raw.connection.sock
    assert raw.call("Nothing", b"{}").status == 400
    assert raw.call("ListClusters", b"{}").status == 200
    assert raw.connection.sock is first


@pytest.mark.documented
def test_chunked_body(raw: RawClient) -> None:
    body = b'{"clusterName": "chunked"}'
    headers = raw.headers("CreateCluster", body)
    headers["Transfer-Encoding"] = "chunked"
    answer = raw.send(headers, iter([body[:5], body[5:]]), encode_chunked=True)
    assert answer.status == 200
    assert raw.call("ListClusters", b"{}").status == 200


@pytest.mark.documented
def test_expect_continue(raw: RawClient) -> None:
    body = b'{"clusterName": "expected"}'
    headers = {**raw.headers("CreateCluster", body), "Expect": "100-continue"}
    raw.connection.putrequest("POST", "/", skip_host=True, skip_accept_encoding=True)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        raw.connection.putheader(name, value)
    if "Host" not in headers:
        raw.connection.putheader("Host", raw.endpoint.removeprefix("http://"))
    raw.connection.endheaders()
    assert raw.connection.sock.recv(12) == b"HTTP/1.1 100"
    while not raw.connection.sock.recv(1024).endswith(b"\r\n\r\n"):
        pass
    raw.connection.send(body)
    response = raw.connection.getresponse()
    assert response.status == 200
    response.read()


@pytest.mark.ours
def test_a_garbled_request_line(server: Launcher) -> None:
    address = urlsplit(server.endpoint)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(b"\x00\x01nonsense\r\n\r\n")
        assert b"400" in connection.recv(4096)


def test_dates_under_strict_time(launch: Callable[..., Launcher]) -> None:
    launcher = launch(strict_time=True)
    try:
        key = derive_credentials(launcher.run_secret, "x")
        client = RawClient(launcher.endpoint, key.access_key, key.secret_key)
        assert client.call("ListClusters", b"{}").status == 200
        import datetime as dt
        from unittest import mock

        old = dt.datetime(2020, 1, 1)
        with mock.patch("botocore.auth.get_current_datetime", return_value=old):
            headers = client.headers()
        answer = check(client.send(headers), "InvalidSignatureException")
        assert json.loads(answer.body)["message"].startswith("Signature expired: 20200101T000000Z")
        client.close()
    finally:
        launcher.stop()


@pytest.mark.ours
def test_without_strict_time_any_date_will_do(raw: RawClient) -> None:
    import datetime as dt
    from unittest import mock

    old = dt.datetime(2020, 1, 1)
    with mock.patch("botocore.auth.get_current_datetime", return_value=old):
        headers = raw.headers()
    assert raw.send(headers).status == 200


@pytest.mark.documented
def test_gzip(raw: RawClient) -> None:
    """What was compressed is signed."""
    body = gzip.compress(b'{"clusterName": "small"}')
    headers = raw.headers("CreateCluster", body, **{"Content-Encoding": "gzip"})
    assert raw.send(headers, body).status == 200
    assert b"cluster/small" in raw.call("ListClusters", b"{}").body
    two = gzip.compress(b'{"clusterName"') + gzip.compress(b': "two"}')
    headers = raw.headers("CreateCluster", two, **{"Content-Encoding": "GZIP, identity"})
    assert raw.send(headers, two).status == 200


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"{}"),
        ("gzip", b""),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-3]),
        ("gzip", gzip.compress(b"{}", mtime=0) + b"more"),
        ("gzip", gzip.compress(b"{", mtime=0)),
        ("br", b"{}"),
        ("gzip, zstd", gzip.compress(b"{}", mtime=0)),
        ("aws-chunked", b"{}"),
    ],
)
def test_encodings_that_are_none(raw: RawClient, encoding: str, body: bytes) -> None:
    headers = raw.headers("CreateCluster", body, **{"Content-Encoding": encoding})
    check(raw.send(headers, body), "SerializationException")


def test_too_large(raw: RawClient) -> None:
    """Refused before it is read, and when it unpacks to too much."""
    large = b'{"clusterName": "' + b"x" * MAX_BODY + b'"}'
    headers = {**raw.headers("CreateCluster", b"{}"), "Content-Length": str(len(large))}
    check(raw.send(headers, None), "RequestEntityTooLargeException", 413)
    raw.close()
    packed = gzip.compress(large)
    headers = raw.headers("CreateCluster", packed, **{"Content-Encoding": "gzip"})
    check(raw.send(headers, packed), "RequestEntityTooLargeException", 413)
    pieces = iter([b"x" * 2**20] * 9)
    headers = {**raw.headers("CreateCluster", b"{}"), "Transfer-Encoding": "chunked"}
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        check(raw.send(headers, pieces, encode_chunked=True), "RequestEntityTooLargeException", 413)
    raw.close()
    assert raw.call("ListClusters", b"{}").body == b'{"clusterArns":[]}'


@pytest.mark.documented
def test_a_payload_that_is_not_signed(raw: RawClient) -> None:
    headers = raw.headers(**{"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"})
    assert raw.send(headers).status == 200


@pytest.mark.parametrize(
    "form",
    [
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    ],
)
def test_payloads_in_signed_pieces_are_not_for_ecs(raw: RawClient, form: str) -> None:
    check(raw.send(raw.headers(**{"X-Amz-Content-Sha256": form})), "InvalidSignatureException")


@pytest.mark.documented
def test_a_digest_of_the_payload(raw: RawClient) -> None:
    """As the SDKs for Go and Java send it."""
    digest = hashlib.sha256(b"{}").hexdigest()
    assert raw.send(raw.headers(**{"X-Amz-Content-Sha256": digest})).status == 200


@pytest.mark.documented
@pytest.mark.parametrize("is_signed", [True, False])
def test_a_session_token(raw: RawClient, *, is_signed: bool) -> None:
    """Of temporary credentials: a header that may be signed."""
    token = {"X-Amz-Security-Token": "session"}
    headers = raw.headers(**token) if is_signed else {**raw.headers(), **token}
    assert ("x-amz-security-token" in headers["Authorization"]) == is_signed
    assert raw.send(headers).status == 200


@pytest.mark.documented
def test_more_headers_are_signed(raw: RawClient) -> None:
    """The SDKs for Go and Java sign others than boto3: the length, the trace and the attempt."""
    body = b"{}"
    more = {
        "Accept-Encoding": "identity",
        "Amz-Sdk-Invocation-Id": "6c3d8c5b-5b2b-4c3f-8d0f-0d0b3c1f6a5e",
        "Amz-Sdk-Request": "attempt=1; max=3",
        "Content-Length": str(len(body)),
    }
    headers = raw.headers("ListClusters", body, **more)
    signed = headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert {"content-length", "amz-sdk-invocation-id", "amz-sdk-request"} <= set(signed)
    assert raw.send(headers, body).status == 200
    # A header that was signed, and is another now.
    check(raw.send({**headers, "Amz-Sdk-Request": "attempt=2"}, body), "InvalidSignatureException")


@pytest.mark.documented
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_names_of_headers_in_any_case(raw: RawClient, case: Callable[[str], str]) -> None:
    headers = {case(name): value for name, value in raw.headers().items()}
    assert raw.send(headers).status == 200


def test_a_signature_in_the_address_is_not_for_ecs(raw: RawClient) -> None:
    request = AWSRequest("POST", raw.endpoint + "/", data=b"{}")
    SigV4QueryAuth(raw.credentials, "ecs", "us-east-1").add_auth(request)
    path = "/?" + request.url.partition("?")[2]
    headers = {"X-Amz-Target": TARGET + "ListClusters"}
    check(raw.send(headers, path=path), "MissingAuthenticationTokenException")


@pytest.mark.documented
def test_requests_that_do_not_wait_for_answers(server: Launcher, raw: RawClient) -> None:
    """Pipelined: each is answered, in order."""
    names = [f"c{number}" for number in range(5)]
    requests = b""
    for name in names:
        body = json.dumps({"clusterName": name}).encode()
        headers = {**raw.headers("CreateCluster", body), "Content-Length": str(len(body))}
        headers.setdefault("Host", server.endpoint.removeprefix("http://"))
        lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        requests += f"POST / HTTP/1.1\r\n{lines}\r\n".encode() + body
    address = urlsplit(server.endpoint)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(requests)
        connection.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answers.count(b"HTTP/1.1 200") == len(names)
    order = [answers.index(f"cluster/{name}".encode()) for name in names]
    assert order == sorted(order)
