"""Drives an engine as the agent does, and remembers what it said."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Condition
from threading import Lock
from threading import Thread
from time import monotonic
from typing import Any
from typing import TypeVar

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import Observation
from kecs_server.engines.base import Provisioned
from kecs_server.engines.base import Removed
from kecs_server.engines.base import TaskLost
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.kubernetes.engine import KubernetesEngine
from written import Written
from written import read_all

Seen = TypeVar("Seen", bound=Observation)
SECONDS = 40.0


class Driver:
    def __init__(self, engine: KubernetesEngine) -> None:
        self.engine = engine
        self.phases: list[str] = []
        self._seen: list[tuple[float, Observation]] = []
        self._changed = Condition()
        self._tasks: list[str] = []

    def observe(self, observation: Observation) -> None:
        with self._changed:
            self._seen.append((monotonic(), observation))
            self._changed.notify_all()

    def progress(self, phase: str) -> None:
        self.phases.append(phase)

    def provision(self, *containers: ContainerSpec, family: str = "family", **task: Any) -> str:
        task_id = uuid.uuid4().hex
        self._tasks.append(task_id)
        arn = f"arn:aws:ecs:us-east-1:123456789012:task/default/{task_id}"
        self.engine.provision(
            TaskSpec(task_id=task_id, task_arn=arn, family=family, containers=containers, **task)
        )
        self.wait(task_id, Provisioned)
        return task_id

    def start(self, *containers: ContainerSpec, **task: Any) -> str:
        """Provision a task and start all its containers."""
        task_id = self.provision(*containers, **task)
        for container in containers:
            self.engine.start_container(task_id, container.name)
        return task_id

    def run(self, *containers: ContainerSpec) -> str:
        """Start a task and wait until all its containers run."""
        task_id = self.start(*containers)
        for container in containers:
            self.started(task_id, container.name)
        return task_id

    def execute(
        self, task_id: str, container: str, script: str, *, timeout: float = SECONDS
    ) -> tuple[int | None, bytes]:
        """Run a script in a container; exit code and output."""
        command = ["sh", "-c", script]
        ended = self.engine.execute(task_id, container, command, timeout).result(SECONDS)
        return ended.exit_code, ended.output

    def started(self, task_id: str, container: str) -> ContainerStarted:
        return self.wait(task_id, ContainerStarted, lambda seen: seen.container == container)

    def stopped(self, task_id: str, container: str) -> ContainerStopped:
        return self.wait(task_id, ContainerStopped, lambda seen: seen.container == container)

    def remove(self, task_id: str) -> None:
        self.engine.remove(task_id)
        self.wait(task_id, Removed)

    def remove_all(self) -> None:
        """End what a test left, and check what must hold for every task."""
        for task_id in self._tasks:
            self.engine.remove(task_id)
        for task_id in self._tasks:
            self.wait(task_id, Removed)
            seen = self.seen(task_id)
            assert isinstance(seen[-1], Removed), seen
            for each in seen:
                if isinstance(each, ContainerStopped):
                    self._check_stops(task_id, each.container)
            self.engine.discard(task_id)
        self._tasks.clear()

    def _check_stops(self, task_id: str, container: str) -> None:
        """One stop for each start; one that failed to start, as the last, stops only."""
        ours = [e for e in self.seen(task_id) if getattr(e, "container", None) == container]
        starts = [each for each in ours if isinstance(each, ContainerStarted)]
        stops = [each for each in ours if isinstance(each, ContainerStopped)]
        assert len(stops) - len(starts) in (0, 1), ours

    def logs(self, task_id: str, container: str) -> Written:
        log = self.engine.logs(task_id, container)
        ours = [e for e in self.seen(task_id) if getattr(e, "container", None) == container]
        if ours and isinstance(ours[-1], ContainerStopped):
            log.wait_for_end(SECONDS)
        return read_all(log)

    def seen(self, task_id: str) -> list[Observation]:
        with self._changed:
            return [each for _, each in self._seen if each.task_id == task_id]

    def at(self, observation: Observation) -> float:
        """When it was observed (monotonic)."""
        return next(at for at, each in self._seen if each is observation)

    def wait(
        self,
        task_id: str,
        kind: type[Seen],
        is_it: Callable[[Seen], bool] = lambda _: True,
        *,
        seconds: float = SECONDS,
    ) -> Seen:
        deadline = monotonic() + seconds
        with self._changed:
            while True:
                for _, each in self._seen:
                    if each.task_id == task_id and isinstance(each, kind) and is_it(each):
                        return each
                left = deadline - monotonic()
                assert left > 0, f"no {kind.__name__}; saw {self.seen(task_id)}"
                lost = [e for _, e in self._seen if e.task_id == task_id and type(e) is TaskLost]
                assert not lost or kind in (Removed, TaskLost), lost
                self._changed.wait(left)


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A kind cluster, reached with the tools that a person would use."""

    name: str
    kubeconfig: Path

    @property
    def node(self) -> str:
        return f"{self.name}-control-plane"

    def kubectl(self, *arguments: str) -> str:
        command = ["kubectl", "--kubeconfig", str(self.kubeconfig), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def restart_api_server(self) -> None:
        """Kill it; kubelet starts it again a few seconds later."""
        command = ["docker", "exec", self.node, "sh", "-c", "kill -9 $(pidof kube-apiserver)"]
        subprocess.run(command, check=True, capture_output=True)

    def kubelet(self, what: str) -> None:
        """`stop` it: the node does nothing any more, and its containers run on; or `start` it."""
        command = ["docker", "exec", self.node, "systemctl", what, "kubelet"]
        subprocess.run(command, check=True, capture_output=True)

    def cordon(self) -> None:
        """Let the node take no more Pods; the taint shows that the cluster knows."""
        self.kubectl("cordon", self.node)
        taints = "jsonpath={.spec.taints}"
        while "unschedulable" not in self.kubectl("get", "node", self.node, "-o", taints):
            pass

    def load(self, image: str) -> None:
        command = ["kind", "load", "docker-image", image, "--name", self.name]
        subprocess.run(command, check=True, capture_output=True)

    def namespaces(self) -> list[str]:
        return self.kubectl("get", "namespaces", "-o", "name").replace("namespace/", "").split()

    def settle(self, namespace: str) -> None:
        """Wait for the ServiceAccount of a new namespace, without which it takes no Pods."""
        while "default" not in self.kubectl(
            "get", "serviceaccounts", "-n", namespace, "-o", "name"
        ):
            pass

    def user(self, namespace: str, kubeconfig: Path) -> Path:
        """A kubeconfig of somebody who may do nothing until a Role allows it."""
        self.settle(namespace)
        secret = "jsonpath={.secrets[0].name}"
        while not (name := self.kubectl("get", "sa", "default", "-n", namespace, "-o", secret)):
            pass
        token = self.kubectl(
            "get", "secret", name, "-n", namespace, "-o", "go-template={{.data.token|base64decode}}"
        )
        kubeconfig.write_text(self.kubeconfig.read_text())
        config = ["kubectl", "--kubeconfig", str(kubeconfig), "config"]
        for change in (
            ["set-credentials", "user", f"--token={token}"],
            ["set-context", "--current", "--user=user"],
        ):
            subprocess.run([*config, *change], check=True, capture_output=True)
        return kubeconfig

    def pods(self, driver: Driver, task_id: str) -> list[dict[str, Any]]:
        """The Pods of a task, as the API has them: one or none."""
        namespace = driver.engine._environment
        selector = f"kecs/task-id={task_id}"
        text = self.kubectl("get", "pods", "-n", namespace, "-l", selector, "-o", "json")
        return list(json.loads(text)["items"])

    def pod(self, driver: Driver, task_id: str) -> dict[str, Any]:
        (pod,) = self.pods(driver, task_id)
        return pod

    def delete_pod(self, driver: Driver, task_id: str, *arguments: str) -> None:
        namespace = driver.engine._environment
        name = self.pod(driver, task_id)["metadata"]["name"]
        self.kubectl("delete", "pod", name, "-n", namespace, "--wait=false", *arguments)

    def evict(self, driver: Driver, task_id: str) -> None:
        """Ask for the Pod's eviction, as `kubectl drain` does for all Pods of a node."""
        pod = self.pod(driver, task_id)["metadata"]
        body = {
            "apiVersion": "policy/v1beta1" if self.is_old else "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod["name"], "namespace": pod["namespace"]},
        }
        path = f"/api/v1/namespaces/{pod['namespace']}/pods/{pod['name']}/eviction"
        command = ["kubectl", "--kubeconfig", str(self.kubeconfig), "create", "--raw", path]
        subprocess.run(
            [*command, "-f", "-"], check=True, capture_output=True, input=json.dumps(body).encode()
        )

    @property
    def is_old(self) -> bool:
        """Before Kubernetes 1.22, when evictions changed their version."""
        return int(json.loads(self.kubectl("version", "-o", "json"))["serverVersion"]["minor"]) < 22


class Gateway:
    """Stands between the engine and the API server, and can be shut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._is_open = True
        self._lock = Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[Thread] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._spawn(self._accept)

    def open(self) -> None:
        self._is_open = True

    def shut(self) -> None:
        """Cut all connections, and refuse new ones."""
        self._is_open = False
        with self._lock:
            for pair in self._pairs:
                for each in pair:
                    with suppress(OSError):
                        each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.shut()
        self._server.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                if not self._is_open:
                    near.close()
                    continue
                far = socket.create_connection(self._target)
                with self._lock:
                    self._pairs.append((near, far))
                self._spawn(self._carry, near, far)

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        with near, far:
            ends = {near: far, far: near}
            with suppress(OSError):
                while True:
                    for each in select.select(list(ends), [], [])[0]:
                        data = each.recv(1 << 16)
                        if not data:
                            return
                        ends[each].sendall(data)

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        thread = Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()
