"""Statuses as Kubernetes 1.20 with containerd 1.6 sent them."""

from __future__ import annotations

from typing import Any

import pytest
from kecs_server.engines.kubernetes import reasons
from kecs_server.engines.kubernetes.facts import ContainerFact
from kecs_server.engines.kubernetes.facts import State
from kecs_server.engines.kubernetes.facts import read_pod
from kecs_server.engines.kubernetes.pods import GATE_IMAGE

ID = "containerd://" + "5e" * 32
INVALID = (
    f'Failed to apply default image tag "{GATE_IMAGE}": couldn\'t parse image reference '
    f'"{GATE_IMAGE}": invalid reference format'
)


def pod(status: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "worker-1",
            "uid": "u1",
            **more.pop("metadata", {}),
        },
        "spec": {"nodeName": "node-1"},
        "status": {"containerStatuses": [{"name": "app-1", **status}], **more},
    }


def fact(**status: Any) -> ContainerFact:
    (only,) = read_pod(pod(status)).containers
    assert only.name == "app-1"
    return only


def ended(**terminated: Any) -> ContainerFact:
    return fact(state={"terminated": {"containerID": ID, **terminated}}, image="i", containerID=ID)


def waiting(reason: str, message: str = "", image: str = "i") -> ContainerFact:
    return fact(state={"waiting": {"reason": reason, "message": message}}, image=image)


def test_a_pod() -> None:
    facts = read_pod(pod({"state": {}}, podIP="10.0.0.7"))

    assert (facts.name, facts.uid, facts.node) == ("worker-1", "u1", "node-1")
    assert (facts.address, facts.lost, facts.is_ending) == ("10.0.0.7", None, False)


def test_a_pod_that_is_not_scheduled_yet() -> None:
    new = pod({"state": {}})
    new["status"] = {"phase": "Pending"}
    new["spec"] = {}

    facts = read_pod(new)

    assert (facts.node, facts.address, facts.containers) == ("", None, ())


def test_running_and_exited() -> None:
    running = fact(state={"running": {"startedAt": "..."}}, containerID=ID, image="i")
    assert running == ContainerFact(name="app-1", state=State.RUNNING, runtime_id=ID)

    for code in (0, 3, 137, 143):
        exited = ended(exitCode=code, reason="Error" if code else "Completed")
        assert exited == ContainerFact(
            name="app-1", state=State.EXITED, runtime_id=ID, exit_code=code
        )


def test_the_image_that_runs() -> None:
    image = "docker.io/library/app@sha256:0123"
    for state in ({"running": {}}, {"terminated": {"exitCode": 0}}):
        assert fact(state=state, image="i", imageID=image).image_id == image


def test_a_program_that_exits_with_128_did_run() -> None:
    assert ended(exitCode=128, reason="Error").state is State.EXITED


def test_out_of_memory() -> None:
    killed = ended(exitCode=137, reason="OOMKilled")

    assert killed.exit_code == 137
    assert killed.reason == "OutOfMemoryError: Container killed due to memory usage"


def test_a_command_that_does_not_exist() -> None:
    message = (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
        'runc create failed: unable to start container process: exec: "x": executable file not '
        "found in $PATH: unknown"
    )

    failed = ended(exitCode=128, reason="StartError", message=message)

    assert (failed.state, failed.exit_code) == (State.FAILED, None)
    assert failed.reason == (
        "CannotStartContainerError: Error response from daemon: failed to create task for "
        "container: failed to create shim task: OCI runtime create failed: runc create failed: "
        'unable to start container process: exec: "x": executable file not found in $PATH: unknown'
    )


def test_an_end_that_kubelet_did_not_see() -> None:
    unknown = ended(exitCode=137, reason="ContainerStatusUnknown", message="not found")

    assert (unknown.state, unknown.exit_code) == (State.EXITED, None)
    assert unknown.reason == "ContainerVanishedError: not found; exit code unknown"


def test_an_end_before_a_restart_by_patch() -> None:
    before = {"terminated": {"containerID": ID, "exitCode": 9, "reason": "Error"}}
    again = {"waiting": {"reason": "InvalidImageName", "message": INVALID}}

    exited = fact(state=again, lastState=before, image=GATE_IMAGE)

    assert (exited.state, exited.exit_code) == (State.EXITED, 9)


def test_held_is_waiting() -> None:
    assert waiting("InvalidImageName", INVALID, GATE_IMAGE).state is State.WAITING
    # Just after the release: the image is the real one already, the message is not.
    assert waiting("InvalidImageName", INVALID, "busybox:1").state is State.WAITING
    assert waiting("ContainerCreating").state is State.WAITING
    assert fact(state={}, image="i").state is State.WAITING


def test_pulls_that_fail() -> None:
    message = (
        'rpc error: code = Unknown desc = failed to pull and unpack image "docker.io/no/such:1": '
        'failed to resolve reference "docker.io/no/such:1": pull access denied'
    )

    failed = waiting("ErrImagePull", message)

    assert (failed.state, failed.exit_code) == (State.FAILED, None)
    assert failed.reason == (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
        "failed to resolve ref docker.io/no/such:1: pull access denied"
    )
    back_off = waiting("ImagePullBackOff", 'Back-off pulling image "no/such:1"')
    assert back_off.reason == 'CannotPullContainerError: Back-off pulling image "no/such:1"'
    invalid = waiting("InvalidImageName", "couldn't parse image reference", "A:b:c")
    assert invalid.reason == "CannotPullContainerError: couldn't parse image reference"


def test_a_secret_that_kubelet_has_not_read_yet() -> None:
    message = "failed to sync secret cache: timed out waiting for the condition"
    assert waiting("CreateContainerConfigError", message).state is State.WAITING


@pytest.mark.parametrize("reason", ["CreateContainerError", "CreateContainerConfigError"])
def test_containers_that_cannot_be_created(reason: str) -> None:
    failed = waiting(reason, 'failed to generate container "5e" spec: no command specified')

    assert failed.state is State.FAILED
    assert failed.reason == (
        "CannotCreateContainerError: Error response from daemon: no command specified"
    )


def test_a_pod_that_the_cluster_ended() -> None:
    evicted = pod({"state": {}}, phase="Failed", reason="Evicted", message="The node was low.")
    late = pod({"state": {}}, phase="Failed", reason="DeadlineExceeded")

    assert read_pod(evicted).lost == "The Pod was evicted: The node was low."
    assert read_pod(late).lost == "DeadlineExceeded"


def test_a_pod_that_no_node_takes() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    message = "0/1 nodes are available: 1 Insufficient memory."
    waits = pod({"state": {}}, conditions=[{**condition, "message": message}])
    fits = pod({"state": {}}, conditions=[{"type": "PodScheduled", "status": "True"}])

    assert read_pod(waits).no_room == message
    assert read_pod(fits).no_room is None
    assert reasons.no_room(message) == f"RESOURCE:MEMORY: {message}"
    assert reasons.no_room("1 Insufficient cpu.") == "RESOURCE:CPU: 1 Insufficient cpu."
    assert reasons.no_room("1 Insufficient nvidia.com/gpu.").startswith("RESOURCE:GPU: ")
    assert reasons.no_room("1 Insufficient pods.").startswith("RESOURCE: ")
    assert reasons.no_room("1 node(s) were unschedulable.").startswith("no node takes the Pod: ")


def test_a_pod_whose_node_is_drained() -> None:
    """Kubernetes says so from 1.26 on."""
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }

    assert read_pod(pod({"state": {}}, conditions=[condition])).disrupted == (
        "The Pod was evicted: Eviction API: evicting"
    )


def test_a_pod_with_a_system_control_that_kubelet_forbids() -> None:
    message = 'Pod forbidden sysctl: "net.core.somaxconn" not whitelisted'
    new = pod({"state": {}})
    new["status"] = {"phase": "Failed", "reason": "SysctlForbidden", "message": message}

    assert read_pod(new).lost == f"SysctlForbidden: {message}"


def test_a_pod_that_is_being_deleted() -> None:
    deletion = {"deletionTimestamp": "...", "deletionGracePeriodSeconds": 30}
    ending = read_pod(pod({"state": {}}, metadata=deletion))

    assert ending.is_ending
    assert ending.grace == 30
    assert not read_pod(pod({"state": {}})).is_ending
