"""Forwarding UDP: each peer of a port gets a socket of its own to the task."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any
from typing import cast

IDLE = 60.0
"""Seconds without a datagram after which a peer's socket is closed; the next one makes another."""

Address = tuple[Any, ...]

_log = logging.getLogger(__name__)


class Datagrams(asyncio.DatagramProtocol):
    """What comes to a port of the host. What cannot be delivered is lost, as UDP has it.

    :param connect: makes a connected socket; may block, so it is called in `pool`.
    """

    def __init__(self, connect: Callable[[], socket.socket], pool: Executor) -> None:
        self._connect = connect
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._flows: dict[Address, _Flow] = {}
        self._beginning: set[asyncio.Task[None]] = set()
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, peer: Address) -> None:
        flow = self._flows.get(peer)
        if flow is None:
            flow = self._flows[peer] = _Flow(lambda answer: self._answer(answer, peer))
            beginning = self._loop.create_task(self._begin(flow, peer))
            self._beginning.add(beginning)
            beginning.add_done_callback(self._beginning.discard)
        flow.send(data)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()
        for beginning in self._beginning:
            beginning.cancel()
        for flow in self._flows.values():
            flow.close()
        self._flows.clear()

    def _answer(self, data: bytes, peer: Address) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.sendto(data, peer)

    async def _begin(self, flow: _Flow, peer: Address) -> None:
        try:
            connected = await self._loop.run_in_executor(self._pool, self._connect)
        except OSError as error:
            _log.info("datagrams are lost: %s", error)
            del self._flows[peer]
            return
        await self._loop.create_datagram_endpoint(lambda: flow, sock=connected)
        self._close_when_idle(flow, peer)

    def _close_when_idle(self, flow: _Flow, peer: Address) -> None:
        if self._flows.get(peer) is not flow:
            return
        left = flow.used_at + IDLE - self._loop.time()
        if left > 0:
            self._loop.call_later(left, self._close_when_idle, flow, peer)
            return
        flow.close()
        del self._flows[peer]


class _Flow(asyncio.DatagramProtocol):
    """One peer's datagrams to the task, and `answer` for those that come back."""

    def __init__(self, answer: Callable[[bytes], None]) -> None:
        self._answer = answer
        self._waiting: list[bytes] = []
        self._transport: asyncio.DatagramTransport | None = None
        self.used_at = asyncio.get_running_loop().time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        for data in self._waiting:
            self._transport.sendto(data)
        self._waiting.clear()

    def datagram_received(self, data: bytes, peer: Address) -> None:
        self.used_at = asyncio.get_running_loop().time()
        self._answer(data)

    def send(self, data: bytes) -> None:
        self.used_at = asyncio.get_running_loop().time()
        if self._transport is None:
            self._waiting.append(data)
        else:
            self._transport.sendto(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
