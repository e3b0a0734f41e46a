"""The kubernetes engine: opening, closing and the commands of the contract."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from threading import Lock

from kecs_server.domain.faults import BlackHole
from kecs_server.domain.faults import PacketLoss
from kecs_server.domain.hosts import Hosts
from kecs_server.domain.instance import UNKNOWN_HOST
from kecs_server.domain.instance import Host
from kecs_server.engines.base import EngineError
from kecs_server.engines.base import ExecResult
from kecs_server.engines.base import Observer
from kecs_server.engines.base import Progress
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.base import Usage
from kecs_server.engines.kubernetes.api import ClusterApi
from kecs_server.engines.kubernetes.api import connect
from kecs_server.engines.kubernetes.api_errors import ApiError
from kecs_server.engines.kubernetes.clusters import Access
from kecs_server.engines.kubernetes.clusters import Cluster
from kecs_server.engines.kubernetes.executions import refused
from kecs_server.engines.kubernetes.hosts import NodeHosts
from kecs_server.engines.kubernetes.lease import LeaseKeeper
from kecs_server.engines.kubernetes.namespace import Namespace
from kecs_server.engines.kubernetes.reap import reap
from kecs_server.engines.kubernetes.relay import open_relay
from kecs_server.engines.kubernetes.tasks import Tasks
from kecs_server.engines.logs import ContainerLog

_log = logging.getLogger(__name__)

_CLOSE_SECONDS = 20.0
_OPENING_SECONDS = 150.0
_NOT_OPEN = "the engine is not open"


class KubernetesEngine:
    """One Pod per task, in a namespace for the environment.

    :param environment_name: a DNS label; names the namespace and, on kind, the cluster.
    :param directory: the environment's own; kubeconfig and logs go there.
    :param tell_hosts: is told of the nodes when it opens, and whenever they have changed.
    :param relay: has the server listen at another address of this machine too, for Pods, and
        returns the port; None: Pods do without their agent's address.
    :param unreachable_after: seconds without an answer of the API server after which all tasks
        count as lost.
    :param no_room_after: seconds for which no node takes a Pod after which its task is lost.
    """

    def __init__(
        self,
        *,
        environment_name: str,
        directory: Path,
        cluster: Cluster,
        tell_hosts: Callable[[Hosts], None] = lambda hosts: None,
        relay: Callable[[str], int] | None = None,
        unreachable_after: float = 60.0,
        no_room_after: float = 60.0,
    ) -> None:
        self.name = cluster.engine_name
        self._environment = environment_name
        self._directory = directory
        self._cluster = cluster
        self._tell_hosts = tell_hosts
        self._relay = relay
        self._unreachable_after = unreachable_after
        self._no_room_after = no_room_after
        self._closing = Event()
        self._opening = Lock()
        self._stack = ExitStack()
        self._namespace: Namespace | None = None
        self._tasks: Tasks | None = None
        self._hosts: Sequence[Host] = (UNKNOWN_HOST,)

    def open(self, observe: Observer, progress: Progress) -> None:
        with self._opening:
            try:
                self._refuse_if_closing()
                self._open(observe, progress)
            except BaseException:
                self._undo()
                raise

    def hosts(self) -> Sequence[Host]:
        return self._hosts

    def provision(self, spec: TaskSpec) -> None:
        if self._tasks is not None:
            self._tasks.provision(spec)

    def start_container(self, task_id: str, container: str) -> None:
        if self._tasks is not None:
            self._tasks.start_container(task_id, container)

    def stop_containers(self, task_id: str, containers: Sequence[str]) -> None:
        if self._tasks is not None:
            self._tasks.stop_containers(task_id, containers)

    def execute(
        self, task_id: str, container: str, command: Sequence[str], timeout: float
    ) -> Future[ExecResult]:
        if self._tasks is None:
            return refused(_NOT_OPEN)
        return self._tasks.inside.execute(task_id, container, command, timeout)

    def usage(self, task_id: str, container: str) -> Usage | None:
        return self._tasks.inside.usage(task_id, container) if self._tasks is not None else None

    def storage(self, task_id: str) -> int | None:
        return self._tasks.inside.storage(task_id) if self._tasks is not None else None

    def locate(self, task_id: str, container: str, port: int) -> str | None:
        if self._tasks is None:
            raise ConnectionRefusedError(_NOT_OPEN)
        self._tasks.inside.locate(task_id, container, port)
        return None

    def connect(
        self, task_id: str, container: str, port: int, protocol: str = "tcp"
    ) -> socket.socket:
        if self._tasks is None:
            raise ConnectionRefusedError(_NOT_OPEN)
        return self._tasks.inside.connect(task_id, container, port, protocol)

    def listen(self, task_id: str, address: str, port: int) -> socket.socket:
        raise ConnectionRefusedError("nothing of this server listens in Pods")

    def lose_packets(self, task_id: str, fault: BlackHole | PacketLoss) -> None:
        raise ConnectionRefusedError("the packets of Pods are their cluster's affair")

    def keep_packets(self, task_id: str, fault: BlackHole | PacketLoss) -> None:
        self.lose_packets(task_id, fault)

    def remove(self, task_id: str) -> None:
        if self._tasks is not None:
            self._tasks.remove(task_id)

    def discard(self, task_id: str) -> None:
        if self._tasks is not None:
            self._tasks.discard(task_id)

    def logs(self, task_id: str, container: str) -> ContainerLog:
        if self._tasks is None:
            raise KeyError(task_id)
        return self._tasks.inside.logs(task_id, container)

    def close(self) -> None:
        self._closing.set()
        self._cluster.cancel()
        namespace = self._namespace
        if namespace is not None:
            namespace.cancel()
        # An `open` in another thread ends soon now, and clears up after itself.
        if not self._opening.acquire(timeout=_OPENING_SECONDS):
            _log.error("The engine %s is still opening; something may be left", self.name)
            return
        try:
            self._undo()
        finally:
            self._opening.release()

    def _open(self, observe: Observer, progress: Progress) -> None:
        self._stack.callback(self._cluster.close)
        access = self._cluster.open(self._environment, self._directory, progress)
        self._refuse_if_closing()
        progress("connecting to the cluster")
        api = self._connect(access)
        self._stack.callback(api.close)
        self._reap(api)
        nodes = NodeHosts(api, self._seen)
        self._stack.callback(nodes.close)
        nodes.open()
        if self._cluster.has_nodes and self._relay is not None:
            open_relay(api.node_names(), self._relay)
        self._refuse_if_closing()
        progress(f"preparing the namespace {self._cluster.namespace or self._environment}")
        namespace = Namespace(api, self._environment, self._cluster.namespace)
        self._namespace = namespace
        if not self._cluster.is_disposable:
            self._stack.callback(namespace.close, _CLOSE_SECONDS)
        namespace.open()
        lease = LeaseKeeper(api, namespace.name, self._environment)
        self._stack.callback(lease.close)
        lease.start()
        tasks = Tasks(
            api=api,
            cluster=self._cluster,
            environment=self._environment,
            namespace=namespace.name,
            directory=self._directory / "logs",
            observe=observe,
            unreachable_after=self._unreachable_after,
            no_room_after=self._no_room_after,
        )
        self._stack.callback(tasks.close)
        tasks.start()
        self._refuse_if_closing()
        self._tasks = tasks

    def _connect(self, access: Access) -> ClusterApi:
        api = connect(access.kubeconfig, access.context)
        try:
            version = api.server_version()
        except ApiError as error:
            api.close()
            raise EngineError(
                f"{error.message}\nCheck that the cluster runs and that the kubeconfig "
                f"{access.kubeconfig or '(default)'} is the right one."
            ) from None
        _log.info("Cluster at %s, Kubernetes %s", api.host, version)
        return api

    def _reap(self, api: ClusterApi) -> None:
        """What others left is no reason not to start; a user may be confined to a namespace."""
        try:
            reaped = reap(api, self._cluster.namespace)
        except ApiError as error:
            _log.info("Did not look for expired environments: %s", error)
            return
        if reaped:
            _log.warning("Deleted what was left of %s", ", ".join(reaped))

    def _seen(self, hosts: Hosts) -> None:
        self._hosts = hosts.usable
        self._tell_hosts(hosts)

    def _refuse_if_closing(self) -> None:
        if self._closing.is_set():
            raise EngineError(f"The engine {self.name} was closed while it was starting.")

    def _undo(self) -> None:
        """Close in reverse order whatever is open."""
        self._tasks = None
        self._namespace = None
        try:
            self._stack.close()
        except EngineError:
            _log.exception("Something of the environment %s may be left", self._environment)
