"""Waits for functions of the test, against a server that says at once that the time is up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_kecs.admin import AdminClient
from pytest_kecs.admin import Waited
from pytest_kecs.errors import ServerGone
from pytest_kecs.predicate_methods import PredicateMethods
from pytest_kecs.stories import Stories
from pytest_kecs.waiting import WaitError
from pytest_kecs.waiting import WaitTimeout

ENTRIES = [
    {"at": 1.0, "kind": "call", "subject": "RunTask", "text": "ok"},
    {"at": 1.5, "kind": "task", "subject": "arn/abc", "text": "RUNNING"},
]


class _Admin(AdminClient):
    """Answers so many waits before it says that the time is up."""

    def __init__(self, waits: int = 1, entries: list[Any] | None = None) -> None:
        self._waits = waits
        self._entries = entries

    def wait(self, since: int, **_: Any) -> Waited:
        self._waits -= 1
        return Waited(version=1, deadline=0.0, timed_out=self._waits <= 0)

    def report(self, log_lines: int) -> dict[str, Any]:
        if self._entries is None:
            raise ServerGone("http://127.0.0.1:1", "is not there")
        return {"timeline": self._entries}


class _Kecs(PredicateMethods):
    def __init__(self, waits: int = 1, entries: list[Any] | None = None) -> None:
        self._admin = _Admin(waits, entries)
        self._stories = Stories(self._admin, 20)


def test_what_the_function_gives_is_returned() -> None:
    given = iter([None, [], "value"])
    assert _Kecs(waits=3).wait_until(lambda: next(given)) == "value"


def test_an_assertion_that_fails_means_not_yet() -> None:
    given = iter([1, 2, 3])

    def is_three() -> bool:
        assert next(given) == 3
        return True

    assert _Kecs(waits=3).wait_until(is_three) is True


def test_what_the_last_call_gave_is_told() -> None:
    def has_come() -> list[int]:
        return []

    text = "has_come did not become true within 2 s: the last of 2 calls gave []"
    with pytest.raises(WaitTimeout, match=re.escape(text)) as caught:
        _Kecs(waits=2, entries=ENTRIES).wait_until(has_come, timeout=2)
    assert "what changed last:\n   +500 ms  task  abc  RUNNING" in str(caught.value)


def test_the_assertion_that_failed_last_is_its_cause() -> None:
    def is_three() -> None:
        assert False, "two\nand more"  # noqa: B011, PT015

    with pytest.raises(WaitTimeout, match="its only call raised AssertionError: two") as caught:
        _Kecs(entries=[]).wait_until(is_three)
    assert "and more" not in str(caught.value)
    assert "nothing changed in the environment" in str(caught.value)
    assert isinstance(caught.value.__cause__, AssertionError)


def test_a_wait_within_that_is_hopeless_ends_it() -> None:
    def hopeless() -> None:
        raise WaitError("will not become RUNNING any more")

    with pytest.raises(WaitError, match="will not become RUNNING"):
        _Kecs(waits=100).wait_until(hopeless)


def test_never() -> None:
    given: Iterator[Any] = iter([0, AssertionError, "", 5])

    def comes() -> Any:
        value = next(given)
        if value is AssertionError:
            raise AssertionError
        return value

    _Kecs(waits=3).assert_never(comes)
    text = r"comes was not to become true within 2 s, but did after \d+ ms: it gave 5"
    with pytest.raises(AssertionError, match=text):
        _Kecs(waits=3).assert_never(comes, within=2)


def test_what_cannot_be_waited_for_is_refused() -> None:
    async def later() -> bool:
        return True

    kecs = _Kecs()
    with pytest.raises(TypeError, match=r"give a function, .*, not False"):
        kecs.wait_until(1 == 2)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="later is asynchronous"):
        kecs.wait_until(later)
    with pytest.raises(ValueError, match="every is a number of seconds above 0, or None, not 0"):
        kecs.assert_never(lambda: False, every=0)


def test_without_a_server_the_rest_is_told() -> None:
    with pytest.raises(WaitTimeout, match="the condition did not become true"):
        _Kecs().wait_until(lambda: False)
