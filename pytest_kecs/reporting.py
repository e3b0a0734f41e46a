"""What the plugin prints: header, progress of slow starts, failure sections, what was kept."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextlib import contextmanager
from contextlib import nullcontext
from dataclasses import asdict
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import pytest
from _pytest._code.code import ExceptionRepr
from _pytest._code.code import ReprExceptionInfo
from _pytest._code.code import ReprFileLocation
from _pytest._code.code import ReprTracebackNative

from pytest_kecs import diagnosis
from pytest_kecs import junit
from pytest_kecs import recorder
from pytest_kecs.errors import KecsError
from pytest_kecs.machine import other_engines
from pytest_kecs.ownership import KeptRealm
from pytest_kecs.settings import Settings

if TYPE_CHECKING:
    from pytest_kecs.environment import Environment
    from pytest_kecs.ownership import Identity

# Reports travel from xdist's workers to the controller with all their attributes.
_KEPT = "kecs_kept"
_LOG_SECONDS = 5.0
_SHOWN_REALMS = 5


def header(settings: Settings, engine: str, why: str, notes: Sequence[str]) -> list[str]:
    """Engine and region with their sources; what else could be; what was joined."""
    others = other_engines(engine)
    could = f"; this machine could also: {', '.join(others)}" if others else ""
    first = f"kecs: engine {engine} ({why}), region {settings.described('region')}{could}"
    return [first, *(f"kecs: {note}" for note in notes)]


class Progress:
    """Shows how far a slow start is, also while output is captured.

    A terminal gets one line that is written anew; a log gets a line every few seconds. xdist's
    workers have neither.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._terminal = config.pluginmanager.get_plugin("terminalreporter")
        self._capture = config.pluginmanager.get_plugin("capturemanager")
        self._shown: float | None = None

    def show(self, text: str, seconds: float) -> None:
        """:param seconds: since the start began."""
        if self._terminal is None:
            return
        line = f"kecs: {text} ({seconds:.0f} s)"
        with self._uncaptured():
            if self._terminal.isatty:
                # A line that wraps could not be written anew.
                self._terminal.rewrite(line[: get_terminal_size().columns - 1], erase=True)
            elif self._shown is None or seconds - self._shown >= _LOG_SECONDS:
                self._terminal.ensure_newline()
                self._terminal.write_line(line)
            else:
                return
        self._shown = seconds

    def end(self) -> None:
        """What comes next begins on a line of its own."""
        if self._shown is not None and self._terminal is not None and self._terminal.isatty:
            with self._uncaptured():
                self._terminal.line("")

    def _uncaptured(self) -> AbstractContextManager[None]:
        if self._capture is None:
            return nullcontext()
        uncaptured: AbstractContextManager[None] = self._capture.global_and_fixture_disabled()
        return uncaptured


@contextmanager
def shown_at_the_call(error: BaseException | None) -> Iterator[None]:
    """Let an error of botocore be shown where the call was made, not within botocore; with pytest's
    `--full-trace` all is there.
    """
    kinds = type(error).__mro__ if error is not None else ()
    if not any(kind.__module__ == "botocore.exceptions" for kind in kinds):
        yield
        return
    # pytest looks for this name in each frame, among its module's variables too.
    names = ("botocore", "boto3")
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in names]
    with pytest.MonkeyPatch.context() as patch:
        for module in modules:
            patch.setattr(module, "__tracebackhide__", True, raising=False)
        yield


def explain_failure(
    config: pytest.Config,
    report: pytest.TestReport,
    error: str,
    environment: Environment,
) -> None:
    """Add tasks, logs, events and timeline to the text of a failure, but for what the error has
    told already.

    There they are wherever the failure is shown: in the terminal, whatever is captured, in JUnit's
    XML, in an editor. Of a report's own sections JUnit has none unless `junit_logging` is set. What
    happened is in JUnit's `system-out` and on pytest-html's page as well.
    """
    found = _failure_sections(environment)
    happened = dict(found).get(diagnosis.TIMELINE)
    if happened is not None:
        junit.attach(report, f"{diagnosis.TIMELINE} ({report.when})\n{happened}\n")
        if config.pluginmanager.hasplugin("html"):
            recorder.add_extra(report, "text", happened, diagnosis.TIMELINE)
    told = set(error.splitlines())
    sections = [
        (f"{title} ({report.when})", text)
        for title, text in found
        if not told.issuperset(text.splitlines())
    ]
    if not sections:
        return
    if not isinstance(report.longrepr, ExceptionRepr):
        report.longrepr = _as_exception(report)
    for title, text in sections:
        report.longrepr.addsection(title, text)


def _as_exception(report: pytest.TestReport) -> ExceptionRepr:
    """A failure that is a text, or what pytest makes of an unknown fixture, with room for sections.

    Added to the text, they would be in pytest's summary too, which shows it whole on CI.
    """
    path, line, _ = report.location
    text = str(report.longrepr)
    return ReprExceptionInfo(
        ReprTracebackNative([f"{text}\n"]), ReprFileLocation(path, (line or 0) + 1, text)
    )


def _failure_sections(environment: Environment) -> list[tuple[str, str]]:
    log_lines = environment.settings.log_lines
    try:
        report = environment.admin.report(log_lines)
    except KecsError as error:
        return [("kecs server", environment.explain(error))]
    errors = diagnosis.errors_text(environment.recent_log())
    server = [("kecs server errors", errors)] if errors else []
    return [*diagnosis.sections(report, log_lines), *server]


def attach_kept(report: pytest.TestReport, realm: KeptRealm) -> None:
    """Let the owner know by the test's last report that its realm goes on."""
    setattr(report, _KEPT, asdict(realm))


def kept_of(report: pytest.TestReport) -> KeptRealm | None:
    """What `attach_kept` attached, in whichever process."""
    kept = getattr(report, _KEPT, None)
    return None if kept is None else KeptRealm(**kept)


def summarize(
    terminal: pytest.TerminalReporter,
    identity: Identity,
    settings: Settings,
    kept: Sequence[KeptRealm],
    *,
    page: str | None,
) -> None:
    """Say what was kept, how to look in, to use it again, to end it, and when it ends."""
    until = diagnosis.clock_text(time.time() + settings.keep_for)
    terminal.section("kecs: environment kept", sep="-")
    terminal.write_line(f"{identity.name} (engine {identity.engine}) is kept until {until}.")
    for realm in kept[:_SHOWN_REALMS]:
        why = "the last test" if realm.why == "last" else realm.why
        terminal.write_line(f"  {realm.test} ({why}): its tasks run on. To look in:")
        test = shlex.quote(realm.test)
        terminal.write_line(f'    eval "$(kecs env {identity.name} --test {test})"')
        terminal.write_line("    aws ecs list-tasks")
    if len(kept) > _SHOWN_REALMS:
        terminal.write_line(f"  and {len(kept) - _SHOWN_REALMS} more: kecs list")
    if page is not None:
        terminal.write_line(f"To see it in a browser (good once): {page}")
    terminal.write_line("To use it again: run pytest with --kecs-keep-cluster.")
    terminal.write_line(f"To end it: kecs stop {identity.name}")
