"""A connection to a container reaches the container, or nobody."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import pytest
from engine_driver import Driver
from engine_driver import Fifo
from engine_driver import python
from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import ContainerStopped

Listen = Callable[..., tuple[str, int]]

# Listens, says so through the FIFO, and answers every peer with its own name.
LISTEN = """
import os, socket, sys
fifo, name, address, port, *options = sys.argv[1:]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
listener = socket.socket(family)
if "shared" in options:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listener.bind((address, int(port)))
listener.listen()
if "child" in options and os.fork():
    listener.close()
    os.wait()
with open(fifo, "w") as told:
    told.write("%d\\n" % listener.getsockname()[1])
while True:
    peer, _ = listener.accept()
    peer.sendall(name.encode())
    peer.close()
"""

UDP = """
import socket, sys
fifo, = sys.argv[1:]
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind(("127.0.0.1", 0))
with open(fifo, "w") as told:
    told.write("%d\\n" % listener.getsockname()[1])
while True:
    data, peer = listener.recvfrom(100)
    listener.sendto(data.upper(), peer)
"""


@pytest.fixture
def listen(driver: Driver, fifo: Fifo) -> Listen:
    """Run a container that listens; returns its task and port."""

    def listen(name: str, address: str, port: int = 0, *options: str) -> tuple[str, int]:
        task = driver.start(*python(LISTEN, fifo.path, name, address, str(port), *options))
        port = int(fifo.read_line())
        driver.wait(ContainerStarted, task)
        return task, port

    return listen


def ask(driver: Driver, task: str, port: int) -> bytes:
    with driver.engine.connect(task, "app", port) as peer:
        peer.settimeout(20)
        return peer.recv(100)


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "127.9.8.7", "::", "::1"])
def test_wherever_the_container_listens(driver: Driver, listen: Listen, address: str) -> None:
    task, port = listen("one", address)
    assert ask(driver, task, port) == b"one"
    where = "127.0.0.1" if address in ("0.0.0.0", "::") else address
    assert driver.engine.locate(task, "app", port) == where


def test_a_listener_of_a_child_counts(driver: Driver, listen: Listen) -> None:
    task, port = listen("one", "127.0.0.1", 0, "child")
    assert ask(driver, task, port) == b"one"


def test_two_containers_on_one_port(driver: Driver, listen: Listen) -> None:
    one, port = listen("one", "127.9.8.7")
    two, _ = listen("two", "127.9.8.6", port)
    assert ask(driver, one, port) == b"one"
    assert ask(driver, two, port) == b"two"


def test_a_listener_of_another_container_does_not_count(driver: Driver, listen: Listen) -> None:
    _, port = listen("one", "0.0.0.0")
    other, own = listen("two", "127.0.0.1")
    with pytest.raises(ConnectionRefusedError, match=f"listens on port {port} is process .*python"):
        driver.engine.connect(other, "app", port)
    assert ask(driver, other, own) == b"two"


def test_a_listener_of_the_machine_does_not_count(driver: Driver, listen: Listen) -> None:
    task, _ = listen("one", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as ours:
        port = ours.getsockname()[1]
        text = f"what listens on port {port} is process {os.getpid()} "
        with pytest.raises(ConnectionRefusedError, match=text):
            driver.engine.locate(task, "app", port)


def test_a_port_that_two_containers_share_is_nobodys(driver: Driver, listen: Listen) -> None:
    one, port = listen("one", "127.0.0.1", 0, "shared")
    assert ask(driver, one, port) == b"one"
    two, _ = listen("two", "127.0.0.1", port, "shared")
    for task in (one, two):
        with pytest.raises(ConnectionRefusedError, match="either may answer"):
            ask(driver, task, port)


def test_the_text_names_the_ports_that_are_listened_on(driver: Driver, listen: Listen) -> None:
    task, port = listen("one", "127.0.0.1")
    with pytest.raises(ConnectionRefusedError, match=f"listens on port 1, it does on {port}$"):
        driver.engine.connect(task, "app", 1)
    quiet = driver.start("sleep", "1000")
    driver.wait(ContainerStarted, quiet)
    with pytest.raises(ConnectionRefusedError, match=r"listens on port 1, nor on any other$"):
        driver.engine.connect(quiet, "app", 1)


def test_datagrams(driver: Driver, fifo: Fifo) -> None:
    task = driver.start(*python(UDP, fifo.path))
    port = int(fifo.read_line())
    driver.wait(ContainerStarted, task)
    with driver.engine.connect(task, "app", port, "udp") as peer:
        peer.settimeout(20)
        peer.send(b"hello")
        assert peer.recv(100) == b"HELLO"


def test_a_container_that_does_not_run(driver: Driver) -> None:
    task = driver.start("true")
    driver.wait(ContainerStopped, task)
    for find in (driver.engine.connect, driver.engine.locate):
        with pytest.raises(ConnectionRefusedError, match="the container app does not run"):
            find(task, "app", 80)
        with pytest.raises(ConnectionRefusedError):
            find("0" * 32, "app", 80)
