"""When a waiter's poll is held, and until when."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from kecs_server.protocol import holding
from kecs_server.protocol.holding import Holder
from kecs_server.protocol.holding import is_waiter
from kecs_server.state.realm import Realm

import pytest_kecs

PENDING: Any = {"tasks": [{"lastStatus": "PENDING"}], "failures": []}
RUNNING: Any = {"tasks": [{"lastStatus": "RUNNING"}], "failures": []}
STOPPED: Any = {"tasks": [{"lastStatus": "STOPPED"}], "failures": []}
MISSING: Any = {"tasks": [], "failures": [{"arn": "a", "reason": "MISSING"}]}


class Asked:
    """A waiter's question on a clock that moves only while a poll is held."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.answer = PENDING
        self.becomes: tuple[float, Any] | None = None
        self.holder = Holder()
        self.realm = Realm(id="r", name="r", engine="process", images={}, wake=lambda realm: None)
        monkeypatch.setattr(holding.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(self.realm, "wait", self._wait)

    def _wait(self, since: int, deadline: float) -> int:
        if deadline == 0.0:
            return self.realm.version
        if self.becomes is not None and self.becomes[0] <= deadline:
            self.now, self.answer = self.becomes
            self.becomes = None
        else:
            self.now = deadline
        return self.realm.version

    def poll(self, *, after: float = 2 * holding.CLIENT_DELAY) -> float:
        """Ask once, `after` seconds; returns for how many seconds the poll was held."""
        self.now += after
        began = self.now
        answer = self.holder.answer("q", "DescribeTasks", self.realm, lambda: self.answer)
        assert answer == self.answer
        return round(self.now - began, 6)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


def test_the_first_is_answered_at_once_and_the_next_held_for_the_delay(asked: Asked) -> None:
    assert asked.poll() == 0.0
    assert [asked.poll() for _ in range(3)] == [6.0, 6.0, 6.0]


def test_a_change_ends_the_hold(asked: Asked) -> None:
    asked.poll()
    asked.becomes = (asked.now + 2.5, RUNNING)
    assert asked.poll(after=0.0) == 2.5


def test_what_has_changed_since_is_answered_at_once(asked: Asked) -> None:
    asked.poll()
    asked.answer = RUNNING
    assert asked.poll() == 0.0


def test_a_later_question_is_another_waiters_first(asked: Asked) -> None:
    asked.poll()
    asked.now += holding.FOLLOWS_WITHIN
    assert asked.poll() == 0.0


def test_an_answer_that_ends_some_waiter_is_held_one_repetition_later(asked: Asked) -> None:
    asked.answer = RUNNING
    assert [asked.poll() for _ in range(4)] == [0.0, 0.0, 6.0, 6.0]


def test_what_follows_sooner_than_a_waiter_sleeps_is_another_waiters(asked: Asked) -> None:
    asked.answer = RUNNING
    assert [asked.poll(after=0.005) for _ in range(20)] == [0.0] * 20
    # But it does not go on for ever: several waiters may take turns.
    assert 6.0 in [asked.poll(after=0.005) for _ in range(3)]


def test_an_answer_that_ends_every_waiter_is_never_held(asked: Asked) -> None:
    asked.answer = STOPPED
    assert [asked.poll() for _ in range(4)] == [0.0] * 4


def test_a_missing_task_fails_one_waiter_and_not_the_other(asked: Asked) -> None:
    asked.answer = MISSING
    assert [asked.poll() for _ in range(3)] == [0.0, 0.0, 6.0]


def test_waits_that_follow_each_other_at_once_are_all_told(asked: Asked) -> None:
    for _ in range(2 * holding.HURRIED):
        asked.answer = PENDING
        assert asked.poll() == 0.0
        asked.becomes = (asked.now + 0.3, RUNNING)
        assert asked.poll() == pytest.approx(0.3 - 2 * holding.CLIENT_DELAY)


def test_many_changes_do_not_use_up_the_attempts_of_who_waits_for_another(asked: Asked) -> None:
    asked.answer = RUNNING
    asked.poll()
    held = []
    for number in range(4 * holding.HURRIED):
        some: Any = {"tasks": [*RUNNING["tasks"], *STOPPED["tasks"] * number], "failures": []}
        asked.becomes = (asked.now + 0.3, some)
        held.append(asked.poll())
    assert held.count(6.0) > 2 * holding.HURRIED


def test_an_ended_realm_holds_nobody(asked: Asked) -> None:
    asked.poll()
    asked.realm.end()
    assert asked.poll() == 0.0


def test_a_real_hold_is_woken_by_a_change() -> None:
    realm = Realm(id="r", name="r", engine="process", images={}, wake=lambda realm: None)
    holder = Holder()
    state = {"answer": PENDING}

    def ask() -> Any:
        return state["answer"]

    def change() -> None:
        with realm.changing():
            state["answer"] = RUNNING

    holder.answer("q", "DescribeTasks", realm, ask)
    timer = threading.Timer(0.05, change)
    timer.start()
    assert holder.answer("q", "DescribeTasks", realm, ask) == RUNNING
    timer.join()


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        ("Boto3/1.44 md/Botocore#1.44 m/B,b,Z cfg/retry-mode#legacy Botocore/1.44", True),
        ("Boto3/1.44 m/b,Z Botocore/1.44", False),
        ("m/B", True),
        ("Boto3/1.44 xm/B", False),
        ("", False),
    ],
)
def test_who_is_a_waiter(user_agent: str, expected: bool) -> None:  # noqa: FBT001
    assert is_waiter(user_agent) is expected


def test_the_delay_is_the_one_that_the_plugin_gives_to_waiters() -> None:
    name = "data/ecs/2014-11-13/waiters-2.sdk-extras.json"
    extras = json.loads((Path(pytest_kecs.__file__).parent / name).read_text())
    delays = {waiter["delay"] for waiter in extras["merge"]["waiters"].values()}
    assert delays == {holding.CLIENT_DELAY}
