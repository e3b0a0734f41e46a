"""Forwarding HTTP/1.1: each request to a target of its own choice, each on its own connection.

h11 reads and writes both sides; what is streamed stays streamed, and what is upgraded (a WebSocket)
becomes a plain connection.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import h11

from kecs_server.network.forwarding import CHUNK
from kecs_server.network.forwarding import Side
from kecs_server.network.forwarding import exchange
from kecs_server.traffic.routes import Backend
from kecs_server.traffic.routes import Connect

IDLE = 60.0
"""Seconds that a client or a target may be silent, as with a load balancer of AWS."""

LINGER = 2.0
"""Seconds for a client to see an answer that came before it had sent all."""

MAX_HEAD = 1 << 16
"""Bytes of a request's or an answer's headers."""

Headers = list[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"}
)
_REFUSED = (b"CONNECT", b"TRACE")

_log = logging.getLogger(__name__)


class Peer:
    """One side of the conversation."""

    def __init__(self, role: type[h11.CLIENT | h11.SERVER], side: Side) -> None:
        self.http = h11.Connection(role, max_incomplete_event_size=MAX_HEAD)
        self.reader, self.writer = side

    async def receive(self) -> Any:
        """The next event.

        :raises h11.RemoteProtocolError: it is no HTTP.
        :raises TimeoutError: nothing came for `IDLE` seconds.
        :raises OSError: the connection broke.
        """
        while (event := self.http.next_event()) is h11.NEED_DATA:
            if self.http.they_are_waiting_for_100_continue:
                await self.send(h11.InformationalResponse(status_code=100, headers=[]))
            async with asyncio.timeout(IDLE):
                self.http.receive_data(await self.reader.read(CHUNK))
        return event

    async def send(self, event: Any) -> None:
        """:raises OSError: the connection broke."""
        data = self.http.send(event)
        if data:
            self.writer.write(data)
            await self.writer.drain()

    @property
    def has_begun(self) -> bool:
        """Whether an answer, or a part of one, was sent."""
        return self.http.our_state not in (h11.IDLE, h11.SEND_RESPONSE)


async def serve(near: Side, connect: Connect) -> None:
    """Answer a client's requests, one after the other, until it or we have enough.

    :raises OSError: the client's connection broke.
    """
    client = Peer(h11.SERVER, near)
    while True:
        try:
            request = await client.receive()
        except h11.RemoteProtocolError as error:
            await _refuse(client, error.error_status_hint)
            return
        except TimeoutError:
            return
        if not isinstance(request, h11.Request):
            return  # the client has ended the connection
        try:
            await _answer(client, request, connect)
        except (h11.RemoteProtocolError, TimeoutError):
            await _refuse(client, HTTPStatus.BAD_REQUEST)
        if client.http.our_state is not h11.DONE:
            return
        if client.http.their_state is not h11.DONE:
            await _linger(client)
            return
        client.http.start_next_cycle()


async def _answer(client: Peer, request: h11.Request, connect: Connect) -> None:
    if request.method in _REFUSED:
        await _refuse(client, HTTPStatus.METHOD_NOT_ALLOWED)
        return
    try:
        async with connect() as connected:
            if connected is None:
                await _refuse(client, HTTPStatus.SERVICE_UNAVAILABLE)
                return
            backend, side = connected
            await _forward(client, request, Peer(h11.CLIENT, side), backend)
    except ConnectionRefusedError as error:
        _log.info("no target accepts a connection: %s", error)
        await _refuse(client, HTTPStatus.BAD_GATEWAY)


async def _forward(client: Peer, request: h11.Request, target: Peer, backend: Backend) -> None:
    """Carry the request and its answer at the same time: the answer may come first."""
    try:
        await target.send(_forwarded(request, client))
    except (OSError, h11.LocalProtocolError):
        await _refuse(client, HTTPStatus.BAD_GATEWAY)
        return
    body = asyncio.ensure_future(_carry_body(client, target))
    body.add_done_callback(lambda done: _give_up(target, done))
    try:
        answer = await _first_answer(target, body)
        if isinstance(answer, HTTPStatus):
            await _refuse(client, answer)
        elif isinstance(answer, h11.InformationalResponse):
            await body
            await _upgrade(client, target, answer, backend)
        else:
            await client.send(
                h11.Response(
                    status_code=answer.status_code, headers=_kept(answer), reason=answer.reason
                )
            )
            await _carry_answer(client, target)
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await asyncio.shield(body)
    finally:
        body.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await body


async def _first_answer(
    target: Peer, body: asyncio.Future[None]
) -> h11.Response | h11.InformationalResponse | HTTPStatus:
    """The target's answer, or the status that stands for it: 502 if it ended the connection or
    speaks no HTTP, 504 if it is silent.
    """
    while True:
        try:
            event = await target.receive()
        except TimeoutError:
            if not body.done():
                continue  # it waits for the client, as we do
            return HTTPStatus.GATEWAY_TIMEOUT
        except (OSError, h11.RemoteProtocolError):
            return HTTPStatus.BAD_GATEWAY
        if isinstance(event, h11.Response):
            return event
        if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
            return event
        if isinstance(event, h11.ConnectionClosed):
            return HTTPStatus.BAD_GATEWAY


async def _carry_body(client: Peer, target: Peer) -> None:
    """Up to the end of the request; a target that takes no more of it may have answered already,
    and the rest is read all the same.
    """
    takes_more = True
    while True:
        event = await client.receive()
        if not isinstance(event, (h11.Data, h11.EndOfMessage)):
            return
        part = h11.EndOfMessage() if isinstance(event, h11.EndOfMessage) else event
        if takes_more:
            try:
                await target.send(part)
            except (OSError, h11.LocalProtocolError):
                takes_more = False
        if isinstance(event, h11.EndOfMessage):
            return


def _give_up(target: Peer, body: asyncio.Future[None]) -> None:
    """Nobody waits for the answer to a request that broke off."""
    if not body.cancelled() and body.exception() is not None:
        target.writer.transport.abort()


async def _carry_answer(client: Peer, target: Peer) -> None:
    """:raises OSError: one of them broke off."""
    while True:
        try:
            event = await target.receive()
        except (h11.RemoteProtocolError, TimeoutError) as error:
            raise ConnectionAbortedError("the target did not end its answer") from error
        if isinstance(event, h11.Data):
            await client.send(event)
        else:
            await client.send(h11.EndOfMessage())
            return


async def _upgrade(
    client: Peer, target: Peer, answer: h11.InformationalResponse, backend: Backend
) -> None:
    """From here on the two speak something else."""
    await client.send(
        h11.InformationalResponse(status_code=101, headers=answer.headers.raw_items())
    )
    client.writer.write(target.http.trailing_data[0])
    target.writer.write(client.http.trailing_data[0])
    await exchange(backend.gone, (client.reader, client.writer), (target.reader, target.writer))


async def _refuse(client: Peer, status: int) -> None:
    """Answer in the target's place; if an answer has begun, break it off."""
    if client.has_begun or client.http.our_state is h11.ERROR:
        raise ConnectionAbortedError("an answer was broken off")
    text = f"{status} {HTTPStatus(status).phrase}\n".encode()
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))]
    await client.send(h11.Response(status_code=status, headers=headers))
    with suppress(h11.LocalProtocolError):  # an answer to HEAD has no body
        await client.send(h11.Data(data=text))
    await client.send(h11.EndOfMessage())


async def _linger(client: Peer) -> None:
    """Take what the client still sends, so that it is not cut off from the answer."""
    client.writer.write_eof()
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            while await client.reader.read(CHUNK):
                pass


def _forwarded(request: h11.Request, client: Peer) -> h11.Request:
    """The request as the target gets it, with where it came from."""
    given = request.headers.raw_items()
    values = {name.lower(): value for name, value in given}
    is_upgrade = b"upgrade" in values
    headers = [
        (name, value)
        for name, value in given
        if name.lower() not in _HOP_BY_HOP | {b"expect", b"x-forwarded-for"}
    ]
    if b"transfer-encoding" in values:
        headers = [(name, value) for name, value in headers if name.lower() != b"content-length"]
        headers.append((b"Transfer-Encoding", b"chunked"))
    if is_upgrade:
        headers.append((b"Upgrade", values[b"upgrade"]))
    headers.append((b"Connection", b"Upgrade" if is_upgrade else b"close"))
    peer = client.writer.get_extra_info("peername")[0].encode()
    host, port = client.writer.get_extra_info("sockname")[:2]
    if b"host" not in values:
        headers.insert(0, (b"Host", f"{host}:{port}".encode()))
    before = values.get(b"x-forwarded-for")
    headers.append((b"X-Forwarded-For", b"%s, %s" % (before, peer) if before else peer))
    headers += [
        (name, value)
        for name, value in (
            (b"X-Forwarded-Proto", b"http"),
            (b"X-Forwarded-Port", str(port).encode()),
        )
        if name.lower() not in values
    ]
    return h11.Request(method=request.method, target=request.target, headers=headers)


def _kept(answer: h11.Response) -> Headers:
    """The headers that go on; how the body is framed is between us and the client."""
    return [
        (name, value)
        for name, value in answer.headers.raw_items()
        if name.lower() not in _HOP_BY_HOP
    ]
