"""Addresses and host ports that nobody else has."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest
from kecs_server.network import host_ports
from kecs_server.network.addresses import LoopbackAddresses
from kecs_server.network.host_ports import PortError

linux = pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.1 is all there is")


@pytest.fixture
def addresses() -> Iterator[LoopbackAddresses]:
    addresses = LoopbackAddresses()
    yield addresses
    addresses.close()


@linux
def test_no_address_is_given_twice_among_environments(addresses: LoopbackAddresses) -> None:
    other = LoopbackAddresses()
    try:
        taken = [each.take() for each in (addresses, other) for _ in range(600)]
    finally:
        other.close()
    assert None not in taken
    assert len(set(taken)) == len(taken)


@linux
def test_a_block_belongs_to_one_process(addresses: LoopbackAddresses) -> None:
    address = addresses.take()
    assert address is not None
    rival = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with rival, pytest.raises(OSError, match="in use"):
        rival.bind("\0pytest-kecs/" + address.rpartition(".")[0])


@linux
def test_an_address_comes_again_after_the_others(addresses: LoopbackAddresses) -> None:
    first = addresses.take()
    assert first is not None
    addresses.give_back(first)
    following = [addresses.take() for _ in range(254)]
    assert following[-1] == first
    assert len(set(following)) == 254


def test_free_ports_are_held_and_in_a_row() -> None:
    sockets = host_ports.bind_free(20, "tcp", ())
    try:
        ports = [each.getsockname()[1] for each in sockets]
        low, high = host_ports.ephemeral_ports()
        assert ports == list(range(ports[0], ports[0] + 20))
        assert low <= ports[0]
        assert ports[-1] <= high
        with pytest.raises(PortError):
            host_ports.check_free(ports[3], "tcp")
        with pytest.raises(PortError, match=f"listen tcp4 0.0.0.0:{ports[3]}: bind: address"):
            host_ports.bind_fixed(ports[3], "tcp")
    finally:
        for each in sockets:
            each.close()
    host_ports.check_free(ports[3], "tcp")
    host_ports.bind_fixed(ports[3], "tcp").close()


def test_a_port_is_never_one_that_is_listened_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        taken = somebody.getsockname()[1]
        monkeypatch.setattr(host_ports, "ephemeral_ports", lambda: (taken, taken))
        with pytest.raises(PortError, match="no 1 free ports in a row"):
            host_ports.bind_free(1, "tcp", ())


def test_a_port_that_is_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_ports, "ephemeral_ports", lambda: (40000, 40001))
    for _ in range(20):
        [found] = host_ports.bind_free(1, "udp", {40000})
        assert found.getsockname()[1] == 40001
        found.close()


def test_a_range_that_is_too_large() -> None:
    with pytest.raises(PortError, match=r"CannotStartContainerError: .*at most 1000 ports"):
        host_ports.bind_free(1001, "tcp", ())
