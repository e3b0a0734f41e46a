"""The kind CLI (https://kind.sigs.k8s.io), thinly wrapped: create, load, delete, list."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from kecs_server.engines.base import EngineError
from kecs_server.engines.base import Progress
from kecs_server.engines.kubernetes.commands import CommandError
from kecs_server.engines.kubernetes.commands import LongCommand
from kecs_server.engines.kubernetes.commands import require
from kecs_server.engines.kubernetes.commands import run

_log = logging.getLogger(__name__)

CLUSTER_LABEL = "io.x-k8s.kind.cluster"
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


def require_tools() -> None:
    """Check that kind and a Docker daemon are there.

    :raises ToolMissing: `kind` or `docker` is not installed.
    :raises DockerNotAnswering: no daemon behind the docker command.
    """
    require("kind", _KIND_ADVICE)
    require("docker", _DOCKER_ADVICE)
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        run(command, what="docker does not answer", timeout=20)
    except CommandError as error:
        raise DockerNotAnswering(
            f"`docker` is installed but its daemon does not answer: {error.stderr}\n"
            "Start Docker (or point DOCKER_HOST at a running one), or use the engine `process`."
        ) from None


class Kind:
    """One cluster of the kind CLI, known by its name; kubectl's own configuration is not touched.

    :param kubeconfig: private file, written by `create`.
    """

    def __init__(self, name: str, kubeconfig: Path) -> None:
        self.name = name
        self.kubeconfig = kubeconfig
        self._creation: LongCommand | None = None
        self._cancelled = False

    def create(self, *, image: str | None, progress: Progress, timeout: float) -> None:
        """Create the cluster and wait until its node is ready.

        :param image: node image; None: the one that this kind was released with.
        :param timeout: seconds for everything.
        :raises CommandError: it failed or was cancelled. No part of the cluster is left.
        """
        command = ["kind", "create", "cluster", "--name", self.name]
        command += ["--kubeconfig", str(self.kubeconfig), "--wait", f"{timeout:.0f}s"]
        if image is not None:
            command += ["--image", image]
        creation = LongCommand(command, what=f"kind could not create the cluster {self.name}")
        self._creation = creation
        if self._cancelled:
            creation.cancel()

        def report(line: str) -> None:
            step = _step(line)
            if step:
                progress(f"creating kind cluster {self.name}: {step}")

        try:
            creation.run(report, timeout)
        except BaseException:
            self._clear()
            raise

    def cancel(self) -> None:
        """End a running `create`, and refuse a later one. Thread-safe."""
        self._cancelled = True
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

    def node_names(self) -> list[str]:
        """The cluster's nodes, which are Docker containers of the same names, running or not.

        :raises CommandError: Docker failed.
        """
        command = ["docker", "ps", "--all", "--filter", f"label={CLUSTER_LABEL}={self.name}"]
        command += ["--format", "{{.Names}}"]
        what = f"docker could not list the nodes of {self.name}"
        return run(command, what=what, timeout=30).decode().split()

    def _clear(self) -> None:
        """Delete what a failed creation left. A `docker run` that was cut off may still bring
        forth its node a moment later, so look again.
        """
        try:
            for _ in range(3):
                self.delete()
                if not self.node_names():
                    return
        except CommandError:
            _log.exception("The cluster %s may be left behind", self.name)


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
