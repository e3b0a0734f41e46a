"""Waiting for an engine that is slow to start, against a scripted server."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import Any

import pytest

from pytest_kecs.admin import EngineState
from pytest_kecs.environment import Environment
from pytest_kecs.errors import EnvironmentStartError
from pytest_kecs.markers import Wishes
from pytest_kecs.ownership import Identity
from pytest_kecs.settings import resolve

IDENTITY = Identity(
    pid=1,
    name="n",
    directory="/d",
    endpoint="http://h:1",
    run_secret="s",
    run_id="r",
    engine="kind",
)


@dataclass
class Script:
    """An admin client that answers `prepare` in turn, and a clock that each answer moves on."""

    states: list[EngineState]
    now: float = 100.0
    asked: list[str] = field(default_factory=list)
    realms: list[str] = field(default_factory=list)

    def prepare(self, engine: str, *, wait: float = 0.0, phase: str | None = None) -> EngineState:
        self.asked.append(engine)
        self.now += 2.0 if wait else 0.0
        return self.states.pop(0)

    def begin_realm(self, name: str, **_: Any) -> None:
        self.realms.append(name)


@dataclass
class Shown:
    lines: list[str] = field(default_factory=list)
    ended: bool = False

    def show(self, text: str, seconds: float) -> None:
        self.lines.append(f"{text} {seconds:g}")

    def end(self) -> None:
        self.ended = True


def begin(
    monkeypatch: pytest.MonkeyPatch, *states: EngineState, timeout: str = "300", times: int = 1
) -> tuple[Script, Shown]:
    settings = resolve({"kecs_startup_timeout": timeout}.get, lambda _: None, {})
    environment = Environment(
        settings,
        IDENTITY,
        process="main",
        problem=None,
        failure=lambda: None,
        keep_realm=lambda _: None,
    )
    script, shown = Script(list(states)), Shown()
    monkeypatch.setattr(Environment, "admin", script)
    monkeypatch.setattr("pytest_kecs.environment.seconds", lambda: script.now)
    try:
        for number in range(times):
            environment.begin(f"test {number}", Wishes(), shown)
    finally:
        assert shown.ended
    return script, shown


def starting(phase: str) -> EngineState:
    return EngineState(state="starting", phase=phase)


READY = EngineState(state="ready")


def test_what_is_ready_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    script, shown = begin(monkeypatch, READY, times=2)
    assert script.asked == ["kind"]
    assert script.realms == ["test 0", "test 1"]
    assert shown.lines == []


def test_a_slow_start_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    _, shown = begin(
        monkeypatch, EngineState(state="idle"), starting("creating"), starting(""), READY
    )
    assert shown.lines == ["kind: creating 2", "kind: starting 4"]


def test_a_failed_start_has_the_servers_text(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = EngineState(state="failed", error="kind is not installed")
    with pytest.raises(EnvironmentStartError, match="kind is not installed"):
        begin(monkeypatch, starting("looking"), failed)


def test_a_start_may_not_take_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EnvironmentStartError, match=r"kind was not ready after 4 s \(last: late\)"):
        begin(monkeypatch, *[starting("late")] * 9, timeout="3")
