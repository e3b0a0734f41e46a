"""The kind CLI (https://kind.sigs.k8s.io), thinly wrapped: create, load, delete, list."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import subprocess
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from time import monotonic
from time import sleep

import psutil

from kecs_server.engines.base import EngineError
from kecs_server.engines.base import Progress
from kecs_server.engines.kubernetes.commands import CommandError
from kecs_server.engines.kubernetes.commands import LongCommand
from kecs_server.engines.kubernetes.commands import require
from kecs_server.engines.kubernetes.commands import run

_log = logging.getLogger(__name__)

CLUSTER_LABEL = "io.x-k8s.kind.cluster"
MARK = "kind-cluster"
"""The file, beside the kubeconfig, that is there before anything of a cluster is."""

_POLL_SECONDS = 0.05
_DOCKER_SECONDS = 20.0  # until an answer to a question counts as none
_NODE_SECONDS = 30.0  # that a node's `docker run` may go on after its kind is gone
_QUIET_SECONDS = 2.0  # in which nothing more of an unfinished cluster may appear
_KIND_ADVICE = (
    "The engine `kind` makes its cluster with it: install kind "
    "(https://kind.sigs.k8s.io/docs/user/quick-start/#installation), or use the engine `process`."
)
_DOCKER_ADVICE = (
    "kind runs its nodes as Docker containers: install Docker "
    "(https://docs.docker.com/engine/install/), or use the engine `process`."
)


class DockerNotAnswering(EngineError):
    """The docker command is there, its daemon is not."""


class Kind:
    """One cluster of the kind CLI, known by its name; kubectl's own configuration is not touched.

    :param kubeconfig: private file, written by `create`.
    """

    def __init__(self, name: str, kubeconfig: Path) -> None:
        self.name = name
        self.kubeconfig = kubeconfig
        self._creation: _Creation | None = None
        self._cancelled = Event()

    def check(self) -> None:
        """Check that kind and a Docker daemon are there, and no cluster of this name.

        :raises ToolMissing: `kind` or `docker` is not installed.
        :raises DockerNotAnswering: no daemon behind the docker command.
        :raises EngineError: there is such a cluster, or the check was cancelled.
        """
        require("kind", _KIND_ADVICE)
        require("docker", _DOCKER_ADVICE)
        command = ["docker", "ps", "--all", "--quiet"]
        command += ["--filter", f"label={CLUSTER_LABEL}={self.name}"]
        try:
            nodes = _ask(command, what="docker does not answer", cancelled=self._cancelled)
        except CommandError as error:
            if self._cancelled.is_set():
                raise
            raise DockerNotAnswering(
                f"`docker` is installed but its daemon does not answer: {error.stderr}\n"
                "Start Docker (or point DOCKER_HOST at a running one), or use the engine `process`."
            ) from None
        if nodes.strip():
            raise EngineError(
                f"A kind cluster {self.name} exists already, from another environment. "
                f"Delete it (`kind delete cluster --name {self.name}`) or choose another name."
            )

    def create(self, *, image: str | None, progress: Progress, timeout: float) -> None:
        """Create the cluster and wait until its node is ready.

        :param image: node image; None: the one that this kind was released with.
        :param timeout: seconds for everything.
        :raises CommandError: it failed or was cancelled. No part of the cluster is left.
        """
        command = ["kind", *_creation_arguments(self.name, self.kubeconfig)]
        command += ["--wait", f"{timeout:.0f}s"]
        if image is not None:
            command += ["--image", image]
        self.kubeconfig.with_name(MARK).touch()
        creation = _Creation(command, what=f"kind could not create the cluster {self.name}")
        self._creation = creation
        if self._cancelled.is_set():
            creation.cancel()

        def report(line: str) -> None:
            step = _step(line)
            if step:
                progress(f"creating kind cluster {self.name}: {step}")

        try:
            creation.run(report, timeout)
        except BaseException:
            try:
                self.clear()
            except CommandError:
                _log.exception("The cluster %s may be left behind", self.name)
            raise

    def cancel(self) -> None:
        """End a running `check` or `create`, and refuse a later one. Thread-safe."""
        self._cancelled.set()
        if self._creation is not None:
            self._creation.cancel()

    def load(self, image: str) -> None:
        """Copy a local image into the cluster's nodes.

        :raises CommandError: no such local image, or the copy failed.
        """
        command = ["kind", "load", "docker-image", image, "--name", self.name]
        run(command, what=f"kind could not load the image {image}", timeout=600)

    def delete(self) -> None:
        """Delete the cluster; no error when there is none.

        :raises CommandError: a part of the cluster may be left.
        """
        command = ["kind", "delete", "cluster", "--name", self.name]
        command += ["--kubeconfig", str(self.kubeconfig)]
        run(command, what=f"kind could not delete the cluster {self.name}", timeout=120)

    def clear(self) -> None:
        """Delete what there is of the cluster when its creation did not come to its end, and end a
        creation that still runs though its server is dead.

        Where a `docker run` was killed, Docker may still bring forth the node, or report it deleted
        while it is being made: so deleting is repeated for a while.

        :raises CommandError: a part of the cluster may be left.
        """
        _end_creation(self.name, self.kubeconfig)
        quiet = monotonic() + _QUIET_SECONDS
        self.delete()
        while monotonic() < quiet:
            sleep(_QUIET_SECONDS / 8)
            self.delete()


class _Creation(LongCommand):
    """`kind create cluster`."""

    def cancel(self) -> None:
        """End it; what Docker is doing for a node goes on, and `Kind.clear` waits for it."""
        with self._lock:
            self._cancelled.set()
            if self._process is not None:
                self._process.kill()
                _kill_helpers(self._process.pid)


def _end_creation(name: str, kubeconfig: Path) -> None:
    """End every `kind create cluster` of this cluster, and wait until Docker has made its node or
    failed to. Who has the kubeconfig's name, in a folder of ours, is ours.
    """
    creation = _creation_arguments(name, kubeconfig)
    for process in _find(lambda argv: _contains(argv, creation)):
        # Only where it leads its group, as what `LongCommand` starts does, is the group its own.
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == process.pid:
                process.kill()
                _kill_helpers(process.pid)
    label = f"{CLUSTER_LABEL}={name}"
    deadline = monotonic() + _NODE_SECONDS
    while _find(lambda argv: _makes_node(argv) and label in argv) and monotonic() < deadline:
        sleep(_POLL_SECONDS)


def _creation_arguments(name: str, kubeconfig: Path) -> list[str]:
    return ["create", "cluster", "--name", name, "--kubeconfig", str(kubeconfig)]


def _kill_helpers(group: int) -> None:
    """Kill what a kind that is dead now had started, but for the `docker run` of a node.

    That ends by itself within a second or two, and then the node can be deleted. If it were killed,
    Docker would go on making the node, and nobody could know until when.
    """
    for process in _find(lambda argv: not _makes_node(argv)):
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group:
                process.kill()


def _makes_node(argv: Sequence[str]) -> bool:
    return "run" in argv and any(argument.startswith(f"{CLUSTER_LABEL}=") for argument in argv)


def _find(is_it: Callable[[list[str]], bool]) -> list[psutil.Process]:
    """This user's processes whose command lines are such; none that has ended."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            argv = process.cmdline()
            if argv and is_it(argv) and process.uids().real == os.getuid():
                found.append(process)
    return found


def _contains(argv: Sequence[str], part: list[str]) -> bool:
    """Whether the arguments of `part` follow one another in `argv`: kind may be a script."""
    return any(argv[i : i + len(part)] == part for i in range(len(argv)))


def _ask(command: Sequence[str], *, what: str, cancelled: Event) -> bytes:
    """As `run`, with a short timeout, but given up as soon as it is cancelled.

    :raises CommandError: it failed, was cancelled, or did not answer.
    """

    def failure(exit_code: int | None, text: str) -> CommandError:
        return CommandError(what, command=command, exit_code=exit_code, stderr=text)

    deadline = monotonic() + _DOCKER_SECONDS
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        while not cancelled.is_set() and monotonic() < deadline:
            with contextlib.suppress(subprocess.TimeoutExpired):
                answer, errors = process.communicate(timeout=_POLL_SECONDS)
                if process.returncode:
                    raise failure(process.returncode, errors.decode(errors="replace").strip())
                return answer
        os.killpg(process.pid, signal.SIGKILL)
    timeout = f"no answer within {_DOCKER_SECONDS:g} seconds"
    raise failure(None, "cancelled" if cancelled.is_set() else timeout)


def list_clusters() -> list[str]:
    """Names of all kind clusters on this machine.

    :raises CommandError: kind or Docker failed.
    """
    names = run(["kind", "get", "clusters"], what="kind could not list its clusters", timeout=30)
    return names.decode().split()


def _step(line: str) -> str | None:
    """What kind is doing, from ` • Preparing nodes 📦  ...`; None for other lines."""
    found = re.match(r"\s*•\s+([\x20-\x7e≤]+)", line)
    return found[1].strip() if found else None
