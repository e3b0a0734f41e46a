"""Who owns the run's environment: the process that starts it, joins a kept one, and ends it.

Under xdist that is the controller; a worker is told of the environment by `Identity`.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
import threading
import time
from collections.abc import Mapping
from collections.abc import MutableMapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Literal

from kecs_server.credentials import Credentials
from kecs_server.credentials import derive_credentials
from kecs_server.credentials import secret_of

from pytest_kecs.errors import KecsError
from pytest_kecs.settings import Settings

if TYPE_CHECKING:
    from pytest_kecs.launcher import Launcher
    from pytest_kecs.launcher import LaunchOptions
    from pytest_kecs.registry import EnvironmentRecord

# How the controller of a distributed run tells its workers. Never set for other processes.
HANDOVER = "PYTEST_KECS_HANDOVER"
_ENDING_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a process must know of the run's environment to use it. `pid` is the owner's."""

    pid: int
    name: str
    directory: str
    endpoint: str
    run_secret: str
    run_id: str
    engine: str

    def credentials(self, process: str) -> Credentials:
        """The access key of one process of the run (`main`, `gw0`, ...)."""
        return derive_credentials(self.run_secret, f"{self.run_id}/{process}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRealm:
    """A realm that goes on running, and why. `last`: it is only the last one of its process."""

    test: str
    access_key: str
    why: Literal["failed", "interrupted", "last"]


def received_identity(environ: MutableMapping[str, str]) -> Identity | None:
    """What the controller handed over, if this process is its worker; can be read once.

    A pytest that a worker's test starts is a run of its own, though it inherits variables.
    """
    text = environ.pop(HANDOVER, None)
    if text is None or "PYTEST_XDIST_WORKER" not in environ:
        return None
    identity = Identity(**json.loads(text))
    return identity if identity.pid == os.getppid() else None


class Ownership:
    """The owner's side of the environment.

    `identity` is None where there can be no environment; `problem` then says why.
    `notes` are lines for the header: what was joined, or not, and why. `left_running` has the
    realms that go on after the end, if the environment was kept; a browser sees them at `page`.
    """

    def __init__(self, settings: Settings, engine: str, rootdir: Path, version: str) -> None:
        self._settings = settings
        self._engine = engine
        self._rootdir = rootdir
        self._version = version
        self._launcher: Launcher | None = None
        self._joined: EnvironmentRecord | None = None
        self._kept: list[KeptRealm] = []
        self.identity: Identity | None = None
        self.problem: str | None = None
        self.notes: list[str] = []
        self.left_running: list[KeptRealm] | None = None
        self.page: str | None = None
        self._ending: threading.Thread | None = None

    def open(self) -> None:
        """Bind an environment, or join a kept one; nothing is started."""
        if sys.platform == "win32":
            self.problem = (
                "pytest-kecs cannot run ECS environments on Windows: they need Linux or macOS. "
                "Tests that do not use ECS run as always; for the others use WSL or a container."
            )
            return
        try:
            options = self._options()
            if not (self._settings.keep_cluster and self._join(options)):
                self._bind(options)
        except KecsError as error:
            self.problem = str(error)

    def _options(self) -> LaunchOptions:
        from pytest_kecs.launcher import LaunchOptions

        settings = self._settings
        return LaunchOptions(
            engine=self._engine,
            region=settings.region,
            images=settings.images,
            rootdir=str(self._rootdir),
            interpreter=sys.executable,
            kubeconfig=settings.kubeconfig,
            context=settings.context,
            namespace=settings.namespace,
            kind_image=settings.kind_image,
            aws_endpoint=settings.aws_endpoint,
            tls=settings.tls,
            strict_time=settings.strict_time,
            pid1=settings.pid1,
            netns=settings.netns,
            netns_reach=settings.netns_reach,
            cgroup=settings.cgroup,
        )

    def _bind(self, options: LaunchOptions) -> None:
        from pytest_kecs.launcher import Launcher

        launcher = Launcher(options, version=self._version)
        launcher.bind()
        launcher.activate_on_connect()
        self._launcher = launcher
        self.identity = Identity(
            pid=os.getpid(),
            name=launcher.name,
            directory=str(launcher.directory),
            endpoint=launcher.endpoint,
            run_secret=launcher.run_secret,
            run_id=secrets.token_hex(4),
            engine=self._engine,
        )

    def _join(self, options: LaunchOptions) -> bool:
        from pytest_kecs import registry

        for record in reversed(registry.read_all()):
            if not record.kept or not registry.is_alive(record):
                continue
            if record.version != self._version:
                self._note_unjoined(record, f"it was made by version {record.version}")
            elif record.fingerprint != options.fingerprint():
                self._note_unjoined(record, "it was made with other settings")
            elif self._take_over(record):
                self.notes.append(f"joined the kept environment {record.name}")
                return True
        return False

    def _note_unjoined(self, record: EnvironmentRecord, why: str) -> None:
        if record.rootdir == str(self._rootdir):
            self.notes.append(
                f"the kept environment {record.name} (engine {record.engine}) is not joined: {why}"
            )

    def _take_over(self, record: EnvironmentRecord) -> bool:
        from pytest_kecs import registry
        from pytest_kecs.admin import AdminClient

        identity = Identity(
            pid=os.getpid(),
            name=record.name,
            directory=record.directory,
            endpoint=record.endpoint,
            run_secret=record.run_secret,
            run_id=secrets.token_hex(4),
            engine=record.engine,
        )
        try:
            with AdminClient(record.endpoint, identity.credentials("main")) as admin:
                admin.lease(None, owner_pid=identity.pid)
            registry.write(_owned(record, identity.pid))
        except (KecsError, FileNotFoundError) as error:
            self._note_unjoined(record, str(error))
            return False
        self._joined, self.identity = record, identity
        return True

    def hand_over(self, environ: MutableMapping[str, str]) -> None:
        """Let worker processes that are started from now on know the environment."""
        if self.identity is not None:
            environ[HANDOVER] = json.dumps(asdict(self.identity))

    def keep_realm(self, realm: KeptRealm) -> None:
        """Remember a realm that goes on after the run."""
        self._kept.append(realm)

    def failure(self) -> str | None:
        """Why the server, which does not answer any more, is not there; None: it cannot be told."""
        launcher = self._launcher
        if launcher is None:
            return None
        if launcher.started and self._ending is None:
            self._ending = threading.Thread(target=launcher.wait, name="kecs-ending", daemon=True)
            self._ending.start()
        if self._ending is not None:
            # Connections break a moment before the process has ended.
            self._ending.join(_ENDING_SECONDS)
        return launcher.failure()

    def close(self) -> None:
        """End the environment, or leave it under its lease; the second call does nothing."""
        launcher, joined = self._launcher, self._joined
        self._launcher = self._joined = None
        started = joined is not None or (launcher is not None and launcher.started)
        try:
            if self._settings.keep_cluster and started and self.identity is not None:
                self.left_running = self._keep(self.identity, launcher, joined)
        except KecsError as error:
            self.notes.append(f"the environment could not be kept: {error}")
        finally:
            if launcher is not None:
                launcher.stop()
            if started:
                _prune()

    def _keep(
        self, identity: Identity, launcher: Launcher | None, joined: EnvironmentRecord | None
    ) -> list[KeptRealm]:
        from pytest_kecs import registry
        from pytest_kecs.admin import AdminClient

        kept = [realm for realm in self._kept if realm.why != "last"] or self._kept
        dropped = [realm.access_key for realm in self._kept if realm not in kept]
        older = joined.kept_realms if joined is not None else ()
        again = {realm.test for realm in kept}
        dropped += [realm["access_key"] for realm in older if realm["test"] in again]
        rows = [realm for realm in older if realm["test"] not in again]
        rows += [_row(identity, realm) for realm in kept]
        for access_key in dropped:
            _empty(identity, access_key)
        until = time.time() + self._settings.keep_for
        with AdminClient(identity.endpoint, identity.credentials("main")) as admin:
            admin.lease(self._settings.keep_for, owner_pid=None)
            self.page = admin.viewer_url()
        if launcher is not None:
            launcher.detach(lease_until=until, kept_realms=rows)
        elif joined is not None:
            registry.write(_kept(joined, until, rows))
        return kept


def _prune() -> None:
    """Remove what runs left that were killed; here, where nobody waits for a test."""
    from pytest_kecs import registry

    with contextlib.suppress(KecsError, OSError):
        registry.prune()


def _row(identity: Identity, realm: KeptRealm) -> dict[str, str]:
    secret_key = secret_of(identity.run_secret, realm.access_key) or ""
    return {"test": realm.test, "access_key": realm.access_key, "secret_key": secret_key}


def _empty(identity: Identity, access_key: str) -> None:
    """End what runs in a realm that nobody will look into."""
    from pytest_kecs.admin import AdminClient

    secret_key = secret_of(identity.run_secret, access_key) or ""
    with (
        contextlib.suppress(KecsError),
        AdminClient(identity.endpoint, Credentials(access_key, secret_key)) as admin,
    ):
        admin.reset()


def _owned(record: EnvironmentRecord, pid: int) -> EnvironmentRecord:
    from pytest_kecs import registry

    started = registry.process_started(pid)
    return replace(record, kept=False, owner_pid=pid, owner_started=started, lease_until=None)


def _kept(
    record: EnvironmentRecord, until: float, rows: list[Mapping[str, str]]
) -> EnvironmentRecord:
    return replace(
        record,
        kept=True,
        owner_pid=None,
        owner_started=None,
        lease_until=until,
        kept_realms=tuple(rows),
    )
