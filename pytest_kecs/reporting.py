"""What the plugin prints: header, progress of slow starts, failure sections, what was kept."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING
from typing import Literal

import pytest

from pytest_kecs import diagnosis
from pytest_kecs.errors import KecsError
from pytest_kecs.machine import other_engines
from pytest_kecs.ownership import KeptRealm
from pytest_kecs.settings import Settings
from pytest_kecs.story import realm_story

if TYPE_CHECKING:
    from pytest_kecs.environment import Environment
    from pytest_kecs.ownership import Identity

Phase = Literal["collect", "setup", "call", "teardown"]
# Reports travel from xdist's workers to the controller with all their attributes.
_KEPT = "kecs_kept"


def header(settings: Settings, engine: str, why: str, notes: Sequence[str]) -> list[str]:
    """Engine and region with their sources; what else could be; what was joined."""
    others = other_engines(engine)
    could = f"; this machine could also: {', '.join(others)}" if others else ""
    first = f"kecs: engine {engine} ({why}), region {settings.described('region')}{could}"
    return [first, *(f"kecs: {note}" for note in notes)]


def progress(config: pytest.Config) -> Callable[[str], None]:
    """A function that shows a line on the terminal now, also while output is captured.

    xdist's workers have no terminal: there it shows nothing.
    """
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")

    def show(line: str) -> None:
        if terminal is None:
            return
        if capture is None:
            terminal.write_line(line)
            return
        with capture.global_and_fixture_disabled():
            terminal.ensure_newline()
            terminal.write_line(line)

    return show


def add_sections(
    item: pytest.Item,
    when: Literal["collect", "setup", "call", "teardown"],
    environment: Environment,
) -> None:
    """Add tasks, logs, events and timeline to the test's sections.

    Only sections that exist before the report is made, and only those that are named as streams,
    get into JUnit's XML.
    """
    try:
        report = realm_story(environment.admin, environment.settings.log_lines)
    except KecsError as error:
        item.add_report_section(when, "stdout kecs server", environment.explain(error) + "\n")
        return
    for title, text in diagnosis.sections(report, environment.settings.log_lines):
        item.add_report_section(when, f"stdout {title}", text + "\n")


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
) -> None:
    """Say what was kept, how to look in, to use it again, to end it, and when it ends."""
    until = diagnosis.clock_text(time.time() + settings.keep_for)
    terminal.section("kecs: environment kept", sep="-")
    terminal.write_line(f"{identity.name} (engine {identity.engine}) is kept until {until}.")
    for realm in kept:
        why = "the last test" if realm.why == "last" else realm.why
        terminal.write_line(f"  {realm.test} ({why}): its tasks run on. To look in:")
        test = shlex.quote(realm.test)
        terminal.write_line(f'    eval "$(kecs env {identity.name} --test {test})"')
        terminal.write_line("    aws ecs list-tasks")
    terminal.write_line("To use it again: run pytest with --kecs-keep-cluster.")
    terminal.write_line(f"To end it: kecs stop {identity.name}")
