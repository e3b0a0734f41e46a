"""From pytest's options to the run's environment, and its end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kecs_server.credentials import Credentials

from pytest_kecs import __version__
from pytest_kecs import junit
from pytest_kecs import machine
from pytest_kecs import recorder
from pytest_kecs import reporting
from pytest_kecs.environment import Environment
from pytest_kecs.exports import Exporter
from pytest_kecs.exports import aws_variables
from pytest_kecs.isolation import ENVIRONMENT
from pytest_kecs.ownership import Ownership
from pytest_kecs.ownership import received_identity
from pytest_kecs.settings import Settings
from pytest_kecs.settings import resolve

OWNERSHIP = pytest.StashKey[Ownership]()
_ENGINE = pytest.StashKey[tuple[str, str]]()
# With these pytest only shows something and runs no test.
_SHOWING = ("help", "version", "showfixtures", "show_fixtures_per_test", "markers")
_EXPORTED_NOWHERE = pytest.StashKey[bool]()
# Nothing listens on port 1: calls are refused at once.
_NOWHERE = "http://127.0.0.1:1"
_NOBODY = Credentials("KECSSHOWSONLY", "none")


def open_environment(config: pytest.Config, options: Any) -> None:
    """Bind the run's environment, or take the controller's, and set variables if wanted so early.

    :param options: the namespace in which options are at this stage.
    :raises pytest.UsageError: a setting is wrong.
    """
    if ENVIRONMENT in config.stash:
        return
    only_shows = any(getattr(options, name, None) for name in _SHOWING)
    try:
        settings = resolve(lambda name: getattr(options, name, None), config.getini, os.environ)
    except pytest.UsageError:
        if only_shows:
            return
        raise
    if only_shows:
        _export_nowhere(config, settings)
        return
    environment = _received(settings) or _owned(config, settings)
    config.stash[ENVIRONMENT] = environment
    config.add_cleanup(environment.close)
    if settings.env == "early":
        environment.export()


def _export_nowhere(config: pytest.Config, settings: Settings) -> None:
    """Let conftests and test modules make their clients, which have nothing to call."""
    if settings.env != "early" or _EXPORTED_NOWHERE in config.stash:
        return
    exporter = Exporter(os.environ)
    exporter.apply(aws_variables(_NOWHERE, _NOBODY, settings.region))
    config.add_cleanup(exporter.restore)
    config.stash[_EXPORTED_NOWHERE] = True


def _received(settings: Settings) -> Environment | None:
    identity = received_identity(os.environ)
    if identity is None:
        return None
    return Environment(
        settings,
        identity,
        process=os.environ["PYTEST_XDIST_WORKER"],
        problem=None,
        failure=lambda: None,
        keep_realm=lambda realm: None,
    )


def _owned(config: pytest.Config, settings: Settings) -> Environment:
    engine, why = settings.engine, settings.sources["engine"]
    if engine == "auto":
        engine, why = machine.choose_engine()
    ownership = Ownership(settings, engine, config.rootpath, __version__)
    config.add_cleanup(ownership.close)
    ownership.open()
    config.stash[OWNERSHIP] = ownership
    config.stash[_ENGINE] = engine, why
    return Environment(
        settings,
        ownership.identity,
        process="main",
        problem=ownership.problem,
        failure=ownership.failure,
        keep_realm=ownership.keep_realm,
    )


def header(config: pytest.Config) -> list[str]:
    """The header's lines; none where no test is run."""
    if _ENGINE not in config.stash:
        return []
    engine, why = config.stash[_ENGINE]
    notes = config.stash[OWNERSHIP].notes
    return reporting.header(config.stash[ENVIRONMENT].settings, engine, why, notes)


def hand_over(config: pytest.Config) -> None:
    """Before xdist starts workers: give them the environment, and variables as they were."""
    if OWNERSHIP in config.stash:
        config.stash[ENVIRONMENT].unexport()
        config.stash[OWNERSHIP].hand_over(os.environ)


@contextmanager
def around_report(config: pytest.Config, report: pytest.TestReport) -> Iterator[None]:
    """In the owner: remember the realm that a report says is kept, and the recording of its test;
    add to JUnit's.
    """
    if OWNERSHIP not in config.stash:
        yield
        return
    kept = reporting.kept_of(report)
    if kept is not None:
        config.stash[OWNERSHIP].keep_realm(kept)
    saved = recorder.saved_of(report)
    if saved is not None:
        recorder.remember(config, saved)
    with junit.around_report(config, report):
        yield


def close_environment(config: pytest.Config) -> None:
    """At the end of the session, in the owner: end the environment or leave it under its lease."""
    if OWNERSHIP in config.stash:
        config.stash[OWNERSHIP].close()


def summarize(terminal: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell what was recorded and kept."""
    ownership = config.stash.get(OWNERSHIP, None)
    if ownership is None:
        return
    environment = config.stash[ENVIRONMENT]
    root = recorder.place(config, environment)
    if root is not None:
        recorder.summarize(terminal, root)
    if ownership.left_running is not None:
        kept = ownership.left_running
        reporting.summarize(
            terminal, environment.identity, environment.settings, kept, page=ownership.page
        )
