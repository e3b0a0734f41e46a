"""The server's forwarders: what is accepted on a port of the host flows to a task and back.

All run in one thread with an event loop; a connection to a task is made by a few others, since
that may block.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import threading
from collections.abc import Callable
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from kecs_server.network.datagrams import Datagrams

Connect = Callable[[], socket.socket]
"""A connection to what is forwarded to; :raises OSError: nobody listens there."""

Delay = Callable[[], float]
"""Seconds that what is sent now takes longer."""

CHUNK = 1 << 16
PIECES_UNDER_WAY = 64
CONNECTS_AT_ONCE = 16
PAUSE = 0.5
"""Seconds before accepting is tried again."""

_END = 5.0
"""Seconds that the loop may take to close something; it never waits for a peer."""

_log = logging.getLogger(__name__)


class Forwarder:
    """A listening socket and where its connections lead to; what is sent there takes the delay
    `there` longer, what comes from there `back`.
    """

    def __init__(
        self,
        listener: socket.socket,
        connect: Connect,
        there: Delay | None = None,
        back: Delay | None = None,
    ) -> None:
        self.port: int = listener.getsockname()[1]
        listener.setblocking(False)  # noqa: FBT003
        self.listener = listener
        self.connect = connect
        self.there, self.back = there, back
        self.closing = asyncio.Event()


class Forwarders:
    """Opens and closes forwarders. Thread-safe; the thread ends with `close`."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._pool = ThreadPoolExecutor(CONNECTS_AT_ONCE, thread_name_prefix="forwarder-connect")
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="forwarders", daemon=True
        )
        self._serving: dict[Forwarder, asyncio.Task[None]] = {}
        self._connections: set[asyncio.Task[None]] = set()
        self._thread.start()

    def open(
        self,
        listener: socket.socket,
        connect: Connect,
        *,
        there: Delay | None = None,
        back: Delay | None = None,
    ) -> Forwarder:
        """Take over a socket that listens, or is bound to a UDP port."""
        forwarder = Forwarder(listener, connect, there, back)
        self._run(self._open(forwarder))
        return forwarder

    def end(self, forwarders: list[Forwarder]) -> None:
        """Accept nothing more. What a task has sent still arrives; then its connections end."""
        self._run(self._end(forwarders))

    def close(self) -> None:
        """Break off all connections and end the thread."""
        self._run(self._break_off())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._pool.shutdown(cancel_futures=True)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_END)

    async def _open(self, forwarder: Forwarder) -> None:
        is_stream = forwarder.listener.type == socket.SOCK_STREAM
        work = self._accept(forwarder) if is_stream else self._carry_datagrams(forwarder)
        self._serving[forwarder] = self._loop.create_task(work)

    async def _end(self, forwarders: list[Forwarder]) -> None:
        ended = [self._serving.pop(forwarder) for forwarder in forwarders]
        for forwarder, serving in zip(forwarders, ended, strict=True):
            forwarder.closing.set()
            serving.cancel()
        await asyncio.gather(*ended, return_exceptions=True)

    async def _accept(self, forwarder: Forwarder) -> None:
        with forwarder.listener as listener:
            while True:
                try:
                    near, _ = await self._loop.sock_accept(listener)
                except OSError as error:  # no file descriptor is left, for one
                    _log.warning("port %d accepts nothing for now: %s", forwarder.port, error)
                    await asyncio.sleep(PAUSE)
                    continue
                connection = self._loop.create_task(self._forward(forwarder, near))
                self._connections.add(connection)
                connection.add_done_callback(self._connections.discard)

    async def _carry_datagrams(self, forwarder: Forwarder) -> None:
        _, datagrams = await self._loop.create_datagram_endpoint(
            lambda: Datagrams(forwarder.connect, self._pool), sock=forwarder.listener
        )
        try:
            await forwarder.closing.wait()
        finally:
            datagrams.close()

    async def _break_off(self) -> None:
        await self._end(list(self._serving))
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _forward(self, forwarder: Forwarder, near: socket.socket) -> None:
        sides = [await asyncio.open_connection(sock=near)]
        try:
            far = await self._loop.run_in_executor(self._pool, forwarder.connect)
            far.setblocking(False)  # noqa: FBT003
            sides.append(await asyncio.open_connection(sock=far))
            delays = forwarder.there, forwarder.back
            await exchange(forwarder.closing, sides[0], sides[1], delays)
            for _, writer in sides:
                writer.close()
        except OSError as error:
            _log.info("a connection to port %d broke: %s", forwarder.port, error)
            for _, writer in sides:
                reset(writer)
        except BaseException:
            for _, writer in sides:
                writer.transport.abort()
            raise


Side = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def exchange(
    ended: asyncio.Event,
    near: Side,
    far: Side,
    delays: tuple[Delay | None, Delay | None] = (None, None),
) -> None:
    """Until both sides have said all; once the task has `ended`, until its side has. `delays` are
    those there and back.

    :raises OSError: the connection to one of them broke.
    """
    there = asyncio.ensure_future(_pump(near[0], far[1], delays[0]))
    back = asyncio.ensure_future(_pump(far[0], near[1], delays[1]))
    closing = asyncio.ensure_future(ended.wait())
    waiting: set[asyncio.Future[Any]] = {there, back, closing}
    try:
        while back in waiting or {there, closing} <= waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
    finally:
        for each in (there, back, closing):
            each.cancel()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: Delay | None
) -> None:
    """Carry all that comes, then its end."""
    if delay is not None:
        await _pump_late(reader, writer, delay)
        return
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()


async def _pump_late(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: Delay
) -> None:
    """The same, in order, each piece when its time has come."""
    now = asyncio.get_running_loop().time
    under_way: asyncio.Queue[tuple[float, bytes | OSError]] = asyncio.Queue(PIECES_UNDER_WAY)

    async def take() -> None:
        data: bytes | OSError = b"-"
        while data and not isinstance(data, OSError):
            try:
                data = await reader.read(CHUNK)
            except OSError as error:
                data = error
            await under_way.put((now() + delay(), data))

    taking = asyncio.ensure_future(take())
    try:
        while True:
            at, data = await under_way.get()
            await asyncio.sleep(at - now())
            if isinstance(data, OSError):
                raise data
            if not data:
                break
            writer.write(data)
            await writer.drain()
    finally:
        taking.cancel()
    with suppress(OSError):
        writer.write_eof()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as one that broke, so that its peer does not take it for complete."""
    with suppress(OSError):
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
