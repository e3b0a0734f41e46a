"""Pods that somebody else ends and nodes that come and go, and what ECS then says of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from kecs_server.credentials import derive_credentials
from kecs_server.engines.kubernetes import reasons
from kind_driver import Lab
from test_kind_order import POLITE

from pytest_kecs.admin import AdminClient
from pytest_kecs.kecs import Kecs
from pytest_kecs.launcher import Launcher
from pytest_kecs.launcher import LaunchOptions
from pytest_kecs.task import Task

DEAF = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
EVICTED = {
    reasons.evicted("Eviction API: evicting"),
    reasons.POD_DELETED,  # Before 1.26 a Pod does not say that its deletion is an eviction.
}


OTHER_NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "other", "labels": {"kubernetes.io/hostname": "other"}},
    "status": {
        "capacity": {"cpu": "2", "memory": "1Gi", "pods": "10"},
        "allocatable": {"cpu": "2", "memory": "1Gi", "pods": "10"},
    },
}
"""Without a kubelet."""


@pytest.fixture(scope="module")
def server(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    options = LaunchOptions(engine="kubernetes", kubeconfig=str(lab.kubeconfig))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KECS_HOME", str(tmp_path_factory.mktemp("home")))
        with Launcher(options) as launcher:
            launcher.start()
            yield launcher


@pytest.fixture
def ecs(server: Launcher, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A client in an account that has the cluster `default`."""
    key = derive_credentials(server.run_secret, "ends")
    with AdminClient(server.endpoint, key) as admin:
        admin.begin_realm(request.node.name)
        client = boto3.client(
            "ecs",
            region_name="us-east-1",
            endpoint_url=server.endpoint,
            aws_access_key_id=key.access_key,
            aws_secret_access_key=key.secret_key,
        )
        client.create_cluster()
        yield client
        client.close()
        admin.end_realm()


@pytest.fixture
def kecs(server: Launcher, ecs: Any) -> Iterator[Kecs]:
    with AdminClient(server.endpoint, derive_credentials(server.run_secret, "ends")) as admin:
        yield Kecs(ecs, admin)


def register(ecs: Any, image: str, **scripts: str) -> None:
    containers = [
        {"name": name, "image": image, "memory": 32, "command": ["sh", "-c", script]}
        for name, script in scripts.items()
    ]
    ecs.register_task_definition(family="app", containerDefinitions=containers)


def wait_for(has_come: Callable[[], object], otherwise: str) -> None:
    deadline = time.monotonic() + 30
    while not has_come():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def wait_ready(kecs: Kecs, task: Task | str, *containers: str) -> None:
    for container in containers:
        while "ready" not in kecs.logs(task, container):
            pass


def pod_of(lab: Lab, task: Task) -> tuple[str, str]:
    """Namespace and name."""
    where = "jsonpath={.items[0].metadata.namespace} {.items[0].metadata.name}"
    text = lab.kubectl("get", "pods", "-A", "-l", f"kecs/task-id={task.id}", "-o", where)
    namespace, name = text.split()
    return namespace, name


def delete_pod(lab: Lab, task: Task, *arguments: str) -> None:
    namespace, name = pod_of(lab, task)
    lab.kubectl("delete", "pod", name, "-n", namespace, "--wait=false", *arguments)


@pytest.mark.parametrize("grace", [2, 30])
def test_deleted_by_hand(kecs: Kecs, ecs: Any, lab: Lab, image: str, grace: int) -> None:
    deaf = DEAF if grace < 30 else POLITE
    register(ecs, image, polite=POLITE, deaf=deaf)
    task = kecs.run_task("app")
    wait_ready(kecs, task, "polite", "deaf")

    delete_pod(lab, task, f"--grace-period={grace}")

    stopped = kecs.wait_stopped(task)
    assert stopped["stoppedReason"] == reasons.POD_DELETED
    assert (stopped["stopCode"], stopped["desiredStatus"]) == ("TerminationNotice", "STOPPED")
    assert stopped.exit_codes == {"polite": 9, "deaf": 137 if grace < 30 else 9}
    assert kecs.logs(task, "polite") == "ready\n"


def test_deleted_by_hand_at_once(kecs: Kecs, ecs: Any, lab: Lab, image: str) -> None:
    """Nobody saw how its container ended; why it did is known all the same."""
    register(ecs, image, app=POLITE)
    task = kecs.run_task("app")
    kecs.wait_running(task)

    delete_pod(lab, task, "--grace-period=0", "--force")

    stopped = kecs.wait_stopped(task)
    assert stopped["stoppedReason"] == reasons.POD_DELETED
    assert stopped["stopCode"] == "TerminationNotice"
    [app] = stopped["containers"]
    assert "exitCode" not in app
    assert app["reason"] == reasons.unknown_exit(reasons.POD_DELETED)


def test_the_node_is_drained(kecs: Kecs, ecs: Any, lab: Lab, image: str) -> None:
    register(ecs, image, app=POLITE)
    task = kecs.run_task("app")
    wait_ready(kecs, task, "app")
    ours = f"--pod-selector=kecs/task-id={task.id}"
    try:
        lab.kubectl("drain", lab.node, ours, "--force", "--ignore-daemonsets")
    finally:
        lab.kubectl("uncordon", lab.node)

    stopped = kecs.wait_stopped(task)

    assert stopped["stoppedReason"] in EVICTED
    assert stopped["stopCode"] == "TerminationNotice"
    assert stopped.exit_codes == {"app": 9}


def test_nodes_come_and_go(kecs: Kecs, ecs: Any, lab: Lab, image: str, tmp_path: Path) -> None:
    register(ecs, image, app=POLITE)
    kecs.wait_running(kecs.run_task("app"))
    [arn] = instances(ecs)
    try:
        lab.cordon()
        wait_for(lambda: instances(ecs) == {arn: False}, "it is connected")
        answer = ecs.run_task(taskDefinition="app")
        assert [each["reason"] for each in answer["failures"]] == ["AGENT"]
    finally:
        lab.kubectl("uncordon", lab.node)
    wait_for(lambda: instances(ecs) == {arn: True}, "it is not connected")
    node = tmp_path / "node.json"
    node.write_text(json.dumps(OTHER_NODE))
    lab.kubectl("create", "-f", str(node))
    try:
        wait_for(lambda: len(instances(ecs)) == 2, "the node never came")
    finally:
        lab.kubectl("delete", "node", "other")
    wait_for(lambda: instances(ecs) == {arn: True}, "the node never went")


def instances(ecs: Any) -> dict[str, bool]:
    """Whether the agent of each instance is connected."""
    arns = ecs.list_container_instances()["containerInstanceArns"]
    found = ecs.describe_container_instances(containerInstances=arns)["containerInstances"]
    return {each["containerInstanceArn"]: each["agentConnected"] for each in found}


def test_a_service_replaces_a_task_whose_pod_was_deleted(
    kecs: Kecs, ecs: Any, lab: Lab, image: str
) -> None:
    register(ecs, image, app=POLITE)
    ecs.create_service(serviceName="web", taskDefinition="app", desiredCount=1)
    kecs.wait_stable("web")
    [arn] = ecs.list_tasks(serviceName="web")["taskArns"]

    delete_pod(lab, kecs.describe(arn), "--grace-period=1")

    assert kecs.wait_stopped(arn)["stoppedReason"] == reasons.POD_DELETED
    kecs.wait_stable("web")
    [other] = ecs.list_tasks(serviceName="web", desiredStatus="RUNNING")["taskArns"]
    assert other != arn
    assert kecs.wait_running(other)["startedBy"].startswith("ecs-svc/")


def test_our_own_stop_is_nobody_elses(kecs: Kecs, ecs: Any, lab: Lab, image: str) -> None:
    register(ecs, image, app=POLITE)
    task = kecs.run_task("app")
    wait_ready(kecs, task, "app")

    ecs.stop_task(task=task.arn, reason="enough")

    stopped = kecs.wait_stopped(task)
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "enough")
    assert stopped.exit_codes == {"app": 9}


def test_an_end_of_its_own_is_nobody_elses(kecs: Kecs, ecs: Any, lab: Lab, image: str) -> None:
    register(ecs, image, app="exit 4", other=POLITE)

    stopped = kecs.wait_stopped(kecs.run_task("app"))

    assert stopped["stopCode"] == "EssentialContainerExited"
    assert stopped["stoppedReason"] == "Essential container in task exited"
    assert stopped.exit_codes["app"] == 4
