"""Signed calls to an endpoint, to the letter: what boto3 would refuse or repair is sent as well."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from botocore.session import Session

from pytest_kecs.errors import InvalidSetting

TARGET = "AmazonEC2ContainerServiceV20141113."
_TIMEOUT = 30  # seconds
_AT_ONCE: Any = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_MISSING_OPERATIONS = frozenset(
    {"UnknownOperationException", "NotImplemented", "NotImplementedError"}
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came over the wire."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        """The JSON value; None if it is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None

    @property
    def code(self) -> str:
        """The error's type as botocore reads it; empty without one."""
        kind = self.body.get("__type", "") if isinstance(self.body, dict) else ""
        return str(kind).rpartition("#")[2].partition(":")[0]

    @property
    def message(self) -> str:
        body = self.body if isinstance(self.body, dict) else {}
        return str(body.get("message") or body.get("Message") or "")

    @property
    def is_not_implemented(self) -> bool:
        """The server says that it has no such operation."""
        if self.status < 400:
            return False
        said = re.search(
            r"not (been |yet )?implemented|not supported yet", self.text, re.IGNORECASE
        )
        return self.status == 501 or self.code in _MISSING_OPERATIONS or bool(said)

    def __str__(self) -> str:
        return f"HTTP {self.status} {self.text[:300]}"


class Endpoint:
    """Where calls go.

    :raises InvalidSetting: there are no credentials, or it is AWS and was not allowed.
    """

    def __init__(self, url: str, region: str, *, allowed_account: str | None = None) -> None:
        session = Session()
        credentials = session.get_credentials()
        if credentials is None:
            raise InvalidSetting("there are no AWS credentials; set AWS_ACCESS_KEY_ID or a profile")
        self.url = url.rstrip("/")
        self.region = region
        if (urlsplit(self.url).hostname or "").endswith(_AWS_HOSTS):
            _check_account(session, allowed_account, region)
        self._signer = SigV4Auth(credentials.get_frozen_credentials(), "ecs", region)
        bundle = session.get_config_variable("ca_bundle")
        self._http = URLLib3Session(
            verify=bundle or True, timeout=_TIMEOUT, socket_options=_AT_ONCE
        )

    def send(self, operation: str, body: bytes) -> Answer:
        """Sign and send it. No answer counts as one of status 0."""
        headers = {
            "X-Amz-Target": TARGET + operation,
            "Content-Type": "application/x-amz-json-1.1",
        }
        request = AWSRequest("POST", f"{self.url}/", headers=headers, data=body)
        self._signer.add_auth(request)
        try:
            response = self._http.send(request.prepare())
        except BotoCoreError as error:
            return Answer(0, {}, f"no answer: {error}")
        names = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, names, response.content.decode("utf-8", "replace"))

    def close(self) -> None:
        self._http.close()


def _check_account(session: Session, allowed: str | None, region: str) -> None:
    if allowed is None:
        raise InvalidSetting("this is AWS itself; to use it, name the account: --allow-aws ACCOUNT")
    try:
        sts: Any = session.create_client("sts", region_name=region)
        account = sts.get_caller_identity()["Account"]
    except Exception as error:
        raise InvalidSetting(f"the account cannot be told: {error}") from error
    if account != allowed:
        raise InvalidSetting(f"the credentials are of account {account}, not of {allowed}")


def wait_until(is_done: Any, *, seconds: float) -> bool:
    """Ask until it is so, for `seconds` at most; whether it came to be."""
    end = time.monotonic() + seconds
    pause = 0.02
    while not is_done():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
        pause = min(pause * 2, 1)
    return True


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until this is left, so that what a call makes is known when it comes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)
