"""Errors that tell all that is known of a task, a service or the environment."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from pytest_kecs.diagnosis import last_part
from pytest_kecs.diagnosis import service_story
from pytest_kecs.diagnosis import short_id
from pytest_kecs.diagnosis import task_story
from pytest_kecs.diagnosis import tasks_of
from pytest_kecs.diagnosis import timeline_text
from pytest_kecs.errors import KecsError
from pytest_kecs.hints import for_clock
from pytest_kecs.hints import for_service
from pytest_kecs.task import Task

if TYPE_CHECKING:
    from pytest_kecs.admin import AdminClient

__tracebackhide__ = True  # as in `kecs`

_CHANGES_SHOWN = 10


class Stories:
    """Makes errors: first what is wrong, then what would have helped, then what happened."""

    def __init__(self, admin: AdminClient, log_lines: int) -> None:
        self._admin = admin
        self._log_lines = log_lines

    def of_task(
        self, kind: type[AssertionError], task: Task, what: str, hints: Sequence[str] = ()
    ) -> AssertionError:
        """:param what: goes on from `task ID (FAMILY:REVISION)`."""
        name = f"task {short_id(task.arn)} ({last_part(task['taskDefinitionArn'])})"
        report = self._report()
        # As it is by now: its logs and its timeline are not older.
        now = [each for each in report.get("tasks", ()) if each["taskArn"] == task.arn]
        story = task_story(now[0] if now else task, report, self._log_lines)
        every = [*hints, *for_clock(report)]
        return kind(_joined(f"{name} {what}", every, story))

    def of_service(
        self,
        kind: type[AssertionError],
        service: Mapping[str, Any],
        what: str,
        hints: Sequence[str] = (),
    ) -> AssertionError:
        """:param what: goes on from `service NAME`."""
        report = self._report()
        about = for_service(service, tasks_of(service, report))
        every = [*hints, *about, *for_clock(report)]
        story = service_story(service, report, self._log_lines)
        return kind(_joined(f"service {service['serviceName']} {what}", every, story))

    def of_all(
        self, kind: type[AssertionError], what: str, hints: Sequence[str] = ()
    ) -> AssertionError:
        """With the last changes in the environment."""
        report = self._report()
        shown = timeline_text(report.get("timeline", ()), most=_CHANGES_SHOWN, with_calls=False)
        story = f"what changed last:\n{shown}" if shown else "nothing changed in the environment"
        return kind(_joined(what, [*hints, *for_clock(report)], story))

    def _report(self) -> Mapping[str, Any]:
        try:
            return self._admin.report(self._log_lines)
        except KecsError:
            return {}  # What is wrong is worth telling without it.


def _joined(what: str, hints: Sequence[str], story: str) -> str:
    return "\n".join([what, *(f"hint: {hint}" for hint in hints), story])
