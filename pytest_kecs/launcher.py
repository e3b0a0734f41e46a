"""Start an environment's server, at once or when somebody first connects, and end it.

The launcher binds the port and writes the record; the server is handed the listening socket. From
then on the server alone holds it, so clients of a server that dies get an error, never silence.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.util
import json
import os
import signal
import site
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any
from typing import Self

from kecs_server.credentials import new_run_secret
from kecs_server.settings import DEFAULT_REGION
from kecs_server.settings import ServerSettings

from pytest_kecs import registry
from pytest_kecs.activation import ConnectionWatch
from pytest_kecs.errors import EnvironmentStartError
from pytest_kecs.registry import EnvironmentRecord
from pytest_kecs.tls import make_certificate

# -P: a file of the current folder must not replace a module of the server.
SERVER_COMMAND = (sys.executable, "-P", "-m", "kecs_server")
# Deleting a kind cluster is the longest thing that a server does at its end.
STOP_SECONDS = 90.0
_BACKLOG = 128
_LOG_TAIL_LINES = 20
# Of the interpreter's own variables, those that a server may share with its owner. PYTHONWARNINGS
# and the like are the tests' business: they could end a server or fill its log.
_KEPT_PYTHON_VARIABLES = (
    "PYTHONHOME",
    "PYTHONNOUSERSITE",
    "PYTHONUSERBASE",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPYCACHEPREFIX",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOptions:
    """What kind of environment to start; the fields mean what they mean in `ServerSettings`.

    port: 0 takes any free one.
    """

    engine: str = "process"
    region: str = DEFAULT_REGION
    images: Mapping[str, Any] = field(default_factory=dict)
    rootdir: str = ""
    interpreter: str = sys.executable
    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    kind_image: str | None = None
    aws_endpoint: str | None = None
    tls: bool = False
    strict_time: bool = False
    pid1: bool = False
    netns: bool = False
    netns_reach: Sequence[str] = ()
    cgroup: str | None = None
    lease: float | None = None
    port: int = 0

    def fingerprint(self) -> str:
        """Equal for options under which one environment can stand in for another."""
        settings = asdict(self)
        del settings["lease"], settings["port"]
        text = json.dumps(settings, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Launcher:
    """One environment: bound by `bind`, started by `start` or the first connection, then stopped.

    As a context manager it binds on entry and stops on exit. All methods may be called from any
    thread. In a process forked from the owner they do nothing: the environment is the owner's.
    """

    name: str
    endpoint: str
    run_secret: str
    directory: Path

    def __init__(
        self,
        options: LaunchOptions,
        *,
        version: str = "",
        command: Sequence[str] = SERVER_COMMAND,
    ) -> None:
        """:param version: of pytest-kecs, for the record.
        :param command: what is run as the server.
        """
        self._options = options
        self._command = command
        self._version = version
        self._owner = os.getpid()
        self._lock = threading.RLock()
        self._socket: socket.socket | None = None
        self._record: EnvironmentRecord | None = None
        self._environ: dict[str, str] = {}
        self._watch: ConnectionWatch | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: str | None = None
        self._over = True  # there is nothing to stop yet

    def __enter__(self) -> Self:
        self.bind()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def bind(self) -> None:
        """Listen on the loopback port and record the environment; nothing is started yet.

        :raises EnvironmentStartError: the port cannot be had, or the folder not be written.
        """
        self._environ = _server_variables()
        self._socket = _listen(self._options.port)
        try:
            self._create_record(self._socket.getsockname()[1])
        except OSError as error:
            self._close_socket()
            raise EnvironmentStartError(
                f"{registry.home()} cannot be written to: {error.strerror}; make room there, or"
                " set KECS_HOME to another folder"
            ) from error
        except BaseException:
            self._close_socket()
            raise
        self._over = False
        _follow_forks(self)

    def _create_record(self, port: int) -> None:
        self.name = registry.new_name()
        self.directory = registry.home() / self.name
        self.endpoint = f"http://127.0.0.1:{port}"
        self.run_secret = new_run_secret()
        self._record = EnvironmentRecord(
            name=self.name,
            directory=str(self.directory),
            endpoint=self.endpoint,
            run_secret=self.run_secret,
            engine=self._options.engine,
            region=self._options.region,
            version=self._version,
            rootdir=self._options.rootdir,
            fingerprint=self._options.fingerprint(),
            owner_pid=self._owner,
            owner_started=registry.process_started(self._owner),
        )
        registry.create(self._record)
        if self._options.tls:
            try:
                make_certificate(self.directory)
            except BaseException:
                registry.discard(self.directory)
                raise

    @property
    def started(self) -> bool:
        """Whether a server was started, be it running or not."""
        return self._process is not None

    @property
    def log_file(self) -> Path:
        """What the server prints."""
        return self.directory / "server.log"

    def activate_on_connect(self) -> None:
        """Start the server when the first client connects."""
        if self._is_mine() and self._socket is not None:
            self._watch = ConnectionWatch(self._socket, self._start_for_client)
            self._watch.resume()

    def _start_for_client(self) -> None:
        # Nobody waits for this thread: what went wrong is for `failure` to tell.
        with contextlib.suppress(EnvironmentStartError):
            self.start()

    def start(self) -> None:
        """Start the server now, unless it has been started.

        :raises EnvironmentStartError: its process could not be created.
        """
        if not self._is_mine():
            return
        with self._lock:
            if self._process is None and self._socket is not None:
                self._hand_over(self._socket.fileno())
        if self._watch is not None:
            self._watch.end()

    def _hand_over(self, listener: int) -> None:
        try:
            self._process = self._spawn(listener)
        except OSError as error:
            self._failure = f"the kecs server could not be started: {error}"
            raise EnvironmentStartError(self._failure) from error
        finally:
            self._close_socket()
        self._update_record(
            server_pid=self._process.pid,
            server_started=registry.process_started(self._process.pid),
        )
        self._tell_settings(self._process, listener)

    def _spawn(self, listener: int) -> subprocess.Popen[bytes]:
        with open(self.log_file, "ab", opener=_private) as log:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=self._environ,
                pass_fds=(listener,),
                start_new_session=True,
            )

    def _tell_settings(self, process: subprocess.Popen[bytes], listener: int) -> None:
        options = asdict(self._options)
        del options["port"]
        settings = ServerSettings(
            name=self.name,
            directory=str(self.directory),
            listen_fd=listener,
            secret=self.run_secret,
            owner_pid=self._owner,
            **options,
        )
        assert process.stdin is not None
        # A server that has ended already says why in its log; `failure` tells.
        with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
            stdin.write(settings.to_json().encode())

    def _update_record(self, **changes: Any) -> None:
        assert self._record is not None
        self._record = replace(self._record, **changes)
        # The folder is gone when the server has ended meanwhile.
        with contextlib.suppress(FileNotFoundError):
            registry.write(self._record)

    def wait(self) -> int:
        """Wait until the server has ended, however long it runs; its exit status."""
        assert self._process is not None, "wait() before start()"
        return self._process.wait()

    def failure(self) -> str | None:
        """Why the server is not there, for a person; None while nothing went wrong."""
        with self._lock:
            if self._failure is None and self._process is not None and not self._over:
                status = self._process.poll()
                if status is not None:
                    self._failure = _describe_end(status, self.log_file)
            return self._failure

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """End the environment and everything in it; the second call does nothing.

        :param timeout: seconds that the server has to end by itself before it is killed.
        """
        if not self._is_mine():
            return
        self.failure()
        self._over = True
        if self._watch is not None:
            self._watch.end()
        self._close_socket()
        if self._process is None:
            registry.discard(self.directory)
            return
        status = _end_process(self._process, timeout)
        if status != 0 or self.directory.exists():
            registry.clear(self.directory)

    def detach(
        self,
        *,
        lease_until: float | None = None,
        kept_realms: Sequence[Mapping[str, str]] = (),
    ) -> None:
        """Leave the running server to itself: `stop` does nothing from now on.

        The server must have been told so (`AdminClient.lease`). The record names no owner any
        more. An environment that never started has nothing to leave and is stopped.
        """
        process = self._process
        if process is None:
            self.stop()
        if process is None or not self._is_mine():
            return
        self._over = True
        self._update_record(
            owner_pid=None,
            owner_started=None,
            kept=True,
            lease_until=lease_until,
            kept_realms=tuple(kept_realms),
        )
        _forget(process)

    def _is_mine(self) -> bool:
        return not self._over and os.getpid() == self._owner

    def _close_socket(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # A watching thread is ended before a fork: the child would hold its locks for ever, and from
    # Python 3.12 on a fork beside a thread is a warning, which is an error in many suites.

    def before_fork(self) -> None:
        if self._is_mine() and self._watch is not None:
            self._watch.end()

    def after_fork_in_parent(self) -> None:
        if self._is_mine() and self._watch is not None and self._socket is not None:
            self._watch.resume()

    def after_fork_in_child(self) -> None:
        """Let go of what the owner holds, above all of the socket."""
        self._over = True
        self._lock = threading.RLock()
        if self._watch is not None:
            self._watch.abandon()
        self._close_socket()
        if self._process is not None:
            _forget(self._process)


def _follow_forks(launcher: Launcher) -> None:
    # Such registrations are for ever; they must not keep the launcher as long.
    reference = weakref.ref(launcher)

    def call(method: Callable[[Launcher], None]) -> None:
        target = reference()
        if target is not None:
            method(target)

    os.register_at_fork(
        before=lambda: call(Launcher.before_fork),
        after_in_parent=lambda: call(Launcher.after_fork_in_parent),
        after_in_child=lambda: call(Launcher.after_fork_in_child),
    )


def _listen(port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise EnvironmentStartError(f"{port} is not a port: give a number up to 65535")
    try:
        return socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
    except OSError as error:
        raise EnvironmentStartError(_listen_failure(port, error)) from error


def _listen_failure(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on 127.0.0.1 is in use by another program (or another environment, see"
            " `kecs list`); end it, or give another port, or none to take any free one"
        )
    return f"cannot listen on 127.0.0.1 port {port}: {error.strerror}; give another port, or none"


def _server_variables() -> dict[str, str]:
    """The variables of this process as they are now, less what could break a server's start."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") or name in _KEPT_PYTHON_VARIABLES
    }
    paths = [*_own_import_path(), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    absolute = [os.path.abspath(path) for path in paths if path]
    if absolute:
        environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(absolute))
    environ["PYTHONUNBUFFERED"] = "1"
    return environ


def _own_import_path() -> list[str]:
    """Where this process found the server, unless every interpreter finds it there."""
    spec = importlib.util.find_spec("kecs_server")
    assert spec is not None
    assert spec.origin is not None
    found = str(Path(spec.origin).parent.parent)
    # Site folders must stay behind the standard library, which PYTHONPATH precedes.
    return [] if found in (*site.getsitepackages(), site.getusersitepackages()) else [found]


def _describe_end(status: int, log_file: Path) -> str:
    how = (
        f"was killed by {signal.Signals(-status).name}"
        if status < 0
        else f"ended with exit status {status}"
    )
    text = f"the kecs server {how}, unasked"
    try:
        lines = log_file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return text + "; its log is gone with its folder"
    if not lines:
        return text + "; its log is empty"
    return "\n".join([text + ". The end of its log:", *lines[-_LOG_TAIL_LINES:]])


def _end_process(process: subprocess.Popen[bytes], timeout: float) -> int:
    # The waiting is a thread's, blocked in waitpid: Popen.wait(timeout) polls, and reckons with a
    # clock that a test may have frozen.
    waiting = threading.Thread(target=process.wait, name="kecs-server-end", daemon=True)
    waiting.start()
    process.terminate()
    waiting.join(timeout)
    if waiting.is_alive():
        process.kill()
        waiting.join()
    return process.returncode


def _forget(process: subprocess.Popen[bytes]) -> None:
    # A Popen that is thrown away while its process runs gives a ResourceWarning.
    process.returncode = 0


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
