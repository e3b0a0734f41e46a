"""The networks of an engine's tasks, and who makes them: nobody until the first is wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from collections.abc import Sequence

from kecs_server.engines.process.namespaces import Namespace
from kecs_server.engines.process.namespaces import Namespaces


class TaskNetworks:
    """Thread-safe.

    :param on_loss: called, in a thread of its own, when who made them was killed: nothing leads
        into those that it made any more, which go with what runs in them.
    """

    def __init__(
        self, variables: dict[str, str], on_loss: Callable[[Namespaces], None] | None = None
    ) -> None:
        self._variables = variables
        self._on_loss = on_loss
        self._lock = threading.RLock()
        self._maker: Namespaces | None = None

    def open(self) -> Namespaces:
        """Who makes networks; another one when the last was killed.

        :raises OSError, EngineError: it cannot be started.
        """
        with self._lock:
            if self._maker is None:
                self._maker = Namespaces(self._variables, self._on_end)
            return self._maker

    def make(self, addresses: Sequence[str]) -> Namespace:
        """A network from which these addresses are reached.

        :raises OSError, EngineError: it cannot be had.
        """
        with self._lock:
            maker = self.open()
            try:
                return maker.make(addresses)
            except ConnectionError:  # it has ended, of which we are yet to be told
                self._forget(maker)
                return self.open().make(addresses)

    def close(self) -> None:
        with self._lock:
            maker, self._maker = self._maker, None
        if maker is not None:
            maker.close()

    def _forget(self, ended: Namespaces) -> None:
        with self._lock:
            if self._maker is ended:
                self._maker = None

    def _on_end(self, ended: Namespaces) -> None:
        self._forget(ended)
        if self._on_loss is not None:
            self._on_loss(ended)
