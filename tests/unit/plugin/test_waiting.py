"""The loop behind the waits, against a scripted server."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

import pytest

from pytest_kecs.waiting import WaitError
from pytest_kecs.waiting import WaitTimeout
from pytest_kecs.waiting import wait_until


@dataclass
class Answer:
    version: int
    deadline: float = 42.0
    timed_out: bool = False


@dataclass
class Script:
    """Gives the answers in turn and notes what it was asked."""

    answers: list[Answer]
    asked: list[tuple[int, float, float | None]] = field(default_factory=list)
    at_most: float | None = None

    def wait(
        self,
        since: int,
        *,
        timeout: float,
        deadline: float | None = None,
        at_most: float | None = None,
    ) -> Answer:
        self.asked.append((since, timeout, deadline))
        self.at_most = at_most
        return self.answers.pop(0)


def test_what_is_there_already_needs_no_wait() -> None:
    script = Script([Answer(7)])
    assert wait_until(script, lambda: "found", 5.0) == "found"
    assert script.asked == [(-1, 5.0, None)]


def test_each_wait_begins_at_the_version_read_before_the_look() -> None:
    script = Script([Answer(7), Answer(9), Answer(12)])
    looks = iter([None, None, "found"])
    assert wait_until(script, lambda: next(looks), 5.0) == "found"
    assert script.asked == [(-1, 5.0, None), (7, 5.0, 42.0), (9, 5.0, 42.0)]


def test_after_the_deadline_it_looks_once_more() -> None:
    script = Script([Answer(7), Answer(7, timed_out=True)])
    looks = iter([None, "late"])
    assert wait_until(script, lambda: next(looks), 5.0) == "late"


def test_the_deadline_ends_it() -> None:
    assert wait_until(Script([Answer(7), Answer(7, timed_out=True)]), lambda: None, 5.0) is None


def test_it_looks_again_without_a_change_if_asked_to() -> None:
    script = Script([Answer(7), Answer(7), Answer(7, timed_out=True)])
    looks = iter([None, None, "last"])
    assert wait_until(script, lambda: next(looks), 5.0, every=0.5) == "last"
    assert script.at_most == 0.5


def test_a_look_may_end_it_early() -> None:
    def look() -> None:
        raise WaitError("never")

    with pytest.raises(WaitError, match="never"):
        wait_until(Script([Answer(7)]), look, 5.0)


def test_its_errors_are_assertions() -> None:
    assert issubclass(WaitTimeout, WaitError)
    assert issubclass(WaitError, AssertionError)
