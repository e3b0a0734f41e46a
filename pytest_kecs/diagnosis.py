"""Why tasks and services are where they are, as text for a person.

Works on what `GET /_kecs/report` gives: tasks and services as Describe calls return them, the
containers' ports, the timeline, and the end of each container's log; and on the server's own log.
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

TIMELINE = "kecs timeline"
ROWS_SHOWN = 60
"""Of a test's timeline; what came before is only counted."""

STORY_ROWS = 20
"""Of a service's timeline in the text of an error."""

EVENTS_SHOWN = 20
"""Of a service."""

ALIKE_SHOWN = 3
"""Tasks in a row that differ in nothing are shown one by one up to so many."""

_INPUT_SIZE = 100
_SHELL_CODES = {126: "cannot be executed", 127: "command not found"}
# Members of inputs that say nothing to a person.
_UNTOLD = ("clientToken",)

Report = Mapping[str, Any]
Row = Sequence[str]
# How each record of the server's log begins: time and level.
_RECORD = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+ (?=[A-Z]+ )", re.MULTILINE)
_TRACEBACK = "Traceback (most recent call last)"
_ERRORS_SHOWN = 5

_NO_MODULE = "No module named "
_NO_PROGRAM = "executable file not found"
_IN_USE = re.compile(r"EADDRINUSE|address already in use", re.IGNORECASE)


def sections(report: Report, log_lines: int) -> list[tuple[str, str]]:
    """Title and text for each part of the report that has something to tell."""
    parts = [
        ("kecs tasks", _lines(tasks_text(report.get("tasks", ())), advice_text(report))),
        ("kecs logs", logs_text(report, log_lines)),
        ("kecs service events", events_text(report.get("services", ()))),
        (TIMELINE, timeline_text(report.get("timeline", ()), most=ROWS_SHOWN)),
    ]
    return [(title, text) for title, text in parts if text]


def tasks_text(tasks: Sequence[Mapping[str, Any]]) -> str:
    """A line for each task, its reasons below it; of many that are alike, for the first."""
    rows = [_task_row(task) for task in tasks]
    if not rows:
        return ""
    table = _columns([("task", "definition", "status", "stop code", "containers"), *rows])
    lines = [table[0]]
    told = zip(table[1:], rows, map(reasons, tasks), strict=True)
    for _, group in groupby(told, lambda each: (each[1][1:], each[2])):
        alike = list(group)
        shown = alike if len(alike) <= ALIKE_SHOWN else alike[:1]
        for line, _, why in shown:
            lines += [line, *(f"    {reason}" for reason in why)]
        if len(alike) > len(shown):
            lines.append(f"    and {len(alike) - 1} more like it, the last {alike[-1][1][0]}")
    return "\n".join(lines)


def _task_row(task: Mapping[str, Any]) -> Row:
    containers = ", ".join(_container_state(c) for c in task.get("containers", ()))
    definition = last_part(task.get("taskDefinitionArn", "?"))
    status = task.get("lastStatus", "?")
    return short_id(task["taskArn"]), definition, status, task.get("stopCode", "-"), containers


def _container_state(container: Mapping[str, Any]) -> str:
    name, status = container["name"], container.get("lastStatus", "?")
    if "exitCode" in container:
        code = container["exitCode"]
        return f"{name}: exit {code}{_meaning(code)}"
    if status == "STOPPED":
        return f"{name}: stopped, no exit code"
    health = container.get("healthStatus", "UNKNOWN")
    return f"{name}: {status}" if health == "UNKNOWN" else f"{name}: {status} ({health})"


def _meaning(code: int) -> str:
    """What an exit code says that is not a program's own, as shells and Docker have it."""
    if code in _SHELL_CODES:
        return f" ({_SHELL_CODES[code]})"
    try:
        return f" ({signal.Signals(code - 128).name})" if code > 128 else ""
    except ValueError:
        return ""


def reasons(task: Mapping[str, Any]) -> list[str]:
    """Why the task stopped, and what each container's reason is."""
    lines = [f"reason: {task['stoppedReason']}"] if task.get("stoppedReason") else []
    for container in task.get("containers", ()):
        if container.get("reason"):
            lines.append(f"{container['name']}: {container['reason']}")
    return lines


def advice_text(report: Report, task_ids: Collection[str] | None = None) -> str:
    """What containers wait for, and what to write where a program found its port in use, or where
    none is known; of these tasks only if `task_ids` is given, and the same of several once.
    """
    alike: dict[tuple[str, str], list[str]] = {}
    for task in report.get("tasks", ()):
        identifier = last_part(task["taskArn"])
        if task_ids is None or identifier in task_ids:
            for container in task.get("containers", ()):
                for text in _advice(report, identifier, container):
                    alike.setdefault((container["name"], text), []).append(identifier)
    return "\n".join(
        f"{ids[0][:8]} {name}{_others(ids)}: {text}" for (name, text), ids in alike.items()
    )


def _others(task_ids: Sequence[str]) -> str:
    count = len(task_ids) - 1
    return f" (and in {count} more {'tasks' if count > 1 else 'task'})" if count else ""


def _advice(report: Report, task_id: str, container: Mapping[str, Any]) -> Iterator[str]:
    name = container["name"]
    said = "\n".join(report.get("logs", {}).get(task_id, {}).get(name, {}).values())
    if container.get("exitCode") and _IN_USE.search(said):
        ports = report.get("ports", {}).get(task_id, {}).get(name, ())
        yield _port_advice(report, task_id, ports)
    if report.get("engine") == "process" and (
        container.get("exitCode") == 127 or _NO_PROGRAM in container.get("reason", "")
    ):
        yield (
            "its command is not on this machine, where the engine process runs it: install it, or "
            "run the test on a cluster (--kecs-engine=kind)"
        )
    if report.get("engine") == "process" and container.get("exitCode") and _NO_MODULE in said:
        yield (
            "Python looks for modules in pytest's root directory and its src, or where the "
            "definition's PYTHONPATH says, and among what is installed for the tests"
        )
    awaited = report.get("waiting", {}).get(task_id, {}).get(name)
    if awaited:
        yield f"waits for {' and '.join(awaited)}"
    image = report.get("idle", {}).get(task_id, {}).get(name)
    if image is not None:
        yield (
            f"runs nothing, for its definition has no command and its image {image} stands for "
            "none; say what it is by kecs_images or kecs.map_image"
        )


def _port_advice(report: Report, task_id: str, ports: Sequence[int]) -> str:
    which = " or ".join(map(str, ports))
    in_task = task_id in report.get("own_networks", ())
    if in_task or report.get("engine") != "process":
        return (
            f"its port {which} is in use in the {'task' if in_task else 'Pod'}, whose containers "
            "share one localhost, in bridge mode too; let each listen on another port"
        )
    port = ports[0] if ports else "N"
    return (
        f"its port {which} is in use on this machine, which all tasks share; let the program "
        f"listen where it is told, at $KECS_HOST and $KECS_PORT_{port}, in a stand-in {{host}} "
        f"and {{port:{port}}}"
    )


def logs_text(report: Report, log_lines: int, task_ids: Collection[str] | None = None) -> str:
    """The last lines of each container's streams, in the tasks' order, those of several tasks once;
    of these tasks only if `task_ids` is given.
    """
    alike: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    logs = report.get("logs", {}) if log_lines else {}
    for task in [last_part(task["taskArn"]) for task in report.get("tasks", ())]:
        if task_ids is None or task in task_ids:
            for container, streams in logs.get(task, {}).items():
                for stream in ("stdout", "stderr"):
                    lines = tuple(streams.get(stream, "").splitlines()[-log_lines:])
                    if lines:
                        alike.setdefault((container, stream, lines), []).append(task)
    parts = []
    for (container, stream, lines), tasks in alike.items():
        parts.append(f"{tasks[0][:8]} {container} {stream}{_others(tasks)}:")
        parts += [f"    {line}" for line in lines]
    return "\n".join(parts)


def events_text(services: Iterable[Mapping[str, Any]]) -> str:
    """Each service's counts and its last events, the newest last."""
    lines = []
    for service in services:
        counts = (
            f"desired {service.get('desiredCount', '?')}, running "
            f"{service.get('runningCount', '?')}, pending {service.get('pendingCount', '?')}"
        )
        lines.append(f"service {service['serviceName']} {service.get('status', '?')}: {counts}")
        events = service.get("events", ())
        if len(events) > EVENTS_SHOWN:
            lines.append(f"    {len(events) - EVENTS_SHOWN} earlier events are not shown")
        lines += [f"    {event['message']}" for event in reversed(events[:EVENTS_SHOWN])]
    return "\n".join(lines)


def timeline_text(
    entries: Iterable[Mapping[str, Any]],
    about: Collection[str] | None = None,
    most: int | None = None,
    *,
    with_calls: bool = True,
) -> str:
    """Each entry with its distance from the first, in ms; only those `about` these tasks and
    services, if given, and the last rows if there are more than `most`. Equal calls with nothing in
    between are one row.
    """
    entries = list(entries)
    if not entries:
        return ""
    start = entries[0]["at"]
    told = [
        entry
        for entry in entries
        if (about is None or last_part(entry["subject"]) in about)
        and (with_calls or entry["kind"] != "call")
    ]
    runs = [list(run) for _, run in groupby(told, _call_made)]
    shown = runs if most is None else runs[-most:]
    rows = [_timeline_row(run, start) for run in shown]
    earlier = sum(map(len, runs)) - sum(map(len, shown))
    head = [f"{earlier} earlier calls and changes are not shown"] if earlier else []
    return "\n".join([*head, *_columns(rows)])


def _call_made(entry: Mapping[str, Any]) -> tuple[str, str, str] | int:
    """Equal for equal calls with equal ends (a call's text begins with how long it took)."""
    if entry["kind"] != "call":
        return id(entry)
    ending = str(entry["text"]).partition(" ms")[2]
    return str(entry["subject"]), ending, str(entry.get("input"))


def _timeline_row(run: Sequence[Mapping[str, Any]], start: float) -> Row:
    entry = run[0]
    subject, text = str(entry["subject"]), str(entry["text"])
    if entry["kind"] == "call":
        took, unit, ending = text.removeprefix(subject).lstrip().partition(" ms")
        text = f"{took}{unit}{input_text(entry.get('input'))}{ending}"
    else:
        text = text.removeprefix(subject).lstrip() if subject else text
    if len(run) > 1:
        text += f" ({len(run)} times, until {_offset(run[-1], start)})"
    offset = _offset(entry, start).rjust(10)
    return offset, str(entry["kind"]), last_part(subject, 8), text


def input_text(given: str | None) -> str:
    """What a call asked for, in short: its plain members, and how many the others have."""
    try:
        members = json.loads(given) if given else {}
    except ValueError:
        return ""
    if not isinstance(members, dict) or not members:
        return ""
    told = {name: value for name, value in members.items() if name not in _UNTOLD}
    text = " ".join(f"{name}={_value_text(value)}" for name, value in told.items())
    if not text:
        return ""
    return f" {text}" if len(text) <= _INPUT_SIZE else f" {text[: _INPUT_SIZE - 3]}..."


def _value_text(value: Any) -> str:
    if isinstance(value, list):
        is_plain = len(value) == 1 and isinstance(value[0], str | int)
        return _value_text(value[0]) if is_plain else f"[{len(value)}]"
    if isinstance(value, dict):
        return "{...}"
    return last_part(value, 8) if isinstance(value, str) else json.dumps(value)


def _offset(entry: Mapping[str, Any], start: float) -> str:
    return f"+{round((entry['at'] - start) * 1000)} ms"


def errors_text(log: str) -> str:
    """The last of a server log's records that are errors or have a traceback."""
    records = [record.rstrip() for record in _RECORD.split(log)]
    errors = [r for r in records if r.startswith(("ERROR", "CRITICAL")) or _TRACEBACK in r]
    return "\n".join(errors[-_ERRORS_SHOWN:])


def task_story(task: Mapping[str, Any], report: Report, log_lines: int) -> str:
    """All that is known of one task: state, reasons, logs, timeline."""
    task_id = last_part(task["taskArn"])
    parts = [
        tasks_text([task]),
        advice_text(report, [task_id]),
        logs_text(report, log_lines, [task_id]),
        timeline_text(report.get("timeline", ()), [task_id]),
    ]
    return _lines(*parts)


def _lines(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def tasks_of(service: Mapping[str, Any], report: Report) -> list[Mapping[str, Any]]:
    """The service's tasks, ended ones too."""
    group, cluster = f"service:{service['serviceName']}", service.get("clusterArn")
    return [
        task
        for task in report.get("tasks", ())
        if task.get("group") == group and task.get("clusterArn") == cluster
    ]


def service_story(service: Mapping[str, Any], report: Report, log_lines: int) -> str:
    """All that is known of one service: counts, events, its tasks, their logs, the end of its
    timeline.
    """
    tasks = tasks_of(service, report)
    ids = [last_part(task["taskArn"]) for task in tasks]
    about = {service["serviceName"], *ids}
    return _lines(
        events_text([service]),
        tasks_text(tasks),
        advice_text(report, ids),
        logs_text(report, log_lines, ids),
        timeline_text(report.get("timeline", ()), about, STORY_ROWS),
    )


def last_part(arn: str, longest: int | None = None) -> str:
    """What stands after the last slash; ids of 32 digits shortened to `longest`."""
    part = arn.rpartition("/")[2]
    return part[:longest] if longest and len(part) == 32 else part


def short_id(arn: str) -> str:
    return last_part(arn, 8)


def clock_text(epoch: float) -> str:
    """A moment as local wall-clock time."""
    return datetime.fromtimestamp(epoch).strftime("%H:%M:%S")


def _columns(rows: Sequence[Row]) -> list[str]:
    """The rows as lines, each column as wide as its longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
