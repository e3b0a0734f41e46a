"""From a `ContainerSpec` to what the supervisor starts, and the agent's words for why not."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from errno import ENOTDIR
from pathlib import Path
from typing import Any

from kecs_server.engines.base import ContainerSpec

COOKIE = "KECS_ENVIRONMENT"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

AGENT_ERROR = re.compile(r"[A-Z]\w*Error: ")
RUNC = (
    "CannotStartContainerError: Error response from daemon: failed to create task for container: "
    "failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: {}: unknown"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What containers get from the machine: the engine's settings, and the server's variables.

    interpreter: the Python whose directory comes first in PATH.
    rootdir: where a relative working directory is looked for.
    """

    environment_name: str
    interpreter: str
    rootdir: str
    path: str
    lang: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What the supervisor starts; `path` None stands for a process that idles until stopped."""

    path: str | None
    argv: list[str]
    env: dict[str, str]
    cwd: str
    stdout: str
    stderr: str
    limit: float | None = None

    def to_wire(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class LaunchError(Exception):
    """The container cannot be started; the text is its ECS `reason`."""


def prepare_launch(spec: ContainerSpec, directory: Path, host: Host) -> Launch:
    """Make the container's directories and find its program.

    `directory` is the container's own; below it stand `work`, `tmp` and the logs.

    :raises LaunchError: no such program, or a directory that cannot be made.
    """
    temporary = directory / "tmp"
    try:
        cwd = make_working_directory(spec.working_directory, directory / "work", host.rootdir)
        temporary.mkdir(exist_ok=True)
    except OSError as error:
        raise LaunchError(RUNC.format(f"mkdir {error.filename}: {describe(error)}")) from error
    env = build_environment(spec, cwd=cwd, temporary=str(temporary), host=host)
    argv = [*(spec.entry_point or ()), *(spec.command or ())]
    return Launch(
        path=find_program(argv[0], env["PATH"], cwd) if argv else None,
        argv=argv,
        env=env,
        cwd=cwd,
        stdout=str(directory / "stdout.log"),
        stderr=str(directory / "stderr.log"),
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
    )


def make_working_directory(wanted: str | None, work: Path, rootdir: str) -> str:
    """Where the container starts.

    An absolute path that exists on this machine is taken as it is, and a relative one that exists
    below `rootdir` is taken there. Any other is made below the container's `work`, which is its
    root in this respect: as Docker makes a WORKDIR that the image lacks, and `..` ends at the
    root. Without a wish it is `work` itself.
    """
    work.mkdir(parents=True, exist_ok=True)
    if not wanted:
        return str(work)
    inside = os.path.normpath("/" + wanted).lstrip("/")
    there = wanted if os.path.isabs(wanted) else os.path.join(rootdir, inside)
    if os.path.exists(there):
        return there
    made = work / inside
    made.mkdir(parents=True, exist_ok=True)
    return str(made)


def build_environment(
    spec: ContainerSpec, *, cwd: str, temporary: str, host: Host
) -> dict[str, str]:
    """The container's variables, nothing of the server's own but PATH and LANG. What the
    definition says wins, except over the cookie, by which `prune` finds the process.

    PYTHONPATH is the project's folder and its `src`: `python -m app.worker` is the user's code,
    as pytest imports it, installed or not.
    """
    path = os.path.dirname(host.interpreter) + os.pathsep + host.path
    env = {"PATH": path, "HOME": cwd, "TMPDIR": temporary}
    if host.lang:
        env["LANG"] = host.lang
    if host.rootdir:
        sources = [host.rootdir, os.path.join(host.rootdir, "src")]
        env["PYTHONPATH"] = os.pathsep.join(filter(os.path.isdir, sources))
    return {**env, **spec.environment, COOKIE: host.environment_name}


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
    return RUNC.format(f"{step}: {text}")


def describe_pull_error(text: str) -> str:
    """Reason of a failed pull: the text, with the agent's error name unless it has one."""
    return text if AGENT_ERROR.match(text) else f"CannotPullContainerError: {text}"


def describe(error: OSError) -> str:
    return os.strerror(error.errno or ENOTDIR).lower()
