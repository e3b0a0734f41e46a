"""One pytest process's use of the run's environment: variables, readiness, realms."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Protocol

from pytest_kecs.errors import EnvironmentStartError
from pytest_kecs.errors import KecsError
from pytest_kecs.errors import ServerGone
from pytest_kecs.exports import REMOVED_NAMES
from pytest_kecs.exports import Exporter
from pytest_kecs.exports import aws_variables
from pytest_kecs.markers import Wishes
from pytest_kecs.settings import Settings
from pytest_kecs.tls import ca_file
from pytest_kecs.waiting import seconds

if TYPE_CHECKING:
    from pytest_kecs.admin import AdminClient
    from pytest_kecs.admin import EngineState
    from pytest_kecs.clients import Clients
    from pytest_kecs.ownership import Identity
    from pytest_kecs.ownership import KeptRealm

# How long one call of /_kecs/prepare may be held, and after how long a start is worth a line.
_POLL_SECONDS = 1.0
_SLOW_SECONDS = 1.0
_LOG_TAIL_LINES = 20


class Progress(Protocol):
    """Shows how far a slow start is."""

    def show(self, text: str, seconds: float) -> None:
        """:param seconds: since the start began."""

    def end(self) -> None:
        """It is over, well or badly."""


class Environment:
    """What a process (the only one, or a worker) does with the environment that `identity` names.

    `problem` says why there is none, when `identity` is None; `failure` why its server is gone.
    `keep_realm` tells the owner of a realm that goes on, where no test's report can.
    """

    def __init__(
        self,
        settings: Settings,
        identity: Identity | None,
        *,
        process: str,
        problem: str | None,
        failure: Callable[[], str | None],
        keep_realm: Callable[[KeptRealm], None],
    ) -> None:
        self.settings = settings
        self.process = process
        self._identity = identity
        self._problem = problem
        self._failure = failure
        self.keep_realm = keep_realm
        self._exporter = Exporter(os.environ)
        self._exported: Mapping[str, str] = {}
        self._admin: AdminClient | None = None
        self._clients: Clients | None = None
        self._ready: set[str] = set()
        self._log_start = 0

    @property
    def identity(self) -> Identity:
        """:raises EnvironmentStartError: there can be no environment here."""
        if self._identity is None:
            raise EnvironmentStartError(self._problem or "there is no ECS environment")
        return self._identity

    @property
    def admin(self) -> AdminClient:
        """The process's client of the environment's `/_kecs` interface."""
        if self._admin is None:
            from pytest_kecs.admin import AdminClient

            identity = self.identity
            self._admin = AdminClient(identity.endpoint, identity.credentials(self.process))
        return self._admin

    @property
    def clients(self) -> Clients:
        """Makes boto3 clients for the environment."""
        if self._clients is None:
            from pytest_kecs.clients import Clients

            identity = self.identity
            credentials = identity.credentials(self.process)
            self._clients = Clients(
                identity.endpoint,
                credentials,
                self.settings.region,
                ca_file=ca_file(identity.directory),
            )
        return self._clients

    def engine(self, wishes: Wishes) -> str:
        """The engine that a test gets."""
        if wishes.engine == "auto":
            from pytest_kecs.machine import choose_engine

            return choose_engine()[0]
        return wishes.engine or self.identity.engine

    @property
    def exported(self) -> bool:
        """Whether the variables lead to the environment at the moment."""
        return self._exporter.applied

    def export(self, region: str | None = None) -> None:
        """Lead AWS clients that this process and its children make to the environment."""
        self.unexport()
        if self._identity is None:
            return
        credentials = self._identity.credentials(self.process)
        region = region or self.settings.region
        self._exported = aws_variables(
            self._identity.endpoint,
            credentials,
            region,
            ca_file=ca_file(self._identity.directory),
        )
        self._exporter.apply(self._exported)

    def unexport(self) -> None:
        """Put the variables back as they were, but leave what others have set since then.

        (A conftest that sets AWS_ACCESS_KEY_ID=testing for moto wants to find it in its tests.)
        """
        if not self._exporter.applied:
            return
        names = (*self._exported, *REMOVED_NAMES)
        changed = {
            name: value
            for name in names
            if (value := os.environ.get(name)) != self._exported.get(name)
        }
        self._exporter.restore()
        self._exported = {}
        for name, value in changed.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def prepare(self, engines: Iterable[str]) -> None:
        """Have slow engines start in the background; what goes wrong is told by `begin`."""
        for engine in sorted(set(engines) - {"process"}):
            try:
                self.admin.prepare(engine)
            except KecsError:
                return

    def begin(self, name: str, wishes: Wishes, progress: Progress) -> None:
        """Let the process's access key stand for a fresh realm.

        :raises EnvironmentStartError: the environment or its engine does not start.
        """
        engine = self.engine(wishes)
        try:
            self._await_ready(engine, progress)
            self._log_start = self._log_size()
            self.admin.begin_realm(
                name,
                account=wishes.account,
                engine=engine,
                aws_endpoint=wishes.aws_endpoint,
                netns=wishes.netns,
                clock=wishes.clock,
                images={**self.settings.images, **wishes.images},
            )
        except ServerGone as error:
            raise EnvironmentStartError(self.explain(error)) from None

    def _await_ready(self, engine: str, progress: Progress) -> None:
        if engine == "process" or engine in self._ready:
            return
        try:
            state = self._started(engine, progress)
        finally:
            progress.end()
        if state.state == "failed":
            raise EnvironmentStartError(state.error or f"the engine {engine} did not start")
        self._ready.add(engine)

    def _started(self, engine: str, progress: Progress) -> EngineState:
        """The engine's state when it starts no longer."""
        began, state = seconds(), self.admin.prepare(engine)
        while state.state in ("idle", "starting"):
            elapsed = seconds() - began
            if elapsed > self.settings.startup_timeout:
                raise EnvironmentStartError(
                    f"the engine {engine} was not ready after {elapsed:.0f} s (last: "
                    f"{state.phase or state.state}); --kecs-startup-timeout allows more"
                )
            if elapsed > _SLOW_SECONDS:
                progress.show(f"{engine}: {state.phase or 'starting'}", elapsed)
            state = self.admin.prepare(engine, wait=_POLL_SECONDS, phase=state.phase)
        return state

    def end(self, *, keep: bool) -> str | None:
        """End the realm; returns the access key that opens it from now on, if it is kept."""
        credentials = self.admin.end_realm(keep=keep)
        return credentials.access_key if credentials is not None else None

    def explain(self, error: KecsError) -> str:
        """Why the server is not there, as far as this process can know."""
        text = self._failure() or str(error)
        if self._identity is None or "log" in text:
            return text
        tail = self._log_from(0).splitlines()[-_LOG_TAIL_LINES:]
        return "\n".join([text, "The end of its log:", *tail]) if tail else text

    def recent_log(self) -> str:
        """What the server has logged since the test began, whichever process's test caused it."""
        return self._log_from(self._log_start)

    def _log_size(self) -> int:
        try:
            return self._log_file.stat().st_size
        except OSError:
            return 0

    def _log_from(self, start: int) -> str:
        try:
            with self._log_file.open("rb") as file:
                file.seek(start)
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""

    @property
    def _log_file(self) -> Path:
        return Path(self.identity.directory, "server.log")

    def close(self) -> None:
        """Put variables back and close connections."""
        self.unexport()
        if self._admin is not None:
            self._admin.close()
