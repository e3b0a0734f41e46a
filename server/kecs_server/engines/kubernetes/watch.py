"""One thread that keeps up with things of a cluster: the Pods of an environment, the nodes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event
from threading import Lock
from threading import Thread
from time import monotonic
from typing import Protocol

from kecs_server.engines.kubernetes.api_errors import ApiError
from kecs_server.engines.kubernetes.streams import Json
from kecs_server.engines.kubernetes.streams import Watch

_log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0


class Listener(Protocol):
    """Called from the watch thread."""

    def expected(self) -> set[str]:
        """Names of the things that a list made now must contain."""

    def changed(self, thing: Json, /) -> None:
        """A thing as it is now."""

    def deleted(self, thing: Json, /) -> None:
        """The last that was seen of one."""

    def missing(self, names: set[str], /) -> None:
        """Those that were expected and are gone; how they ended was not seen."""

    def unreachable(self, error: ApiError, /) -> None:
        """The API server has not answered for too long."""


class ClusterWatch:
    """List, then watch from there; when the server has forgotten where we were, list again.

    :param list_all: the things there are, and the version from which `watch_from` goes on.
    :param patience: seconds without an answer after which the cluster counts as lost.
    """

    def __init__(
        self,
        list_all: Callable[[], tuple[list[Json], str]],
        watch_from: Callable[[str], Watch],
        listener: Listener,
        *,
        name: str,
        patience: float,
    ) -> None:
        self._list_all = list_all
        self._watch_from = watch_from
        self._listener = listener
        self._patience = patience
        self._closed = Event()
        self._lock = Lock()
        self._watch: Watch | None = None
        self._version: str | None = None
        self._last_answer = monotonic()
        self._thread = Thread(target=self._work, name=f"kecs-{name}-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Nothing is called any more after this."""
        self._closed.set()
        self.interrupt()
        if self._thread.ident is not None:
            self._thread.join(10)

    def interrupt(self) -> None:
        """Break the connection; the thread makes a new one and goes on where it was."""
        with self._lock:
            if self._watch is not None:
                self._watch.close()

    def _work(self) -> None:
        pause = _FIRST_PAUSE
        while not self._closed.is_set():
            try:
                self._list_and_watch()
                pause = _FIRST_PAUSE
                continue
            except ApiError as error:
                self._failed(error)
            except Exception:
                _log.exception("%s failed; starting over", self._thread.name)
                self._version = None
            self._closed.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _list_and_watch(self) -> None:
        if self._version is None:
            self._version = self._list()
        watch = self._watch_from(self._version)
        self._last_answer = monotonic()
        with self._lock:
            self._watch = watch
            if self._closed.is_set():
                watch.close()
        try:
            for kind, thing in watch:
                self._event(kind, thing)
        finally:
            with self._lock:
                self._watch = None

    def _list(self) -> str:
        expected = self._listener.expected()
        things, version = self._list_all()
        self._last_answer = monotonic()
        for thing in things:
            self._listener.changed(thing)
        missing = expected - {thing["metadata"]["name"] for thing in things}
        if missing:
            self._listener.missing(missing)
        return version

    def _event(self, kind: str, thing: Json) -> None:
        if self._closed.is_set():
            return
        self._last_answer = monotonic()
        if kind == "DELETED":
            self._listener.deleted(thing)
        elif kind != "BOOKMARK":
            self._listener.changed(thing)
        self._version = thing["metadata"]["resourceVersion"]

    def _failed(self, error: ApiError) -> None:
        _log.info("%s: %s", self._thread.name, error)
        if not error.is_transient:
            # 410 Gone above all: events are missing, the list tells what is left.
            self._version = None
        if monotonic() - self._last_answer > self._patience:
            self._last_answer = monotonic()
            self._listener.unreachable(error)
