"""pytest's hooks; each hands on to the module that does the work."""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Any

import pytest

from pytest_kecs import isolation
from pytest_kecs import markers
from pytest_kecs import misreading
from pytest_kecs import opening
from pytest_kecs import settings
from pytest_kecs.fixtures import ecs_client
from pytest_kecs.fixtures import ecs_client_factory
from pytest_kecs.fixtures import kecs

__all__ = ["ecs_client", "ecs_client_factory", "kecs"]


def pytest_addoption(parser: pytest.Parser) -> None:
    settings.add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    misreading.refuse_misread_values(early_config, args, early_config.known_args_namespace)
    # Earlier than pytest_configure: conftests may make clients when they are imported.
    opening.open_environment(early_config, early_config.known_args_namespace)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", markers.DESCRIPTION)
    # For a plugin that was loaded by a conftest.
    opening.open_environment(config, config.option)
    config.pluginmanager.register(ReportListener(config))


def pytest_report_header(config: pytest.Config) -> list[str]:
    return opening.header(config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    opening.hand_over(config)


def pytest_collection_finish(session: pytest.Session) -> None:
    isolation.note_shared_fixtures(session)
    isolation.prepare_engines(session)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, Any, Any]:
    with isolation.around_test(item, is_last=nextitem is None):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    isolation.begin_if_used(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    with isolation.around_fixture(fixturedef, request):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    with isolation.around_makereport(item, call):
        report = yield
    isolation.after_report(item, call, report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    # What there is to explain was made by this module, which is not imported for others.
    if "pytest_kecs.task" not in sys.modules:
        return None
    from pytest_kecs.assertions import explanation

    return explanation(op, left, right)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    # trylast: xdist has ended its workers, and the fixtures of the session are torn down.
    opening.close_environment(session.config)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    opening.summarize(terminalreporter, config)


class ReportListener:
    """Hears the reports of all processes, in the owner; the hook itself is told no config."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None]:
        with opening.around_report(self._config, report):
            return (yield)
