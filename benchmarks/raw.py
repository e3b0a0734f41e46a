"""One ECS call without an AWS client: signed beforehand, sent with http.client."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningCredentials
from kecs_server.credentials import Credentials

from benchmarks.errors import BenchmarkError
from benchmarks.ours import REGION

_BODY = b"{}"
_ANSWER_SECONDS = 60.0


def list_clusters_headers(endpoint: str, credentials: Credentials) -> Mapping[str, str]:
    """The headers, signature included, of a ListClusters call without parameters."""
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters",
    }
    request = AWSRequest(method="POST", url=endpoint + "/", headers=headers, data=_BODY)
    signing = SigningCredentials(credentials.access_key, credentials.secret_key)
    SigV4Auth(signing, "ecs", REGION).add_auth(request)
    return dict(request.headers.items())


def first_answer(endpoint: str, headers: Mapping[str, str]) -> None:
    """Call until somebody listens, then until the answer is there.

    :raises BenchmarkError: nobody does within a minute, or the answer is an error.
    """
    address = urlsplit(endpoint)
    assert address.hostname is not None
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=_ANSWER_SECONDS)
    try:
        _connect(connection, endpoint)
        connection.request("POST", "/", _BODY, dict(headers))
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise BenchmarkError(f"{endpoint} answered {answer.status}: {text[:200]!r}")


def _connect(connection: http.client.HTTPConnection, endpoint: str) -> None:
    deadline = time.monotonic() + _ANSWER_SECONDS
    while time.monotonic() < deadline:
        try:
            connection.connect()
        except ConnectionRefusedError:
            # A server that binds its port itself (moto's) tells nobody when it has.
            time.sleep(0.001)
        else:
            return
    raise BenchmarkError(f"nobody listens at {endpoint}")
