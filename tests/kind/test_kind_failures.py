"""Containers that cannot start, Pods that vanish, a watch with gaps."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import Mount
from kecs_server.engines.base import Provisioned
from kecs_server.engines.base import PullStarted
from kecs_server.engines.base import PullStopped
from kecs_server.engines.base import TaskEnding
from kecs_server.engines.base import TaskLost
from kecs_server.engines.base import Tmpfs
from kecs_server.engines.base import Volume
from kecs_server.engines.base import VolumeKind
from kecs_server.engines.kubernetes import reasons
from kecs_server.engines.kubernetes import tasks
from kecs_server.engines.kubernetes.clusters import KubeconfigCluster
from kecs_server.engines.kubernetes.engine import KubernetesEngine
from kind_driver import Driver
from kind_driver import Gateway
from kind_driver import Lab
from test_kind_order import POLITE
from test_kind_order import wait_for_output
from test_kind_tasks import shell


def never_started(driver: Driver, task: str, container: str) -> str:
    """Why the container failed, after a check that it never ran."""
    stopped = driver.stopped(task, container)
    assert stopped.exit_code is None
    started = [e for e in driver.seen(task) if isinstance(e, ContainerStarted)]
    assert container not in [each.container for each in started]
    assert stopped.reason is not None
    return stopped.reason


def test_a_command_that_does_not_exist(driver: Driver, image: str) -> None:
    task = driver.start(
        ContainerSpec(name="app", image=image, command=("no-such-command",)),
        ContainerSpec(name="wd", image=image, command=("true",), working_directory="/etc/passwd"),
    )

    reason = never_started(driver, task, "app")

    assert reason.startswith(
        "CannotStartContainerError: Error response from daemon: failed to create task for "
        "container: failed to create shim task: OCI runtime create failed: "
    )
    assert 'exec: "no-such-command": executable file not found in $PATH' in reason
    assert never_started(driver, task, "wd").startswith("CannotStartContainerError: ")


def test_an_image_that_is_nowhere(driver: Driver, image: str) -> None:
    task = driver.start(
        ContainerSpec(name="app", image="no-such-registry.invalid/nothing:1", command=("true",)),
        ContainerSpec(name="odd", image="Not:a:name", command=("true",)),
        shell("fine", "exit 0", image),
    )

    reason = never_started(driver, task, "app")

    assert reason.startswith(
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
        "failed to resolve ref no-such-registry.invalid/nothing:1: "
    )
    assert never_started(driver, task, "odd").startswith("CannotPullContainerError: ")
    assert driver.stopped(task, "fine").exit_code == 0


def test_a_pull_that_is_made_to_fail(driver: Driver, image: str) -> None:
    app = ContainerSpec(name="app", image=image, pull_error="manifest unknown")

    task = driver.start(app)

    assert never_started(driver, task, "app") == "CannotPullContainerError: manifest unknown"
    kinds = [type(each) for each in driver.seen(task)]
    assert kinds == [Provisioned, PullStarted, PullStopped, ContainerStopped]


def test_a_pod_that_the_api_refuses(driver: Driver, image: str) -> None:
    task = driver.start(shell("app", "true", image, environment={"not a name": "x"}))

    lost = driver.wait(task, TaskLost)

    assert "Invalid value" in lost.reason
    assert never_started(driver, task, "app").startswith("CannotStartContainerError: the Pod")


def test_a_pod_deleted_by_hand(driver: Driver, image: str, lab: Lab) -> None:
    task = driver.run(shell("app", POLITE, image), shell("other", "exec sleep 1000", image))
    wait_for_output(driver, task, "app")

    lab.delete_pod(driver, task, "--grace-period=2")

    lost = driver.wait(task, TaskLost)
    assert "deleted" in lost.reason
    ends = {e.container: e for e in driver.seen(task) if isinstance(e, ContainerStopped)}
    assert (ends["app"].exit_code, ends["other"].exit_code) == (9, 137)
    assert driver.logs(task, "app").stdout == b"ready\n"


def test_a_pod_deleted_by_hand_at_once(driver: Driver, image: str, lab: Lab) -> None:
    """Nobody has seen how its containers ended, so nobody says."""
    task = driver.run(shell("app", POLITE, image), shell("done", "exit 5", image))
    driver.stopped(task, "done")

    lab.delete_pod(driver, task, "--grace-period=0", "--force")

    driver.wait(task, TaskLost)
    ends = {e.container: e for e in driver.seen(task) if isinstance(e, ContainerStopped)}
    assert ends["done"].exit_code == 5
    assert ends["app"].exit_code is None
    assert ends["app"].reason is not None
    assert "exit code unknown" in ends["app"].reason


def test_a_pod_deleted_while_its_node_does_not_answer(
    kind: Driver, image: str, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left alone, it would be there as long as the node does not."""
    monkeypatch.setattr(tasks, "_FORCE_SECONDS", 1)
    task = kind.run(shell("app", POLITE, image))
    lab.kubelet("stop")
    try:
        lab.delete_pod(kind, task, "--grace-period=1")

        assert kind.wait(task, TaskEnding).reason == reasons.POD_DELETED
        assert kind.wait(task, TaskLost).reason == reasons.POD_DELETED
        assert kind.stopped(task, "app").exit_code is None
    finally:
        lab.kubelet("start")
    kind.remove_all()


def test_a_pod_that_the_cluster_ends(driver: Driver, image: str, lab: Lab) -> None:
    task = driver.run(shell("app", "exec sleep 1000", image, stop_timeout=1))
    name = lab.pod(driver, task)["metadata"]["name"]
    patch = '{"spec": {"activeDeadlineSeconds": 1}}'

    lab.kubectl("patch", "pod", name, "-n", driver.engine._environment, "-p", patch)

    assert driver.wait(task, TaskLost).reason.startswith("DeadlineExceeded")
    driver.remove(task)
    assert lab.pods(driver, task) == []


def test_the_watch_breaks_and_nothing_is_missed(driver: Driver, image: str) -> None:
    watch = driver.engine._tasks._watch  # type: ignore[union-attr]
    task = driver.run(shell("app", POLITE, image))
    wait_for_output(driver, task, "app")

    watch.interrupt()
    driver.engine.stop_containers(task, ["app"])
    watch.interrupt()

    assert driver.stopped(task, "app").exit_code == 9


def test_the_api_server_restarts(
    kind: Driver, gateway: Gateway, remote: Driver, image: str, lab: Lab
) -> None:
    """Nothing is missed by who was watching. Who was cut off meanwhile reads from the Pods that
    are left what ended; Pods that are gone are lost.
    """
    watched = kind.run(shell("app", POLITE, image))
    wait_for_output(kind, watched, "app")
    kept = remote.run(shell("app", "sleep 1; exit 7", image))
    gone = remote.run(shell("app", POLITE, image))
    gateway.shut()
    lab.delete_pod(remote, gone, "--grace-period=0", "--force")
    lab.kubectl("wait", "pod", "-A", "-l", f"kecs/task-id={gone}", "--for=delete")

    lab.restart_api_server()
    # A server that has just started knows nothing of so old a version: 410 Gone.
    remote.engine._tasks._watch._version = "1"  # type: ignore[union-attr]
    gateway.open()
    kind.engine.stop_containers(watched, ["app"])
    then = kind.start(shell("app", "exit 6", image))

    assert kind.stopped(watched, "app").exit_code == 9
    assert kind.stopped(then, "app").exit_code == 6
    assert remote.stopped(kept, "app").exit_code == 7
    assert "nobody saw" in remote.wait(gone, TaskLost).reason
    assert "exit code unknown" in str(remote.stopped(gone, "app").reason)
    kind.remove_all()


def test_a_cluster_that_does_not_come_back(gateway: Gateway, remote: Driver, image: str) -> None:
    task = remote.run(shell("app", POLITE, image))

    gateway.shut()

    assert "does not answer" in remote.wait(task, TaskLost).reason
    assert remote.stopped(task, "app").exit_code is None
    gateway.open()


def test_commands_that_are_no_programs(driver: Driver, image: str) -> None:
    volume, mounts = Volume(name="v", kind=VolumeKind.TASK), (Mount(volume="v", path="/v"),)
    make = r"printf '\000\001\002' > /v/binary; chmod 755 /v/binary; exit 0"
    binary = ContainerSpec(name="binary", image=image, command=("/v/binary",), mounts=mounts)
    directory = ContainerSpec(name="directory", image=image, command=("/etc",))
    closed = ContainerSpec(name="closed", image=image, command=("/etc/passwd",))
    make_it = shell("make", make, image, mounts=mounts)
    task = driver.provision(make_it, binary, directory, closed, volumes=(volume,))
    for name in ("make", "directory", "closed"):
        driver.engine.start_container(task, name)
    assert driver.stopped(task, "make").exit_code == 0
    driver.engine.start_container(task, "binary")

    for name in ("directory", "closed"):
        reason = never_started(driver, task, name)
        assert reason.startswith("CannotStartContainerError: Error response from daemon: ")
        assert "permission denied" in reason
    # The runtime has begun when it finds out that it cannot go on as this program.
    assert driver.stopped(task, "binary").exit_code not in (0, None)
    logs = driver.logs(task, "binary")
    assert b"exec format error" in logs.stdout + logs.stderr


def test_a_pod_that_is_evicted_by_the_api(driver: Driver, image: str, lab: Lab) -> None:
    """As `kubectl drain` does."""
    task = driver.run(shell("app", POLITE, image, stop_timeout=5))
    wait_for_output(driver, task, "app")

    lab.evict(driver, task)

    # Before 1.26 a Pod does not say that its deletion is an eviction.
    evicted = reasons.evicted("Eviction API: evicting")
    assert driver.wait(task, TaskEnding).reason in (evicted, reasons.POD_DELETED)
    assert driver.stopped(task, "app").exit_code == 9


def test_a_pod_that_kubelet_evicts(kind: Driver, image: str) -> None:
    """It looks after the size of volumes in memory; newer ones make them no larger."""
    fill = "dd if=/dev/zero of=/fast/file bs=1M count=32 || exit 3; exec sleep 1000"
    fast = (Tmpfs(path="/fast", size=4),)
    task = kind.start(shell("app", fill, image, tmpfs=fast, stop_timeout=1))

    # Every 10 s, on figures that may be a minute old.
    stopped = kind.wait(task, ContainerStopped, seconds=150)

    if stopped.exit_code != 3:
        assert kind.wait(task, TaskLost).reason.startswith("The Pod was evicted: ")
        told = [type(e) for e in kind.seen(task) if isinstance(e, (TaskEnding, ContainerStopped))]
        assert told == [TaskEnding, ContainerStopped]
    kind.remove_all()


def test_a_pod_that_no_node_takes(lab: Lab, image: str, tmp_path: Path) -> None:
    cluster = KubeconfigCluster(kubeconfig=lab.kubeconfig)
    engine = KubernetesEngine(
        environment_name=f"kecs-{secrets.token_hex(3)}",
        directory=tmp_path,
        cluster=cluster,
        no_room_after=1,
    )
    driver = Driver(engine)
    engine.open(driver.observe, driver.progress)
    try:
        large = driver.start(shell("app", "true", image, memory=5_000_000))
        lab.cordon()
        late = driver.start(shell("app", "true", image))

        reason = driver.wait(large, TaskLost).reason
        assert reason.startswith("RESOURCE:MEMORY: 0/1 nodes are available: ")
        assert never_started(driver, large, "app") == f"CannotStartContainerError: {reason}"
        assert driver.wait(late, TaskLost).reason.startswith("no node takes the Pod: ")
        driver.remove_all()
        assert lab.pods(driver, large) == []
    finally:
        lab.kubectl("uncordon", lab.node)
        engine.close()
