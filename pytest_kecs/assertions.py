"""How a stopped task differs from what a test asserts of it."""

from __future__ import annotations

import re

from pytest_kecs.task import Task

__tracebackhide__ = True  # as in `kecs`


def differences(
    task: Task,
    exit_code: int | None,
    container: str | None,
    stop_code: str | None,
    reason: str | re.Pattern[str] | None,
) -> list[str]:
    """What is not as asked; None asks for nothing.

    :raises ValueError: it is not clear which container is meant.
    """
    wrong = []
    if exit_code is not None or container is not None:
        name = _container_name(task, container)
        actual = task.exit_codes.get(name)
        if exit_code is not None and actual != exit_code:
            had = "never had an exit code" if actual is None else f"had the exit code {actual}"
            wrong.append(f"the container {name} {had}, not {exit_code}")
    if stop_code is not None and task.stop_code != stop_code:
        wrong.append(f"its stop code is {task.stop_code}, not {stop_code}")
    if reason is not None and not any(_matches(reason, text) for text in _reasons(task)):
        sought = reason.pattern if isinstance(reason, re.Pattern) else reason
        wrong.append(f"no reason has {sought!r} in it")
    return wrong


def _container_name(task: Task, container: str | None) -> str:
    names = list(task.containers)
    if container in names:
        return str(container)
    if container is None and len(names) == 1:
        return names[0]
    what = "say which container" if container is None else f"there is no container {container!r}"
    raise ValueError(f"{what}; the task has {', '.join(names)}")


def _reasons(task: Task) -> list[str]:
    texts = [task.stopped_reason, *(c.get("reason") for c in task.containers.values())]
    return [text for text in texts if text]


def _matches(reason: str | re.Pattern[str], text: str) -> bool:
    return reason.search(text) is not None if isinstance(reason, re.Pattern) else reason in text
