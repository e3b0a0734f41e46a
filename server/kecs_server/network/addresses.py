"""Loopback addresses of their own for containers, where the system has more than 127.0.0.1."""

from __future__ import annotations

import errno
import random
import socket
import sys
import threading
from collections.abc import Iterator
from functools import cache

_LAST = 254
"""Addresses of a block 127.a.b.0/24; its first and last stay unused."""

_TRIES = 1000


class LoopbackAddresses:
    """Hands out 127.a.b.c, no address twice among all environments of the machine. Thread-safe.

    Addresses come from blocks of 254, and who has a block has bound an abstract Unix socket of its
    name: the kernel gives a name to one process only, and takes it back when that ends. An
    address that is given back comes again only after all others of its block.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: dict[str, socket.socket] = {}
        self._taken: set[str] = set()
        self._order: Iterator[str] = iter(())

    def take(self) -> str | None:
        """An address; None where the system has no such addresses."""
        with self._lock:
            address = self._next_free() if _has_many() else None
            if address is not None:
                self._taken.add(address)
            return address

    def give_back(self, address: str) -> None:
        with self._lock:
            self._taken.discard(address)

    def close(self) -> None:
        with self._lock:
            for guard in self._blocks.values():
                guard.close()
            self._blocks.clear()
            self._order = iter(())

    def _next_free(self) -> str | None:
        if len(self._taken) >= len(self._blocks) * _LAST and not self._take_block():
            return None
        while True:
            for address in self._order:
                if address not in self._taken:
                    return address
            self._order = iter(
                [f"{block}.{last}" for block in self._blocks for last in range(1, _LAST + 1)]
            )

    def _take_block(self) -> bool:
        for _ in range(_TRIES):
            # Not 127.0 and 127.1, which distributions use for themselves.
            block = f"127.{random.randint(2, 254)}.{random.randint(0, 255)}"
            guard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                guard.bind(f"\0pytest-kecs/{block}")
            except OSError as error:
                guard.close()
                if error.errno == errno.EADDRINUSE:
                    continue
                return False
            self._blocks[block] = guard
            return True
        return False


@cache
def _has_many() -> bool:
    """Linux answers for all of 127.0.0.0/8; macOS for 127.0.0.1 alone."""
    if sys.platform != "linux":
        return False
    with socket.socket() as probe:
        try:
            probe.bind(("127.254.254.254", 0))
        except OSError:
            return False
    return True
