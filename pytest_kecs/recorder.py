"""The flight recorder of a test: what happened, kept as a folder when the test is over.

A recording that cannot be written fails no test: the end of the run says what is missing, and why.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from pytest_kecs.errors import KecsError

if TYPE_CHECKING:
    from pytest_kecs.environment import Environment
    from pytest_kecs.recording_files import Recorded

# Reports travel from xdist's workers to the controller with all their attributes.
_SAVED = "kecs_recording"
_PROPERTY = "kecs_recording"
_MESSAGE_SIZE = 4000
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A recording that was to be written: its folder if there is one, and what went wrong."""

    test: str
    failed: bool
    folder: str | None
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a test ended: the worst of its phases, what that said, and how often the test was begun.
    `outcome`: passed, skipped, failed, error (outside of its call) or interrupted.
    """

    outcome: str
    message: str
    attempt: int


_ALL = pytest.StashKey[list[Saved]]()


def place(config: pytest.Config, environment: Environment) -> Path | None:
    """The folder of all recordings; None: none is made.

    From the ini file it is relative to pytest's root directory, else to where pytest was started.
    """
    settings = environment.settings
    if settings.artifacts is None or settings.artifacts_mode == "off":
        return None
    is_ini = settings.sources.get("artifacts") == "ini"
    base = config.rootpath if is_ini else config.invocation_params.dir
    return Path(base, settings.artifacts)


def after_test(
    item: pytest.Item, report: pytest.TestReport, environment: Environment, ending: Ending
) -> None:
    """At the last report of a test's run, while its realm is still there: keep what is to be kept,
    and let the report tell.
    """
    saved = _keep(item, environment, ending)
    if saved is not None:
        _attach(item, report, saved)


def after_interruption(item: pytest.Item, environment: Environment, ending: Ending) -> None:
    """As `after_test`, where no report will come."""
    saved = _keep(item, environment, ending)
    if saved is not None:
        remember(item.config, saved)


def remember(config: pytest.Config, saved: Saved) -> None:
    """In the process that tells of it at the end."""
    config.stash.setdefault(_ALL, []).append(saved)


def _keep(item: pytest.Item, environment: Environment, ending: Ending) -> Saved | None:
    """What was kept; None: nothing was to be."""
    root = place(item.config, environment)
    if root is None:
        return None
    from pytest_kecs import recording_files

    run = environment.identity.run_id
    failed = ending.outcome in ("failed", "error", "interrupted")
    folder: Path | None = None
    problem: str | None = None
    try:
        if failed or environment.settings.artifacts_mode == "on":
            test = {
                **asdict(ending),
                "nodeid": item.nodeid,
                "message": ending.message[:_MESSAGE_SIZE],
                "process": environment.process,
                "run": run,
            }
            folder, problem = recording_files.save(root, _recorded(environment, test))
        else:
            recording_files.discard(root, item.nodeid, run)
            return None
    except OSError as error:
        problem = f"{error.filename or root}: {error.strerror}"
    except KecsError as error:
        problem = str(error)
    where = None if folder is None else str(folder)
    return Saved(test=item.nodeid, failed=failed, folder=where, problem=problem)


def _recorded(environment: Environment, test: dict[str, Any]) -> Recorded:
    """:raises KecsError: the server is gone."""
    from pytest_kecs.recording_files import Recorded

    recording = environment.admin.recording()
    logs = {
        task["id"]: {
            container["name"]: environment.admin.log_end(task["id"], container["name"])
            for container in task["containers"]
        }
        for task in recording["tasks"]
    }
    return Recorded(test=test, recording=recording, logs=logs)


def message_of(report: pytest.TestReport) -> str:
    """What a failure says, without its traceback."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(getattr(crash, "message", None) or report.longrepr or "")


def _attach(item: pytest.Item, report: pytest.TestReport, saved: Saved) -> None:
    setattr(report, _SAVED, asdict(saved))
    if saved.folder is None:
        return
    report.user_properties.append((_PROPERTY, saved.folder))
    if item.config.pluginmanager.hasplugin("html"):
        add_extra(report, "url", _link(item.config, saved.folder), "kecs recording")


def _link(config: pytest.Config, folder: str) -> str:
    """From pytest-html's report to the page."""
    page = Path(folder, "index.html")
    report = getattr(config.option, "htmlpath", None)
    if not report:
        return page.as_uri()
    base = Path(config.invocation_params.dir, report).parent
    return os.path.relpath(page, base).replace(os.sep, "/")


def add_extra(report: pytest.TestReport, kind: str, content: str, name: str) -> None:
    """What pytest-html shows with a test: a link (`url`) or a text (`text`)."""
    extra = {
        "name": name,
        "format_type": kind,
        "content": content,
        "mime_type": "text/plain" if kind == "text" else None,
        "extension": "txt" if kind == "text" else None,
    }
    report.extras = [*getattr(report, "extras", ()), extra]  # type: ignore[attr-defined]


def saved_of(report: pytest.TestReport) -> Saved | None:
    """What `after_test` attached, in whichever process."""
    saved = getattr(report, _SAVED, None)
    return None if saved is None else Saved(**saved)


def summarize(terminal: pytest.TerminalReporter, root: Path) -> None:
    """Say where recordings are, and which are missing or lack something, and why."""
    saved = terminal.config.stash.setdefault(_ALL, [])
    written = [each for each in saved if each.folder is not None]
    pages = [Path(str(each.folder), "index.html") for each in written if each.failed]
    problems = [each for each in saved if each.problem is not None]
    if not saved:
        return
    terminal.section("kecs: recordings", sep="-")
    if written:
        tests = "1 test" if len(written) == 1 else f"{len(written)} tests"
        terminal.write_line(
            f"Of {tests} in {root}. To look at them: kecs report {shlex.quote(str(root))}"
        )
        _list(terminal, [str(page) for page in pages if page.exists()])
    if problems:
        tests = "1 test" if len(problems) == 1 else f"{len(problems)} tests"
        terminal.write_line(f"NOT written, or not all, of {tests}:", red=True)
        _list(terminal, [f"{each.test}: {each.problem}" for each in problems])


def _list(terminal: pytest.TerminalReporter, lines: Iterable[str]) -> None:
    lines = list(lines)
    for line in lines[:_SHOWN]:
        terminal.write_line(f"  {line}")
    if len(lines) > _SHOWN:
        terminal.write_line(f"  and {len(lines) - _SHOWN} more")
