"""The namespace that an environment's Pods live in."""

from __future__ import annotations

import logging
from threading import Event
from time import monotonic

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import EngineError
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.kubernetes.api import ClusterApi
from kecs_server.engines.kubernetes.api import Right
from kecs_server.engines.kubernetes.api_errors import ApiError
from kecs_server.engines.kubernetes.labels import environment_labels
from kecs_server.engines.kubernetes.pods import build_pod
from kecs_server.engines.kubernetes.reap import delete_tasks

_log = logging.getLogger(__name__)

_SETTLE_SECONDS = 60.0
_PAUSE = 0.1


class Namespace:
    """One namespace per environment, named like it; or an existing one, which is kept.

    A namespace per test would cost its creation, a ServiceAccount and cluster-wide rights.
    """

    def __init__(self, api: ClusterApi, environment: str, existing: str | None) -> None:
        self.name = existing or environment
        self._api = api
        self._environment = environment
        self._is_ours = existing is None
        self._closing = Event()

    def open(self) -> None:
        """:raises EngineError: it cannot be made, or Pods cannot be created in it."""
        self._check_rights()
        if not self._is_ours:
            self._check_pods(f"in the namespace {self.name}")
            return
        try:
            self._api.create_namespace(self.name, environment_labels(self._environment))
        except ApiError as error:
            raise EngineError(
                f"The namespace {self.name} cannot be created: {error.message}\n"
                "Give the name of an existing namespace, or a user who may create namespaces."
            ) from None
        self._settle()

    def cancel(self) -> None:
        """End `open` soon. Thread-safe."""
        self._closing.set()

    def close(self, timeout: float) -> None:
        """Delete the tasks and the namespace; wait for its end, but not longer than `timeout`
        seconds: Kubernetes goes on without us.

        :raises EngineError: the cluster refuses or does not answer.
        """
        delete_tasks(self._api, self.name, self._environment)
        self._api.delete_lease(self.name, self._environment)
        if not self._is_ours:
            return
        self._api.delete_namespace(self.name)
        deadline = monotonic() + timeout
        while self._api.namespace_exists(self.name):
            if monotonic() > deadline:
                _log.warning("The namespace %s is still being deleted", self.name)
                return
            Event().wait(_PAUSE)

    def _settle(self) -> None:
        """Wait until Pods can be created: Kubernetes makes the namespace's ServiceAccount a
        little later (12 s after kind calls a cluster ready), and until then refuses Pods with the
        same 403 as for a missing right.
        """
        deadline = monotonic() + _SETTLE_SECONDS
        while True:
            try:
                self._check_pods(f"in the new namespace {self.name}")
                return
            except EngineError:
                if monotonic() > deadline or self._closing.wait(_PAUSE):
                    raise

    def _check_rights(self) -> None:
        try:
            missing = [each for each in _RIGHTS if not self._api.is_allowed(self.name, each)]
        except ApiError as error:
            _log.info("Did not check the rights: %s", error)
            return
        if missing:
            raise EngineError(
                f"In the namespace {self.name} of the cluster at {self._api.host} we may not "
                f"{', '.join(str(each) for each in missing)}. The engine needs a Role that grants "
                f"{', '.join(str(each) for each in _RIGHTS)}; bind one to the kubeconfig's user."
            )

    def _check_pods(self, where: str) -> None:
        sample = build_pod(_SAMPLE, self._environment)
        try:
            self._api.check_pod(self.name, sample)
        except ApiError as error:
            raise EngineError(f"Pods cannot be created {where}: {error.message}") from None


_RIGHTS = (
    *(Right(verb=verb, resource="pods") for verb in ("create", "patch", "delete", "list", "watch")),
    Right(verb="get", resource="pods", subresource="log"),
    # Nobody's secrets are read, not even our own.
    *(Right(verb=verb, resource="secrets") for verb in ("create", "delete", "deletecollection")),
    # A connection's verb is `get`, and from Kubernetes 1.35 on also `create`.
    *(
        Right(verb=verb, resource="pods", subresource=subresource)
        for subresource in ("exec", "portforward")
        for verb in ("get", "create")
    ),
    *(
        Right(verb=verb, resource="leases", group="coordination.k8s.io")
        for verb in ("create", "patch", "delete", "list")
    ),
)
_SAMPLE = TaskSpec(
    task_id="0" * 32,
    task_arn="arn:aws:ecs:us-east-1:123456789012:task/check",
    family="check",
    containers=(ContainerSpec(name="check", image="check"),),
)
