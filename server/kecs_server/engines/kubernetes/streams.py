"""Connections to the Kubernetes API on which answers go on: logs, watches, commands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from time import monotonic
from typing import Any

from kecs_server.engines.kubernetes.api_errors import no_answer
from kecs_server.engines.kubernetes.api_errors import status_error

Json = dict[str, Any]

OUTPUT_LIMIT = 10 * 1024 * 1024
"""Bytes of a command's output that are kept, the first ones."""

_STDOUT, _STDERR, _STATUS = 1, 2, 3
_WRAPPING = re.compile(
    r"^(Internal error occurred: |error executing command in container: |"
    r'failed to exec in container: |failed to start exec "\w+": )+'
)


class Stream:
    """An answer that goes on. `close` from another thread ends its iteration."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        """:raises ApiError: the connection broke."""
        from urllib3.exceptions import HTTPError

        try:
            while chunk := self._response.read1(1 << 16):
                yield bytes(chunk)
        except (HTTPError, HTTPException, OSError, ValueError, AttributeError) as error:
            if not self._closed:
                raise no_answer(error, "the stream") from None
        finally:
            self._response.close()

    def close(self) -> None:
        self._closed = True
        # What urllib3 raises when the answer has come to its end by itself.
        with suppress(OSError, ValueError, RuntimeError):
            self._response.shutdown()


class Watch:
    """Events of one watch request: `(type, object)`; ends after `WATCH_SECONDS` or at `close`."""

    def __init__(self, response: Any) -> None:
        self._stream = Stream(response)

    def __iter__(self) -> Iterator[tuple[str, Json]]:
        """:raises ApiError: the connection broke, or the server says that events are missing."""
        rest = b""
        for chunk in self._stream:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise status_error(event["object"])
                yield event["type"], event["object"]

    def close(self) -> None:
        self._stream.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended. `exit_code` None: not in time, or it did not run, as `reason` says."""

    exit_code: int | None
    output: bytes
    reason: str | None = None


class RunningCommand:
    """A command in a container, on a websocket: each message begins with the number of its
    channel. `close` from another thread ends `wait`.
    """

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket

    def wait(self, timeout: float) -> Ended:
        """Wait for its end, both streams in the order in which they come.

        :param timeout: seconds; the command is not killed then, only left alone.
        """
        from websocket import ABNF
        from websocket import WebSocketException

        output, status = bytearray(), b""
        deadline = monotonic() + timeout
        try:
            while (left := deadline - monotonic()) > 0:
                self._websocket.settimeout(left)
                kind, frame = self._websocket.recv_data_frame(control_frame=True)
                if kind == ABNF.OPCODE_CLOSE:
                    return _ended(json.loads(status or b"{}"), bytes(output))
                channel, data = frame.data[:1], frame.data[1:]
                if channel in (bytes([_STDOUT]), bytes([_STDERR])):
                    output += data[: OUTPUT_LIMIT - len(output)]
                elif channel == bytes([_STATUS]):
                    status += data
        except (WebSocketException, OSError, ValueError) as error:
            if monotonic() < deadline:
                reason = f"the connection to the command broke: {error}"
                return Ended(exit_code=None, output=bytes(output), reason=reason)
        finally:
            # Not `close`, which would wait for the other side's.
            self._websocket.shutdown()
        return Ended(exit_code=None, output=bytes(output))

    def close(self) -> None:
        with suppress(OSError, AttributeError):  # it has ended in this moment
            self._websocket.abort()


def _ended(status: Json, output: bytes) -> Ended:
    """:param status: a Status object, as kubelet sends it at the end."""
    if status.get("status") == "Success":
        return Ended(exit_code=0, output=output)
    for cause in (status.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode":
            return Ended(exit_code=int(cause["message"]), output=output)
    reason = _WRAPPING.sub("", status.get("message", "the command's end was not told"))
    return Ended(exit_code=None, output=output, reason=reason)
