"""A realm of its own for each test that uses ECS, from before its setup to after its report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any
from typing import Literal

import pytest

from pytest_kecs import recorder
from pytest_kecs import reporting
from pytest_kecs.environment import Environment
from pytest_kecs.errors import KecsError
from pytest_kecs.markers import Wishes
from pytest_kecs.markers import read_markers
from pytest_kecs.ownership import KeptRealm
from pytest_kecs.settings import InvalidValue

ENVIRONMENT = pytest.StashKey[Environment]()
FIXTURES = frozenset({"ecs_client", "ecs_client_factory", "kecs"})


@dataclass(slots=True, kw_only=True)
class TestState:
    """What is known of the test that runs. `mistake`: what is wrong with its markers; `outcome` and
    `message`: the worst of its phases so far; `attempt`: how often it was begun.
    """

    __test__ = False

    wishes: Wishes = field(default_factory=Wishes)
    mistake: str | None = None
    is_last: bool = False
    begun: bool = False
    failed: bool = False
    outcome: str = "passed"
    message: str = ""
    attempt: int = 0

    @property
    def ending(self) -> recorder.Ending:
        return recorder.Ending(outcome=self.outcome, message=self.message, attempt=self.attempt)


_CUT = "interrupted"
_STATE = pytest.StashKey[TestState]()
_SHARED = pytest.StashKey[dict[object, set[str]]]()


def uses_ecs(item: pytest.Item) -> bool:
    """Whether the test has our marker or asks for one of our fixtures."""
    if item.get_closest_marker("kecs") is not None:
        return True
    return not FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def environment_of(config: pytest.Config) -> Environment:
    """:raises KeyError: pytest only shows something (`--help`, `--fixtures`)."""
    return config.stash[ENVIRONMENT]


def note_shared_fixtures(session: pytest.Session) -> None:
    """Remember, for each node, which fixtures the tests below it ask for that use ECS."""
    shared: dict[object, set[str]] = {}
    for item in filter(uses_ecs, session.items):
        for node in item.listchain()[:-1]:
            shared.setdefault(node, set()).update(getattr(item, "fixturenames", ()))
    session.config.stash[_SHARED] = shared


@contextmanager
def around_fixture(
    fixture: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Iterator[None]:
    """Let a fixture that a test shares with tests that use ECS find the variables that those have.

    Whichever of them comes first: a client that it makes is for all of them.
    """
    stash = request.config.stash
    environment = stash.get(ENVIRONMENT, None)
    is_shared = _SHARED in stash and fixture.argname in stash[_SHARED].get(request.node, ())
    if environment is None or environment.exported or not is_shared:
        yield
        return
    environment.export()
    try:
        yield
    finally:
        environment.unexport()


def prepare_engines(session: pytest.Session) -> None:
    """Start what the collected tests need and what takes long to start."""
    if _runs_nothing(session.config) or ENVIRONMENT not in session.config.stash:
        return
    environment = environment_of(session.config)
    wanted = {_engine_or_none(environment, item) for item in session.items if uses_ecs(item)}
    environment.prepare(engine for engine in wanted if engine is not None)


def _runs_nothing(config: pytest.Config) -> bool:
    """Whether neither tests nor fixtures are run, though tests are collected."""
    return bool(config.option.collectonly or config.getoption("setupplan", default=False))


def _engine_or_none(environment: Environment, item: pytest.Item) -> str | None:
    try:
        return environment.engine(read_markers(item.iter_markers("kecs")))
    except (InvalidValue, KecsError):
        return None  # The test itself will tell.


@contextmanager
def around_test(item: pytest.Item, *, is_last: bool) -> Iterator[None]:
    """Set the variables that the test is to find, and leave nothing of it behind."""
    environment = environment_of(item.config)
    state = item.stash[_STATE] = _new_state(item, is_last=is_last)
    if uses_ecs(item):
        environment.export(state.wishes.region)
    else:
        environment.unexport()
    try:
        yield
    finally:
        # A realm is left here when the run was interrupted: there was no last report.
        if state.begun:
            recorder.after_interruption(item, environment, replace(state.ending, outcome=_CUT))
        kept = _end(item, interrupted=True)
        if kept is not None:
            environment.keep_realm(kept)
        environment.unexport()


def _new_state(item: pytest.Item, *, is_last: bool) -> TestState:
    try:
        wishes = read_markers(item.iter_markers("kecs"))
    except InvalidValue as error:
        return TestState(mistake=str(error), is_last=is_last)
    return TestState(wishes=wishes, is_last=is_last)


def begin_if_used(item: pytest.Item) -> None:
    """At the start of a setup: give a test that uses ECS its realm, also when it is run again."""
    state = item.stash[_STATE]
    state.begun = state.failed = False
    state.outcome, state.message = "passed", ""
    state.attempt += 1
    if uses_ecs(item) and not _runs_nothing(item.config):
        begin(item)


def begin(item: pytest.Item) -> tuple[Environment, Wishes]:
    """Give the test its realm, unless it has one.

    A fixture that is asked for by `request.getfixturevalue` gets here without `begin_if_used`.

    Fails the test when there is no environment to be had.
    """
    environment, state = environment_of(item.config), item.stash[_STATE]
    if state.mistake is not None:
        pytest.fail(state.mistake, pytrace=False)
    if not state.begun:
        environment.export(state.wishes.region)
        problem = _begin_realm(environment, item, state.wishes)
        if problem is not None:
            # Without a traceback: it would show our code, and the text says it all.
            pytest.fail(problem, pytrace=False)
        state.begun = True
    return environment, state.wishes


def _begin_realm(environment: Environment, item: pytest.Item, wishes: Wishes) -> str | None:
    """Begin the test's realm; returns what went wrong."""
    try:
        environment.begin(item.nodeid, wishes, reporting.Progress(item.config))
    except KecsError as error:
        return f"{type(error).__name__}: {error}"
    return None


@contextmanager
def around_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """While pytest makes the text of a failure."""
    state = item.stash.get(_STATE, None)
    error = call.excinfo.value if call.excinfo is not None else None
    with reporting.shown_at_the_call(error if state is not None and state.begun else None):
        yield


def after_report(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Explain and note failures; after the last phase end the realm, and tell the owner if it is
    kept.
    """
    state = item.stash.get(_STATE, None)
    if state is None:
        return
    if report.failed and not state.failed:
        state.outcome = "failed" if report.when == "call" else "error"
        state.message = recorder.message_of(report)
    elif report.skipped and not state.failed:
        state.outcome = "skipped"
    if state.begun and report.failed and call.excinfo is not None:
        environment = environment_of(item.config)
        reporting.explain_failure(item.config, report, call.excinfo.exconly(), environment)
    state.failed = state.failed or report.failed
    if report.when == "teardown":
        if state.begun:
            recorder.after_test(item, report, environment_of(item.config), state.ending)
        kept = _end(item)
        if kept is not None:
            reporting.attach_kept(report, kept)


def _end(item: pytest.Item, *, interrupted: bool = False) -> KeptRealm | None:
    """End the test's realm if it has one; returns it if it goes on running."""
    state = item.stash[_STATE]
    if not state.begun:
        return None
    state.begun = False
    environment = environment_of(item.config)
    keep = environment.settings.keep_cluster and (interrupted or state.failed or state.is_last)
    try:
        access_key = environment.end(keep=keep)
    except KecsError:
        return None  # The server is gone, and everything with it; the test's report said so.
    if access_key is None:
        return None
    why = _why(interrupted=interrupted, failed=state.failed)
    return KeptRealm(test=item.nodeid, access_key=access_key, why=why)


def _why(*, interrupted: bool, failed: bool) -> Literal["failed", "interrupted", "last"]:
    if interrupted:
        return "interrupted"
    return "failed" if failed else "last"
