"""The one loop behind every wait: look, and look again only when something has changed.

The deadline is kept by the server's clock, not by ours: a test may have frozen time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol
from typing import TypeVar

from pytest_kecs.errors import KecsError

__tracebackhide__ = True  # as in `kecs`

Found = TypeVar("Found")


class WaitError(KecsError, AssertionError):
    """A state did not come, or can no longer come; the text says why, and shows logs and events."""


class WaitTimeout(WaitError):
    """A state did not come within the time given."""


class Change(Protocol):
    """What a long-poll tells: the state's version, and the deadline to pass on to the next one."""

    @property
    def version(self) -> int: ...
    @property
    def deadline(self) -> float: ...
    @property
    def timed_out(self) -> bool: ...


class Changes(Protocol):
    """Something that can hold a caller until its state changes (an `AdminClient`)."""

    def wait(
        self,
        since: int,
        *,
        timeout: float,
        deadline: float | None = None,
        at_most: float | None = None,
    ) -> Change:
        """Return when the state's version is above `since`, or the deadline has passed, or
        `at_most` seconds have.
        """


def wait_until(
    changes: Changes,
    look: Callable[[], Found | None],
    timeout: float,
    *,
    every: float | None = None,
) -> Found | None:
    """Call `look` now and after each change, until it returns something; None: `timeout` is over.

    `look` raises what must end the wait early. It is called again after `every` seconds without a
    change as well, for what may become true without one.
    """
    # The version is read before each look: a change in between ends the next long-poll at once.
    change = changes.wait(-1, timeout=timeout)
    while True:
        found = look()
        if found is not None or change.timed_out:
            return found
        change = changes.wait(
            change.version, timeout=timeout, deadline=change.deadline, at_most=every
        )


def seconds() -> float:
    """A clock that stands still in no test: libraries that freeze time replace time.monotonic, and
    leave this one alone.
    """
    return time.clock_gettime(time.CLOCK_MONOTONIC)
