"""Waits for what a test says itself, as a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Generic
from typing import TypeVar

from pytest_kecs.stories import Stories
from pytest_kecs.waiting import WaitError
from pytest_kecs.waiting import WaitTimeout
from pytest_kecs.waiting import seconds
from pytest_kecs.waiting import wait_until

if TYPE_CHECKING:
    from pytest_kecs.admin import AdminClient

__tracebackhide__ = True  # as in `kecs`

PREDICATE_SECONDS = 30.0
NEVER_SECONDS = 1.0
EVERY_SECONDS = 1.0
_SHOWN_LENGTH = 200

Found = TypeVar("Found")


@dataclass(slots=True)
class _Came(Generic[Found]):
    """What the predicate gave when it came true."""

    value: Found


class PredicateMethods:
    """What `kecs` offers to wait for anything at all, and to assert that it does not come."""

    _admin: AdminClient
    _stories: Stories

    def wait_until(
        self,
        predicate: Callable[[], Found | None],
        timeout: float = PREDICATE_SECONDS,
        *,
        every: float | None = EVERY_SECONDS,
    ) -> Found:
        """Wait until the function gives something that is true, and return that.

        It is called now, at each change in the test's environment, and for what is not of that (a
        file, an answer, a log) after `every` seconds without one; None: not for that. An assertion
        that fails in it means not yet; `WaitError` of a wait in it ends this one too.

        :raises WaitTimeout: it was not for `timeout` seconds.
        :raises TypeError: it is not a function, or an asynchronous one.
        """
        condition = _Condition(predicate, every)
        came = wait_until(self._admin, condition.look, timeout, every=every)
        if came is not None:
            return came.value
        what = f"{condition.name} did not become true within {timeout:g} s: {condition.last}"
        raise self._stories.of_all(WaitTimeout, what) from condition.error

    def assert_never(
        self,
        predicate: Callable[[], object],
        within: float = NEVER_SECONDS,
        *,
        every: float | None = EVERY_SECONDS,
    ) -> None:
        """Assert that the function gives nothing that is true for `within` seconds of real time; it
        is called as for `wait_until`, and once at the end. What is true for a moment alone, between
        two changes, is not seen: `assert kecs.events(...) == []` knows of all of them.
        """
        condition = _Condition(predicate, every)
        began = seconds()
        came = wait_until(self._admin, condition.look, within, every=every)
        if came is not None:
            what = (
                f"{condition.name} was not to become true within {within:g} s, but did after "
                f"{(seconds() - began) * 1000:.0f} ms: it gave {_shown(came.value)}"
            )
            raise self._stories.of_all(AssertionError, what)


class _Condition(Generic[Found]):
    """A function of the test; `last` says how the last of its calls ended, `error` what it raised.

    :raises TypeError: it is not a function.
    """

    def __init__(self, predicate: Callable[[], Found | None], every: float | None) -> None:
        if not callable(predicate):
            raise TypeError(
                f"give a function, which can be called again: lambda: ..., not {_shown(predicate)}"
            )
        if every is not None and not every > 0:
            raise ValueError(f"every is a number of seconds above 0, or None, not {every!r}")
        name = getattr(predicate, "__name__", "<lambda>")
        self.name = "the condition" if name == "<lambda>" else name
        self.error: AssertionError | None = None
        self.last = ""
        self._predicate = predicate
        self._calls = 0

    def look(self) -> _Came[Found] | None:
        self._calls += 1
        try:
            value = self._predicate()
        except WaitError:
            raise
        except AssertionError as error:
            self.error = error
            said = f": {str(error).splitlines()[0]}" if str(error) else ""
            self._tell(f"raised {type(error).__name__}{said}")
            return None
        if inspect.isawaitable(value):
            if inspect.iscoroutine(value):
                value.close()
            raise TypeError(f"{self.name} is asynchronous; give a function that gives its result")
        self.error = None
        self._tell(f"gave {_shown(value)}")
        return _Came(value) if value else None

    def _tell(self, how: str) -> None:
        which = "its only call" if self._calls == 1 else f"the last of {self._calls} calls"
        self.last = f"{which} {how}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[: _SHOWN_LENGTH - 3]}..."
