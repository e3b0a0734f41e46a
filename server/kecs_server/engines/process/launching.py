"""From a `ContainerSpec` to what the supervisor starts, and the agent's words for why not."""

from __future__ import annotations

import os
import re
import resource
import sys
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.process.directories import give_to
from kecs_server.engines.process.directories import make_directories
from kecs_server.engines.process.directories import mount_variables
from kecs_server.engines.process.directories import read_only
from kecs_server.engines.process.errors import RUNC
from kecs_server.engines.process.errors import LaunchError
from kecs_server.engines.process.errors import describe
from kecs_server.engines.process.isolating import HOSTS
from kecs_server.engines.process.isolating import Isolation
from kecs_server.engines.process.namespaces import Namespace
from kecs_server.engines.process.users import find_user
from kecs_server.engines.process.users import open_way

COOKIE = "KECS_ENVIRONMENT"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

AGENT_ERROR = re.compile(r"[A-Z]\w*Error: ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What containers get from the machine: the engine's settings, and the server's variables.

    interpreter: the Python whose directory comes first in PATH.
    rootdir: where a relative working directory is looked for.
    directory: the environment's, below which all containers have theirs.
    """

    environment_name: str
    directory: Path
    interpreter: str
    rootdir: str
    path: str
    lang: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What the supervisor starts. `path` None stands for a process that idles until stopped.

    user: whom to become, (uid, gid); None: nobody else.
    ulimits: (number, soft, hard), as setrlimit(2) takes them.
    terminal: the streams are a terminal, its output goes to `stdout`.
    interactive: standard input stays open, nothing ever comes.
    init: a process that reaps and forwards signals comes first.
    isolation: the network of its own to enter; None: the machine's.
    cgroup: the file by which to enter the container's cgroup; None: it has none.
    limit: seconds after which it is killed.
    """

    path: str | None
    argv: list[str]
    env: dict[str, str]
    cwd: str
    stdout: str
    stderr: str
    user: tuple[int, int] | None = None
    ulimits: tuple[tuple[int, int, int], ...] = ()
    terminal: bool = False
    interactive: bool = False
    init: bool = False
    isolation: Isolation | None = None
    cgroup: str | None = None
    limit: float | None = None

    def to_wire(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def prepare_launch(
    spec: ContainerSpec,
    directory: Path,
    host: Host,
    volumes: Mapping[str, Path],
    namespace: Namespace | None = None,
    cgroup: str | None = None,
) -> Launch:
    """Make the container's directories and find its program.

    `directory` is the container's own; below it stand `work`, `tmp`, the logs and, with a network
    of its own (`namespace`), `hosts`. `volumes` are those that it mounts.

    :raises LaunchError: no such program or user, or a directory that cannot be made.
    """
    user = find_user(spec.user)
    cwd = make_directories(spec, directory, host.directory, host.rootdir, volumes)
    if user is not None:
        try:
            give_to(user, directory, host.directory)
            open_way(directory, host.directory)
        except OSError as error:
            text = f"chown {error.filename or directory}: {describe(error)}"
            raise LaunchError(RUNC.format(text)) from error
    env = build_environment(spec, directory, host, volumes)
    argv = [*(spec.entry_point or ()), *(spec.command or ())]
    return Launch(
        path=find_program(argv[0], env["PATH"], cwd) if argv else None,
        argv=argv,
        env=env,
        cwd=cwd,
        stdout=str(directory / "stdout.log"),
        stderr=str(directory / "stderr.log"),
        user=(user.uid, user.gid) if user else None,
        ulimits=tuple(ulimits(spec)),
        terminal=spec.pseudo_terminal,
        interactive=spec.interactive,
        init=spec.init,
        isolation=(
            isolation(spec, directory, namespace, read_only(spec, host.directory, volumes))
            if namespace
            else None
        ),
        cgroup=cgroup,
    )


def isolation(
    spec: ContainerSpec, directory: Path, namespace: Namespace, read_only: Iterable[str]
) -> Isolation:
    """Write the container's /etc/hosts: what it adds, then the machine's.

    :raises LaunchError: it cannot be written.
    """
    path = directory / "hosts"
    try:
        lines = [f"{address}\t{name}\n" for name, address in spec.hosts.items()]
        path.write_bytes("".join(lines).encode() + Path(HOSTS).read_bytes())
        path.chmod(0o644)
    except OSError as error:
        raise LaunchError(RUNC.format(f"write {HOSTS}: {describe(error)}")) from error
    return Isolation(
        user=namespace.user, net=namespace.path, hosts=str(path), read_only=list(read_only)
    )


def prepare_command(launch: Launch, command: Sequence[str], output: Path, limit: float) -> Launch:
    """A command to run beside a container that was launched; both its streams go to `output`.

    :raises LaunchError: no such program.
    """
    return replace(
        launch,
        path=find_program(command[0], launch.env["PATH"], launch.cwd),
        argv=list(command),
        stdout=str(output),
        stderr=str(output),
        limit=limit,
        terminal=False,
        interactive=False,
        init=False,
    )


def build_environment(
    spec: ContainerSpec, directory: Path, host: Host, volumes: Mapping[str, Path]
) -> dict[str, str]:
    """The container's variables, nothing of the server's own but PATH and LANG. What the
    definition says wins, except over the cookie, by which `prune` finds the process.

    PYTHONPATH is the project's folder and its `src`: `python -m app.worker` is the user's code,
    as pytest imports it, installed or not.
    """
    path = os.path.dirname(host.interpreter) + os.pathsep + host.path
    env = {"PATH": path, "HOME": str(directory / "work"), "TMPDIR": str(directory / "tmp")}
    if host.lang:
        env["LANG"] = host.lang
    if host.rootdir:
        sources = [host.rootdir, os.path.join(host.rootdir, "src")]
        env["PYTHONPATH"] = os.pathsep.join(filter(os.path.isdir, sources))
    if spec.hostname:
        env["HOSTNAME"] = spec.hostname
    if spec.pseudo_terminal:
        env["TERM"] = "xterm"
    env |= mount_variables(spec, directory, volumes)
    return {**env, **spec.environment, **spec.secrets, COOKIE: host.environment_name}


def ulimits(spec: ContainerSpec) -> Iterator[tuple[int, int, int]]:
    """:raises LaunchError: a limit that this system does not have."""
    for limit in spec.ulimits:
        number = getattr(resource, f"RLIMIT_{limit.name.upper()}", None)
        if limit.name == "locks" and sys.platform == "linux":
            number = 10  # Python has no name for it
        if number is None:
            raise LaunchError(RUNC.format(f"this system has no limit {limit.name}"))
        yield number, limit.soft, limit.hard


def find_program(name: str, path: str, cwd: str) -> str:
    """Look a command up as runc does: in the container's PATH, from its working directory.

    :raises LaunchError: with runc's words.
    """
    if "/" in name:
        program = os.path.join(cwd, name)
        check_program(name, program)
        return program
    for folder in path.split(os.pathsep):
        program = os.path.join(cwd, folder, name)
        if os.path.isfile(program) and is_executable(program):
            return program
    raise LaunchError(RUNC.format(f'exec: "{name}": executable file not found in $PATH'))


def check_program(name: str, program: str) -> None:
    try:
        os.stat(program)
    except OSError as error:
        text = f'exec: "{name}": stat {name}: {describe(error)}'
        raise LaunchError(RUNC.format(text)) from error
    except ValueError as error:  # a NUL byte
        raise LaunchError(RUNC.format(f'exec: "{name}": invalid argument')) from error
    if os.path.isdir(program):
        raise LaunchError(RUNC.format(f'exec: "{name}": is a directory'))
    if not is_executable(program):
        raise LaunchError(RUNC.format(f'exec: "{name}": permission denied'))


def is_executable(program: str) -> bool:
    effective = os.access in os.supports_effective_ids
    return os.access(program, os.X_OK, effective_ids=effective)


def describe_failure(launch: Launch, step: str, number: int) -> str:
    """Reason of a container whose process came to nothing on its way to exec."""
    text = os.strerror(number).lower()
    if step == "chdir":
        return RUNC.format(f'chdir to cwd ("{launch.cwd}") set in config.json failed: {text}')
    if step == "access":
        return RUNC.format(f'exec: "{launch.argv[0]}": {text}')
    if step.startswith("rlimit-"):
        step = (
            "error during container init: error setting rlimits for ready process: "
            f"error setting rlimit type {step.removeprefix('rlimit-')}"
        )
    return RUNC.format(f"{step}: {text}")


def describe_pull_error(text: str) -> str:
    """Reason of a failed pull: the text, with the agent's error name unless it has one."""
    return text if AGENT_ERROR.match(text) else f"CannotPullContainerError: {text}"
