"""What the server knows of a realm, with as many log lines as are wanted, secrets hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from pytest_kecs.errors import AdminError

if TYPE_CHECKING:
    from pytest_kecs.admin import AdminClient

# The server's report has that many lines of each stream.
_REPORTED_LINES = 20


def realm_story(admin: AdminClient, log_lines: int) -> dict[str, Any]:
    """The realm as `pytest_kecs.diagnosis` reads it."""
    report = admin.report()
    if log_lines > _REPORTED_LINES:
        report["logs"] = {task: _logs(admin, task) for task in report.get("logs", {})}
    return report


def _logs(admin: AdminClient, task: str) -> dict[str, dict[str, str]]:
    try:
        logs = admin.logs(task, masked=True)
    except AdminError:
        return {}  # The task was forgotten since the report was made.
    return {log.name: {"stdout": log.stdout, "stderr": log.stderr} for log in logs}
