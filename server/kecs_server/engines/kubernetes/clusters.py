"""Where a cluster comes from: made with kind for one environment, or reached by a kubeconfig."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kecs_server.engines.base import Progress
from kecs_server.engines.kubernetes.images import LocalImages
from kecs_server.engines.kubernetes.kind import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach a cluster; None is kubectl's own default."""

    kubeconfig: Path | None
    context: str | None


class Cluster(Protocol):
    """A cluster for one environment.

    engine_name: what the engine is then called.
    namespace: an existing one to work in, which is kept; None: one is made.
    is_disposable: the cluster is ours alone and goes with the environment.
    has_nodes: its nodes are local Docker containers (`nodes` works).
    """

    engine_name: str
    namespace: str | None
    is_disposable: bool
    has_nodes: bool

    def open(self, environment: str, directory: Path, progress: Progress) -> Access:
        """Have the cluster ready.

        :raises EngineError: it cannot be had; nothing is left behind.
        """

    def provide_image(self, image: str) -> None:
        """Do what can be done so that the cluster finds this image.

        :raises EngineError: it should have worked and did not.
        """

    def cancel(self) -> None:
        """Make a running or later `open` fail soon. Thread-safe."""

    def close(self) -> None:
        """Delete what `open` made; nothing when it made nothing.

        :raises EngineError: something may be left behind.
        """


class KindCluster:
    """A kind cluster, named like the environment.

    :param image: node image; None: the one that the installed kind was released with.
    :param timeout: seconds that its creation may take.
    """

    engine_name = "kind"
    namespace: str | None = None
    is_disposable = True
    has_nodes = True

    def __init__(self, *, image: str | None = None, timeout: float = 300.0) -> None:
        self._image = image
        self._timeout = timeout
        self._cancelled = False
        self._kind: Kind | None = None
        self._is_ours = False
        self._images: LocalImages | None = None

    def open(self, environment: str, directory: Path, progress: Progress) -> Access:
        kubeconfig = directory / "kubeconfig"
        kind = Kind(environment, kubeconfig)
        self._kind = kind
        if self._cancelled:
            kind.cancel()
        kind.check()
        self._is_ours = True
        progress(f"creating kind cluster {environment}")
        kind.create(image=self._image, progress=progress, timeout=self._timeout)
        self._images = LocalImages(kind.load)
        return Access(kubeconfig=kubeconfig, context=None)

    def provide_image(self, image: str) -> None:
        if self._images is not None:
            self._images.ensure(image)

    def cancel(self) -> None:
        self._cancelled = True
        if self._kind is not None:
            self._kind.cancel()

    def close(self) -> None:
        if self._kind is not None and self._is_ours:
            self._kind.delete()
            self._is_ours = False


class KubeconfigCluster:
    """A cluster that exists already.

    :param kubeconfig: None: `$KUBECONFIG`, else `~/.kube/config`.
    :param context: None: the file's current one.
    :param namespace: an existing one; then a Role for Pods, their logs and Leases is enough.
    """

    engine_name = "kubernetes"
    is_disposable = False
    has_nodes = False

    def __init__(
        self,
        *,
        kubeconfig: Path | None = None,
        context: str | None = None,
        namespace: str | None = None,
    ) -> None:
        self._access = Access(kubeconfig=kubeconfig, context=context)
        self.namespace = namespace

    def open(self, environment: str, directory: Path, progress: Progress) -> Access:
        return self._access

    def provide_image(self, image: str) -> None:
        """The cluster pulls its images itself."""

    def cancel(self) -> None:
        """`open` does not wait for anything."""

    def close(self) -> None:
        """The cluster stays."""
