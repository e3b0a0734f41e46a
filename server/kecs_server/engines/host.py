"""An engine that opens in the background: its state, and the commands that wait for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from kecs_server.engines.base import Engine
from kecs_server.engines.base import EngineError
from kecs_server.engines.base import Observer
from kecs_server.engines.base import TaskLost

_log = logging.getLogger(__name__)


Command = Callable[[Engine], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineState:
    """state: idle, starting, ready or failed; phase: what a person is to be shown of a start;
    seconds: how long the start has taken.
    """

    state: str = "idle"
    phase: str = ""
    seconds: float = 0.0
    error: str | None = None


class EngineHost:
    """Opens one engine when it is first needed, once, on a thread of its own.

    Commands given before it is ready are kept and carried out in order.
    """

    def __init__(self, make: Callable[[], Engine], observe: Observer) -> None:
        self._make = make
        self._observe = observe
        self._changed = threading.Condition()
        self._state = EngineState()
        self._began = 0.0
        self._waiting: list[tuple[str, Command]] = []
        self._opening: Engine | None = None
        self._engine: Engine | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def prepare(self, *, seen: str = "", timeout: float = 0.0) -> EngineState:
        """Begin to open the engine; return when it is ready or failed, when its phase is
        another than `seen`, or after `timeout` seconds.
        """
        with self._changed:
            if self._thread is None and not self._closed:
                self._began = time.monotonic()
                self._state = EngineState(state="starting")
                self._thread = threading.Thread(target=self._open, name="engine-open", daemon=True)
                self._thread.start()
            self._changed.wait_for(
                lambda: self._state.state != "starting" or self._state.phase != seen, timeout
            )
            return self.state()

    def state(self) -> EngineState:
        with self._changed:
            if self._state.state != "starting":
                return self._state
            seconds = time.monotonic() - self._began
            return EngineState(state="starting", phase=self._state.phase, seconds=seconds)

    def command(self, task_id: str, command: Command) -> None:
        """Carry out a command about a task, now or when the engine is ready. A task whose engine
        cannot start is lost.
        """
        self.prepare()
        with self._changed:
            engine, failure = self._engine, self._state.error
            if engine is None and failure is None:
                self._waiting.append((task_id, command))
        if engine is not None:
            command(engine)
        elif failure is not None:
            self._observe(TaskLost(task_id=task_id, reason=failure))

    @property
    def engine(self) -> Engine | None:
        """The engine, once it is ready."""
        return self._engine

    def close(self) -> None:
        """Close the engine, one that is still being opened too."""
        with self._changed:
            self._closed = True
            thread, opening = self._thread, self._opening
        if opening is not None:
            opening.close()
        if thread is not None:
            thread.join()

    def _open(self) -> None:
        try:
            self._open_engine()
        except EngineError as error:
            self._failed(str(error))
        except Exception as error:
            name = f"{self._opening.name} engine" if self._opening else "engine"
            _log.exception("the %s did not start", name)
            self._failed(f"the {name} did not start: {error!r}")

    def _open_engine(self) -> None:
        engine = self._make()
        with self._changed:
            self._opening = engine
            if self._closed:
                return
        engine.open(self._observe, self._progress)
        self._ready(engine)

    def _progress(self, phase: str) -> None:
        with self._changed:
            self._state = EngineState(state="starting", phase=phase)
            self._changed.notify_all()

    def _ready(self, engine: Engine) -> None:
        while True:
            with self._changed:
                waiting, self._waiting = self._waiting, []
                if not waiting:
                    self._engine = engine
                    seconds = time.monotonic() - self._began
                    self._state = EngineState(state="ready", seconds=seconds)
                    self._changed.notify_all()
                    return
            for _, command in waiting:
                command(engine)

    def _failed(self, text: str) -> None:
        with self._changed:
            seconds = time.monotonic() - self._began
            self._state = EngineState(state="failed", seconds=seconds, error=text)
            lost = dict.fromkeys(task_id for task_id, _ in self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        for task_id in lost:
            self._observe(TaskLost(task_id=task_id, reason=text))
