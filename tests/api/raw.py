"""Requests as no SDK would make them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

TARGET = "AmazonEC2ContainerServiceV20141113."


@dataclass(frozen=True)
class RawAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> Any:
        """The error's type."""
        return json.loads(self.body).get("__type")


class RawClient:
    """Signs what it is given, to the letter, over one kept-alive connection."""

    def __init__(self, endpoint: str, access_key: str, secret_key: str) -> None:
        self.endpoint = endpoint
        self.credentials = Credentials(access_key, secret_key)
        self.connection = HTTPConnection(urlsplit(endpoint).netloc, timeout=20)

    def headers(
        self, operation: str = "ListClusters", body: bytes = b"{}", **more: str
    ) -> dict[str, str]:
        """Headers of a correctly signed request. `target` is the whole of X-Amz-Target."""
        target = more.pop("target", TARGET + operation)
        headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1", **more}
        request = AWSRequest("POST", self.endpoint + "/", headers=headers, data=body)
        SigV4Auth(self.credentials, "ecs", "us-east-1").add_auth(request)
        return dict(request.headers.items())

    def send(
        self,
        headers: Mapping[str, str],
        body: Any = b"{}",
        *,
        method: str = "POST",
        path: str = "/",
        **options: Any,
    ) -> RawAnswer:
        self.connection.request(method, path, body=body, headers=dict(headers), **options)
        response = self.connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return RawAnswer(response.status, names, response.read())

    def call(self, operation: str, body: bytes) -> RawAnswer:
        return self.send(self.headers(operation, body), body)

    def close(self) -> None:
        self.connection.close()
