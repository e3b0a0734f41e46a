"""How a task differs from what a test asserts of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_kecs.diagnosis import tasks_text
from pytest_kecs.task import Fact
from pytest_kecs.task import Task

__tracebackhide__ = True  # as in `kecs`

Text = str | re.Pattern[str]
"""What a text has in it, or a compiled pattern that is found in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a task is to end; None asks for nothing. `exit_code` is that of `container`; `reason` is
    in the reason of the task or of a container.
    """

    exit_code: int | None = None
    container: str | None = None
    stop_code: str | None = None
    reason: Text | None = None

    def differences(self, task: Task) -> list[str]:
        """What is not as asked and can no longer become so.

        :raises ValueError: it is not clear which container is meant.
        """
        wrong = []
        if self.exit_code is not None or self.container is not None:
            name = container_name(task, self.container)
            difference = code_difference(task, name, self.exit_code)
            wrong += [difference] if difference else []
        if self.stop_code is not None and task.stop_code not in (None, self.stop_code):
            wrong.append(f"its stop code is {task.stop_code}, not {self.stop_code}")
        wanted, told = self.reason, _reasons(task)
        if wanted is not None and task.last_status == "STOPPED" and not _any_has(wanted, told):
            wrong.append(f"no reason has {shown(wanted)} in it")
        return wrong


def code_difference(task: Task, container: str, exit_code: int | None) -> str | None:
    """How the container's end differs; None: it has not ended, or as asked."""
    if exit_code is None or task.containers[container].get("lastStatus") != "STOPPED":
        return None
    actual = task.exit_codes.get(container)
    if actual == exit_code:
        return None
    had = "never had an exit code" if actual is None else f"had the exit code {actual}"
    return f"the container {container} {had}, not {exit_code}"


def container_name(task: Task, container: str | None) -> str:
    """:raises ValueError: it is not clear which container is meant."""
    names = list(task.containers)
    if container in names:
        return str(container)
    if container is None and len(names) == 1:
        return names[0]
    what = "say which container" if container is None else f"there is no container {container!r}"
    raise ValueError(f"{what}; the task has {', '.join(names)}")


def _any_has(wanted: Text, texts: list[str]) -> bool:
    return any(has(wanted, text) for text in texts)


def has(wanted: Text, text: str) -> bool:
    return wanted.search(text) is not None if isinstance(wanted, re.Pattern) else wanted in text


def shown(wanted: Text) -> str:
    return repr(wanted.pattern if isinstance(wanted, re.Pattern) else wanted)


def _reasons(task: Task) -> list[str]:
    texts = [task.stopped_reason, *(c.get("reason") for c in task.containers.values())]
    return [text for text in texts if text]


_WAITS = {
    "RUNNING": "kecs.assert_running(task)",
    "STOPPED": "kecs.assert_stopped(task)",
    "HEALTHY": "kecs.assert_healthy(task)",
}


def explanation(op: str, left: object, right: object) -> list[str] | None:
    """What pytest shows of a comparison with a task's status, stop code, reason or exit code that
    failed; None: it is no such thing.
    """
    fact = next((each for each in (left, right) if isinstance(each, Fact)), None)
    if fact is None:
        return None
    other = right if fact is left else left
    lines = [f"{left!r} {op} {right!r}", *tasks_text([fact.task]).splitlines()]
    if fact.task.last_status != "STOPPED":
        wait = _WAITS.get(other) if isinstance(other, str) else None
        waits = f", {wait} waits" if wait else ""
        lines.append(f"hint: a Task does not change; kecs.describe(task) looks again{waits}")
    return lines
