"""One health check of a target, as a load balancer of AWS makes it."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable

from kecs_server.domain.target import HealthCheck

AGENT = "ELB-HealthChecker/2.0"

FAILED = "Health checks failed"
TIMED_OUT = "Request timed out"


def problem_of(connect: Callable[[], socket.socket], check: HealthCheck) -> str | None:
    """Why the check fails, in ELB's words; None: it does not. Blocks."""
    try:
        with connect() as connected:
            if check.path is None:
                return None
            connected.settimeout(check.timeout)
            return _ask(connected, check, check.path)
    except TimeoutError:
        return TIMED_OUT
    except (OSError, http.client.HTTPException):
        return FAILED


def _ask(connected: socket.socket, check: HealthCheck, path: str) -> str | None:
    host, port = (*connected.getpeername(), "", "")[:2] if connected.family else ("", "")
    asked = http.client.HTTPConnection(str(host) or "localhost", int(port or 80))
    asked.sock = connected
    asked.request("GET", path, headers={"User-Agent": AGENT, "Connection": "close"})
    status = asked.getresponse().status
    return None if check.takes(status) else f"{FAILED} with these codes: [{status}]"
