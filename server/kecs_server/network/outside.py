"""Connections that a task makes to what is outside its network."""

from __future__ import annotations

import socket
from contextlib import suppress

from kecs_server.domain.ways_out import HOST_NAME
from kecs_server.domain.ways_out import Place
from kecs_server.network.host_ports import HOST

CONNECT_TIMEOUT = 10.0
"""Seconds for a connection."""


def connect_outside(target: Place) -> socket.socket:
    """:raises OSError: nobody listens there."""
    hosts = (HOST, "::1") if target.host == HOST_NAME else (target.host,)
    for host in hosts[:-1]:
        with suppress(OSError):
            return _connected(host, target.port)
    return _connected(hosts[-1], target.port)


def _connected(host: str, port: int) -> socket.socket:
    made = socket.create_connection((host, port), CONNECT_TIMEOUT)
    made.settimeout(None)
    return made
