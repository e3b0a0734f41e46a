"""What is accepted on one side flows to the other, both ways, to the end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from kecs_server.network.forwarding import Delay
from kecs_server.network.forwarding import Forwarders

TIMEOUT = 20.0
Serve = Callable[[socket.socket], None]


class Far:
    """A server behind a forwarder: each connection is served by `serve` on a thread."""

    def __init__(self, serve: Serve) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = self.listener.getsockname()
        self._serve = serve
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=TIMEOUT)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._thread.join(TIMEOUT)
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()


def echo(peer: socket.socket) -> None:
    with peer:
        while chunk := peer.recv(1 << 16):
            peer.sendall(chunk)


def count(peer: socket.socket) -> None:
    """Say how much came before the end."""
    with peer:
        size = 0
        while chunk := peer.recv(1 << 16):
            size += len(chunk)
        peer.sendall(b"%d" % size)


@pytest.fixture
def forwarders() -> Iterator[Forwarders]:
    forwarders = Forwarders()
    yield forwarders
    forwarders.close()
    names = {thread.name for thread in threading.enumerate()}
    assert not {name for name in names if name.startswith("forwarder")}


@pytest.fixture
def far() -> Iterator[Callable[[Serve], Far]]:
    made: list[Far] = []

    def make(serve: Serve) -> Far:
        made.append(Far(serve))
        return made[-1]

    yield make
    for each in made:
        each.close()


def listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=128)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)


def ask(port: int) -> bytes:
    """Send a byte and read one; a reset may come at any moment of that."""
    with connect(port) as peer:
        peer.sendall(b"x")
        return peer.recv(1)


def read_all(peer: socket.socket) -> bytes:
    parts = []
    while chunk := peer.recv(1 << 16):
        parts.append(chunk)
    return b"".join(parts)


def test_what_takes_longer(forwarders: Forwarders, far: Callable[[Serve], Far]) -> None:
    """All that is sent one way, in order and to the end; not what is sent the other."""
    delays = iter([0.2] + [0.0] * 1000)
    there = forwarders.open(listener(), far(echo).connect, there=lambda: next(delays))
    back = forwarders.open(listener(), far(echo).connect, back=lambda: 0.2)
    for forwarder in (there, back):
        with connect(forwarder.port) as peer:
            began = time.monotonic()
            data = b"abcd" * 100_000
            sending = threading.Thread(target=peer.sendall, args=(data,))
            sending.start()
            got = peer.recv(1)
            took = time.monotonic() - began
            assert took >= 0.2
            while len(got) < len(data):
                got += peer.recv(1 << 16)
            sending.join()
            peer.shutdown(socket.SHUT_WR)
            assert got + read_all(peer) == data


def test_there_and_back(forwarders: Forwarders, far: Callable[[Serve], Far]) -> None:
    forwarder = forwarders.open(listener(), far(echo).connect)
    with connect(forwarder.port) as peer:
        peer.sendall(b"hello")
        assert peer.recv(100) == b"hello"


def test_an_end_in_one_direction(forwarders: Forwarders, far: Callable[[Serve], Far]) -> None:
    forwarder = forwarders.open(listener(), far(count).connect)
    with connect(forwarder.port) as peer:
        peer.sendall(bytes(10_000_000))
        peer.shutdown(socket.SHUT_WR)
        assert read_all(peer) == b"10000000"


def test_many_connections(forwarders: Forwarders, far: Callable[[Serve], Far]) -> None:
    forwarder = forwarders.open(listener(), far(echo).connect)

    def there_and_back(number: int) -> bytes:
        with connect(forwarder.port) as peer:
            peer.sendall(b"%d" % number)
            peer.shutdown(socket.SHUT_WR)
            return read_all(peer)

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(there_and_back, range(300))) == [
            b"%d" % number for number in range(300)
        ]


def test_a_connection_is_reset_when_nobody_listens(forwarders: Forwarders) -> None:
    def refuse() -> socket.socket:
        raise ConnectionRefusedError("nobody")

    forwarder = forwarders.open(listener(), refuse)
    with pytest.raises(ConnectionResetError):
        ask(forwarder.port)


@pytest.mark.parametrize("back", [None, lambda: 0.0], ids=["at once", "later"])
def test_a_far_side_that_breaks_off_is_seen(
    forwarders: Forwarders, far: Callable[[Serve], Far], back: Delay | None
) -> None:
    def break_off(peer: socket.socket) -> None:
        peer.recv(1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()

    forwarder = forwarders.open(listener(), far(break_off).connect, back=back)
    with pytest.raises(ConnectionResetError):
        ask(forwarder.port)


def test_a_near_side_that_breaks_off_is_seen(
    forwarders: Forwarders, far: Callable[[Serve], Far]
) -> None:
    seen = threading.Event()
    served = threading.Event()

    def wait(peer: socket.socket) -> None:
        served.set()
        with peer, pytest.raises(ConnectionResetError):
            peer.recv(1)
        seen.set()

    forwarder = forwarders.open(listener(), far(wait).connect)
    peer = connect(forwarder.port)
    assert served.wait(TIMEOUT)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()
    assert seen.wait(TIMEOUT)


def test_after_the_end_nothing_is_accepted_and_what_was_sent_arrives(
    forwarders: Forwarders, far: Callable[[Serve], Far]
) -> None:
    served, go = threading.Event(), threading.Event()

    def send_late(peer: socket.socket) -> None:
        with peer:
            peer.recv(1)
            served.set()
            go.wait(TIMEOUT)
            peer.sendall(bytes(1 << 20))

    forwarder = forwarders.open(listener(), far(send_late).connect)
    with connect(forwarder.port) as peer:
        peer.sendall(b"x")
        assert served.wait(TIMEOUT)
        forwarders.end([forwarder])
        with pytest.raises(ConnectionRefusedError):
            connect(forwarder.port)
        go.set()
        # We never end our side; its end is enough.
        assert len(read_all(peer)) == 1 << 20


def test_datagrams(forwarders: Forwarders) -> None:
    """Each peer gets the answers to what it sent, also to what came before the way was open."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind(("127.0.0.1", 0))
        far.settimeout(TIMEOUT)

        def connect() -> socket.socket:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.connect(far.getsockname())
            return made

        forwarder = forwarders.open(bound, connect)
        peers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
        for number, peer in enumerate(peers):
            peer.settimeout(TIMEOUT)
            for letter in b"ab":
                peer.sendto(b"%d%c" % (number, letter), ("127.0.0.1", forwarder.port))
        for _ in range(6):
            data, way = far.recvfrom(100)
            far.sendto(data.upper(), way)
        for number, peer in enumerate(peers):
            with peer:
                assert {peer.recv(100), peer.recv(100)} == {b"%dA" % number, b"%dB" % number}


def test_a_datagram_that_nobody_takes_is_lost_and_the_next_is_tried(
    forwarders: Forwarders,
) -> None:
    tried = threading.Semaphore(0)

    def refuse() -> socket.socket:
        tried.release()
        raise ConnectionRefusedError("nobody")

    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    forwarder = forwarders.open(bound, refuse)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.connect(("127.0.0.1", forwarder.port))
        for _ in range(2):
            assert wait_tried(peer, tried)


def wait_tried(peer: socket.socket, tried: threading.Semaphore) -> bool:
    """Send until it is noticed: the flow of the datagram before may be just ending."""
    for _ in range(200):
        peer.send(b"x")
        if tried.acquire(timeout=0.1):
            return True
    return False


def test_closing_breaks_off_what_is_open(far: Callable[[Serve], Far]) -> None:
    forwarders = Forwarders()
    forwarder = forwarders.open(listener(), far(echo).connect)
    with connect(forwarder.port) as peer:
        peer.sendall(b"x")
        assert peer.recv(1) == b"x"
        forwarders.end([forwarder])
        forwarders.close()
        assert peer.recv(1) == b""
