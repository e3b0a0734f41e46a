"""Why the Kubernetes API did not do what it was asked, as one error."""

from __future__ import annotations

import json
import re
from typing import Any

from kecs_server.engines.base import EngineError

_TRANSIENT = {0, 429, 500, 502, 503, 504}
_HANDSHAKE = re.compile(r"^Handshake status (\d+)")
_MESSAGE = re.compile(r'"message":"((?:[^"\\]|\\.)*)"')


class ApiError(EngineError):
    """The API refused something, or did not answer (`status` 0).

    `reason` is Kubernetes' own word (`Forbidden`, `NotFound`, `AlreadyExists` ...).
    """

    def __init__(self, *, status: int, reason: str, message: str) -> None:
        self.status = status
        self.reason = reason
        self.message = message
        super().__init__(message)

    @property
    def is_transient(self) -> bool:
        return self.status in _TRANSIENT


def no_answer(error: object, host: str) -> ApiError:
    """The connection could not be made, or broke."""
    why = re.sub(r"^HTTPS?Connection\(.*?\): ", "", str(error))
    text = f"The cluster at {host} does not answer: {why}"
    return ApiError(status=0, reason=type(error).__name__, message=text)


def refusal(error: Any, host: str) -> ApiError:
    """:param error: the client's ApiException."""
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else error.body
    try:
        status = json.loads(body or "")
    except ValueError:
        status = {}
    if not isinstance(status, dict) or "message" not in status:
        if not error.status:
            return _no_connection(str(error.reason), host)
        status = {"message": f"{host} answered {error.status} {error.reason}: {body or ''}"}
    return status_error({"code": error.status, "reason": error.reason, **status})


def _no_connection(text: str, host: str) -> ApiError:
    """Why there is no websocket: a refusal, which its text contains, or no answer at all."""
    refused = _HANDSHAKE.match(text)
    if refused is None:
        return no_answer(text, host)
    found = _MESSAGE.search(text)
    message = found[1].replace("\\", "") if found else text
    return status_error({"code": refused[1], "message": message})


def status_error(status: dict[str, Any]) -> ApiError:
    """:param status: a Status object."""
    return ApiError(
        status=int(status.get("code") or 0),
        reason=str(status.get("reason", "")),
        message=str(status.get("message", "")),
    )
