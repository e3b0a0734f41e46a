"""`kecs serve` and `kecs run`: an environment for as long as the command runs.

Whatever can happen meanwhile (a signal, the server's end, progress of the engine, the end of the
user's command) arrives in one queue, which the main thread reads.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from kecs_server.credentials import derive_credentials

from pytest_kecs import __version__
from pytest_kecs.admin import AdminClient
from pytest_kecs.admin import EngineState
from pytest_kecs.cli_environments import CLI_LABEL
from pytest_kecs.cli_environments import shell_lines
from pytest_kecs.errors import AdminError
from pytest_kecs.errors import EnvironmentStartError
from pytest_kecs.errors import InvalidSetting
from pytest_kecs.errors import KecsError
from pytest_kecs.errors import ServerGone
from pytest_kecs.exports import Exporter
from pytest_kecs.exports import aws_variables
from pytest_kecs.exports import client_url
from pytest_kecs.kubeconfig import kubeconfig_problem
from pytest_kecs.launcher import Launcher
from pytest_kecs.launcher import LaunchOptions
from pytest_kecs.machine import choose_engine
from pytest_kecs.tls import ca_file

_ENV_FILE_MARK = "# Written by `kecs serve`, which removes this file at its end: "
_PROGRESS_SECONDS = 30.0
_COMMAND_NOT_FOUND = 127
_COMMAND_NOT_EXECUTABLE = 126
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FORWARDED = (*_ENDING, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


@dataclass(frozen=True, slots=True)
class _Signalled:
    number: int


@dataclass(frozen=True, slots=True)
class _ServerEnded:
    status: int


@dataclass(frozen=True, slots=True)
class _CommandEnded:
    status: int


_Event = _Signalled | _ServerEnded | _CommandEnded | EngineState
_Events = SimpleQueue[_Event]


def serve(given: argparse.Namespace) -> int:
    """Run an environment until a signal, or until somebody else stops it."""
    options = _launch_options(given, port=given.port)
    env_file = Path(given.write_env).absolute() if given.write_env else None
    if env_file is not None:
        _refuse_foreign(env_file)
    # A script's background job ignores SIGINT from its start; `kill -INT` must end it all the same.
    with (
        _signals(_ENDING, also_ignored=(signal.SIGINT,)) as events,
        Launcher(options, version=__version__) as launcher,
    ):
        _start(launcher, events)
        if _until_ready(launcher, options, events) is not None:
            _say_ending(launcher)
            return 0
        with _env_file(env_file, launcher, options.region):
            _announce(launcher, options)
            return _until_over(launcher, events)


def _until_over(launcher: Launcher, events: _Events) -> int:
    while True:
        match events.get():
            case _Signalled():
                _say_ending(launcher)
                return 0
            case _ServerEnded(status=0):
                print(f"{launcher.name} was stopped", file=sys.stderr)
                return 0
            case _ServerEnded():
                raise EnvironmentStartError(launcher.failure() or "the kecs server has ended")


def _say_ending(launcher: Launcher) -> None:
    print(f"ending {launcher.name} ...", file=sys.stderr, flush=True)


def run(given: argparse.Namespace) -> int:
    """Run a command with an environment; the command's exit status, 128+N for signal N."""
    from kecs_server.prune import cookie

    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        raise InvalidSetting("there is no command to run: kecs run [options] -- CMD ...")
    options = _launch_options(given, port=0)
    with _signals(_FORWARDED) as events, Launcher(options, version=__version__) as launcher:
        _start(launcher, events)
        # A call to a server that is still starting waits; a cluster takes too long for that.
        if options.engine != "process":
            interruption = _until_ready(launcher, options, events)
            if interruption is not None:
                return 128 + interruption
        # By the cookie the server finds what is to end, should this process be killed outright.
        variables = {**_variables(launcher, options.region), **cookie(launcher.name)}
        return _run_command(command, variables, launcher, events)


def _run_command(
    command: Sequence[str], variables: dict[str, str], launcher: Launcher, events: _Events
) -> int:
    environ = dict(os.environ)
    Exporter(environ).apply(variables)
    try:
        process = subprocess.Popen(command, env=environ)
    except OSError as error:
        # A folder of PATH that may not be entered gives "permission denied", found or not.
        if "/" not in command[0] and shutil.which(command[0]) is None:
            error = FileNotFoundError(error.errno, error.strerror)
        if isinstance(error, FileNotFoundError):
            print(f"kecs: error: there is no command {command[0]!r}", file=sys.stderr)
            return _COMMAND_NOT_FOUND
        print(f"kecs: error: cannot run {command[0]!r}: {error.strerror}", file=sys.stderr)
        return _COMMAND_NOT_EXECUTABLE
    _watch("kecs-command-end", lambda: events.put(_CommandEnded(process.wait())))
    while True:
        match events.get():
            case _Signalled(number=number):
                if not _terminal_told(number):
                    process.send_signal(number)
            case _ServerEnded():
                print(f"kecs: {launcher.failure()}", file=sys.stderr)
            case _CommandEnded(status=status):
                return status if status >= 0 else 128 - status


def _terminal_told(number: int) -> bool:
    """Whether the signal is one that the terminal has sent to the command as well."""
    if number not in (signal.SIGINT, signal.SIGQUIT):
        return False
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _launch_options(given: argparse.Namespace, *, port: int) -> LaunchOptions:
    _check_engine_options(given)
    return LaunchOptions(
        engine=_chosen_engine() if given.engine == "auto" else given.engine,
        region=given.region,
        images=dict(given.image),
        rootdir=str(Path.cwd()),
        kubeconfig=given.kubeconfig and str(Path(given.kubeconfig).absolute()),
        context=given.context,
        namespace=given.namespace,
        kind_image=given.kind_image,
        aws_endpoint=given.aws_endpoint,
        tls=given.tls,
        port=port,
    )


def _chosen_engine() -> str:
    """What `auto` means here; says so, on standard error: standard output is the command's."""
    engine, why = choose_engine()
    print(f"kecs: engine {engine} ({why})", file=sys.stderr, flush=True)
    return engine


def _check_engine_options(given: argparse.Namespace) -> None:
    for name, engine in (
        ("kubeconfig", "kubernetes"),
        ("context", "kubernetes"),
        ("namespace", "kubernetes"),
        ("kind_image", "kind"),
    ):
        # `auto` may turn out to be kind, never a cluster of one's own.
        is_of_use = given.engine == engine or (given.engine, engine) == ("auto", "kind")
        if getattr(given, name) is not None and not is_of_use:
            flag = "--" + name.replace("_", "-")
            raise InvalidSetting(f"{flag} is for --engine {engine}, not for {given.engine}")
    problem = kubeconfig_problem(given.kubeconfig)
    if problem is not None:
        raise InvalidSetting(f"--kubeconfig: {problem}")


def _start(launcher: Launcher, events: _Events) -> None:
    launcher.start()
    _watch("kecs-server-watch", lambda: events.put(_ServerEnded(launcher.wait())))


def _until_ready(launcher: Launcher, options: LaunchOptions, events: _Events) -> int | None:
    """Follow the engine's start; returns None when it is ready, or the signal that came first."""
    # Processes are ready before anybody could read how far they are.
    has_progress = options.engine != "process"
    _watch("kecs-progress", lambda: _follow_engine(launcher, events))
    phase = ""
    while True:
        match events.get():
            case EngineState(state="ready"):
                return None
            case EngineState(state="failed", error=error):
                raise EnvironmentStartError(error or "the engine failed without giving a reason")
            case EngineState() as state if has_progress and state.phase != phase:
                phase = state.phase
                print(f"kecs: {phase} ...", file=sys.stderr, flush=True)
            case _Signalled(number=number):
                return number
            case _ServerEnded():
                raise EnvironmentStartError(launcher.failure() or "the kecs server has ended")


def _follow_engine(launcher: Launcher, events: _Events) -> None:
    credentials = derive_credentials(launcher.run_secret, CLI_LABEL)
    with AdminClient(launcher.endpoint, credentials) as client:
        phase: str | None = None
        while True:
            try:
                state = client.prepare(wait=_PROGRESS_SECONDS, phase=phase)
            except ServerGone as error:
                # When the server has ended, that is in the queue too, with a better text.
                state = EngineState(state="failed", error=launcher.failure() or str(error))
            except AdminError as error:
                state = EngineState(state="failed", error=str(error))
            events.put(state)
            if state.state in ("ready", "failed"):
                return
            phase = state.phase


def _watch(name: str, target: Callable[[], None]) -> None:
    threading.Thread(target=target, name=name, daemon=True).start()


@contextlib.contextmanager
def _signals(
    numbers: Sequence[signal.Signals], *, also_ignored: Sequence[signal.Signals] = ()
) -> Iterator[_Events]:
    """A queue of the signals that arrive.

    What was ignored before (under nohup) stays ignored, unless it is in `also_ignored`.
    """
    events: _Events = SimpleQueue()
    before = {number: signal.getsignal(number) for number in numbers}
    caught = [
        number
        for number in numbers
        if before[number] is not signal.SIG_IGN or number in also_ignored
    ]
    # Python runs a handler in the main thread alone, and a signal may come just before that waits
    # for the queue; the bytes that are written for signals wake a thread that is waiting for them.
    reader, writer = socket.socketpair()
    writer.settimeout(0)

    def forward() -> None:
        with reader:
            while numbers := reader.recv(1):
                events.put(_Signalled(numbers[0]))

    _watch("kecs-signals", forward)
    with writer:
        woken = signal.set_wakeup_fd(writer.fileno())
        for number in caught:
            signal.signal(number, lambda received, _: None)
        try:
            yield events
        finally:
            for number in caught:
                signal.signal(number, before[number])
            signal.set_wakeup_fd(woken)


def _variables(launcher: Launcher, region: str) -> dict[str, str]:
    credentials = derive_credentials(launcher.run_secret, CLI_LABEL)
    trusted = ca_file(launcher.directory)
    return aws_variables(launcher.endpoint, credentials, region, ca_file=trusted)


def _announce(launcher: Launcher, options: LaunchOptions) -> None:
    url = client_url(launcher.endpoint, ca_file(launcher.directory))
    with AdminClient(
        launcher.endpoint, derive_credentials(launcher.run_secret, CLI_LABEL)
    ) as admin:
        page = admin.viewer_url()
    exports = "\n".join(f"  {line}" for line in shell_lines(_variables(launcher, options.region)))
    print(
        f"""\
{launcher.name} is ready: engine {options.engine}, {url}
Ctrl-C ends it, with all that runs in it.

To see what happens in it, in a browser (good once; `kecs ui {launcher.name}` prints another):

  {page}

For aws, SDKs and other programs, in another shell:

  eval "$(kecs env {launcher.name})"

which does this:

{exports}

For Terraform, the same variables, and in the configuration:

  provider "aws" {{
    endpoints {{
      ecs = "{url}"
      sts = "{url}"
    }}
  }}
""",
        flush=True,
    )


def _refuse_foreign(path: Path) -> None:
    if not path.parent.is_dir():
        raise InvalidSetting(f"--write-env: there is no folder {path.parent}")
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            is_ours = file.readline().startswith(_ENV_FILE_MARK)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InvalidSetting(f"--write-env: {path} cannot be used: {error.strerror}") from error
    if not is_ours:
        raise InvalidSetting(
            f"--write-env: {path} exists and would be overwritten, and removed at the end; name"
            " another file"
        )


@contextlib.contextmanager
def _env_file(path: Path | None, launcher: Launcher, region: str) -> Iterator[None]:
    if path is None:
        yield
        return
    first_line = _ENV_FILE_MARK + launcher.name
    lines = [first_line, *map(_dotenv_line, _variables(launcher, region).items())]
    fresh = path.with_name(f".{path.name}.{launcher.name}")
    try:
        with open(fresh, "x", encoding="utf-8", opener=_private) as file:
            file.write("\n".join(lines) + "\n")
        # At once: who waits for the file finds all of it.
        fresh.replace(path)
    except OSError as error:
        raise KecsError(f"--write-env: {path} cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            if path.read_text(encoding="utf-8").startswith(first_line):
                path.unlink()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _dotenv_line(variable: tuple[str, str]) -> str:
    name, value = variable
    return f"{name}={shlex.quote(value)}" if "'" not in value else f'{name}="{value}"'
