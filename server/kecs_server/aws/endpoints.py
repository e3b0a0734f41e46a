"""Calls of an AWS-compatible endpoint, whichever it is: the only module that makes clients."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from kecs_server.settings import REAL_AWS

CONNECT_TIMEOUT = 2.0
READ_TIMEOUT = 5.0
ATTEMPTS = 2
"""An endpoint that is dead or slow is given up after two tries, of seconds."""

DUMMY = "test"
"""Access key and secret for endpoints that want no true ones."""


class EndpointError(Exception):
    """`Code: message` of a refusal, or why there was no answer. `code`: empty without an answer."""

    def __init__(self, text: str, *, code: str = "", attempts: int = 1) -> None:
        super().__init__(text)
        self.code = code
        self.attempts = attempts


class Endpoints:
    """Clients of one endpoint, made when they are needed and kept. Thread-safe.

    Signed with the credentials that this process finds in its variables and in AWS's files: those
    that pytest had. Where it finds none, any endpoint but AWS's own gets dummies.

    :param url: `http://HOST:PORT`, or `REAL_AWS`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}

    def call(self, service: str, region: str, operation: str, **params: Any) -> Any:
        """An operation (in snake case) of a service.

        :raises EndpointError: it was refused, or there was no answer in time.
        """
        return self._asked(lambda: getattr(self._client(service, region), operation)(**params))

    def read_object(self, region: str, bucket: str, key: str) -> bytes:
        """What an object of S3 contains.

        :raises EndpointError: as for `call`.
        """

        def read() -> Any:
            with self._client("s3", region).get_object(Bucket=bucket, Key=key)["Body"] as body:
                return body.read()

        return bytes(self._asked(read))

    def _asked(self, ask: Callable[[], Any]) -> Any:
        from botocore.exceptions import BotoCoreError
        from botocore.exceptions import ClientError

        try:
            return ask()
        except ClientError as error:
            code = error.response["Error"].get("Code", "Unknown")
            retries = error.response["ResponseMetadata"].get("RetryAttempts", 0)
            text = f"{code}: {error.response['Error'].get('Message', '')}"
            raise EndpointError(text, code=code, attempts=1 + retries) from error
        except BotoCoreError as error:
            text = f"RequestError: send request failed: {error}"
            raise EndpointError(text, attempts=ATTEMPTS) from error

    def _client(self, service: str, region: str) -> Any:
        with self._lock:
            key = (service, region)
            if key not in self._clients:
                self._clients[key] = self._make(service, region)
            return self._clients[key]

    def _make(self, service: str, region: str) -> Any:
        # Here, and not above: whoever names no endpoint need not pay for it.
        import botocore.session
        from botocore.config import Config

        if self._session is None:
            self._session = botocore.session.Session()
            if self.url != REAL_AWS:
                # The metadata service of EC2 is no place to wait for dummies.
                self._session.get_component("credential_provider").remove("iam-role")
                if self._session.get_credentials() is None:
                    self._session.set_credentials(DUMMY, DUMMY)
        return self._session.create_client(
            service,
            region_name=region,
            endpoint_url=None if self.url == REAL_AWS else self.url,
            config=Config(
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT,
                retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
                proxies={} if self._is_local() else None,
                # Names of buckets in front of an emulator's name cannot be resolved.
                s3={} if self.url == REAL_AWS else {"addressing_style": "path"},
            ),
        )

    def _is_local(self) -> bool:
        """A proxy cannot reach what listens on this machine alone."""
        host = "" if self.url == REAL_AWS else urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"
