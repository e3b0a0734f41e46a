"""An engine that opens in the background: what waits for it, and what is lost with it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kecs_server.engines.base import EngineError
from kecs_server.engines.base import TaskLost
from kecs_server.engines.host import EngineHost

PATIENCE = 10.0


class SlowEngine:
    """Opens when it is let, or fails with `error`."""

    name = "slow"

    def __init__(self) -> None:
        self.may_open = threading.Event()
        self.error: Exception | None = None
        self.done: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.closed = False

    def open(self, observe: Any, progress: Any) -> None:
        progress("creating")
        assert self.may_open.wait(PATIENCE)
        if self.error is not None:
            raise self.error

    def remove(self, task_id: str) -> None:
        self.done.put(task_id)

    def close(self) -> None:
        self.closed = True
        self.may_open.set()


@pytest.fixture
def engine() -> SlowEngine:
    return SlowEngine()


@pytest.fixture
def observed() -> queue.SimpleQueue[Any]:
    return queue.SimpleQueue()


@pytest.fixture
def host(engine: Any, observed: queue.SimpleQueue[Any]) -> Iterator[EngineHost]:
    host = EngineHost(lambda: engine, observed.put)
    yield host
    host.close()
    assert not [t for t in threading.enumerate() if t.name == "engine-open"]


def remove(host: EngineHost, task_id: str) -> None:
    host.command(task_id, lambda engine: engine.remove(task_id))


def test_idle_until_it_is_needed(host: EngineHost, engine: SlowEngine) -> None:
    assert host.state().state == "idle"
    assert host.engine is None


def test_commands_wait_in_order(host: EngineHost, engine: SlowEngine) -> None:
    for name in ("a", "b", "c"):
        remove(host, name)
    assert host.prepare(seen="", timeout=PATIENCE).phase == "creating"
    assert engine.done.empty()
    engine.may_open.set()
    assert host.prepare(seen="creating", timeout=PATIENCE).state == "ready"
    remove(host, "d")
    assert [engine.done.get(timeout=PATIENCE) for _ in range(4)] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("error", "text"),
    [(EngineError("no docker"), "no docker"), (OSError("bad"), "the slow engine did not start")],
)
def test_tasks_of_an_engine_that_fails_are_lost(
    host: EngineHost,
    engine: SlowEngine,
    observed: queue.SimpleQueue[Any],
    error: Exception,
    text: str,
) -> None:
    engine.error = error
    remove(host, "a")
    remove(host, "a")
    remove(host, "b")
    engine.may_open.set()
    lost = [observed.get(timeout=PATIENCE) for _ in range(2)]
    assert [(type(each), each.task_id) for each in lost] == [(TaskLost, "a"), (TaskLost, "b")]
    assert lost[0].reason.startswith(text)
    state = host.prepare(timeout=PATIENCE)
    assert (state.state, state.error) == ("failed", lost[0].reason)
    remove(host, "c")
    assert observed.get(timeout=PATIENCE).task_id == "c"
    assert engine.done.empty()


def test_closing_one_that_is_still_opening(host: EngineHost, engine: SlowEngine) -> None:
    host.prepare(timeout=PATIENCE)
    host.close()
    assert engine.closed


def test_the_same_phase_is_waited_for(host: EngineHost, engine: SlowEngine) -> None:
    host.prepare(timeout=PATIENCE)
    threading.Timer(0.05, engine.may_open.set).start()
    assert host.prepare(seen="creating", timeout=PATIENCE).state == "ready"
