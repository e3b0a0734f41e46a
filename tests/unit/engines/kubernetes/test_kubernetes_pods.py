from __future__ import annotations

import json
from typing import Any

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.kubernetes.pods import GATE_IMAGE
from kecs_server.engines.kubernetes.pods import build_pod
from kecs_server.engines.kubernetes.pods import container_names
from kecs_server.engines.kubernetes.pods import image_patch
from kecs_server.engines.kubernetes.pods import original_names

ARN = "arn:aws:ecs:us-east-1:123456789012:task/default/" + "ab" * 16


def spec(*containers: ContainerSpec, **more: Any) -> TaskSpec:
    containers = containers or (ContainerSpec(name="app", image="busybox:1"),)
    fields = {"task_id": "ab" * 16, "task_arn": ARN, "family": "worker", **more}
    return TaskSpec(containers=containers, **fields)


def only_container(container: ContainerSpec) -> dict[str, Any]:
    (built,) = build_pod(spec(container), "kecs-1a2b3c", released={container.name})["spec"][
        "containers"
    ]
    return dict(built)


def test_a_whole_pod() -> None:
    app = ContainerSpec(
        name="App",
        image="busybox:latest",
        entry_point=("sh", "-c"),
        command=("echo hello",),
        environment={"A": "b"},
        working_directory="/tmp",
        stop_timeout=12.5,
    )
    side = ContainerSpec(name="side", image="nginx", stop_timeout=2)

    pod = build_pod(
        spec(app, side, labels={"realm": "r1", "cluster": ARN}), "kecs-1a2b3c", released={"App"}
    )

    name = container_names(spec(app, side))["App"]
    assert pod == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "worker-" + "ab" * 16,
            "labels": {
                "app.kubernetes.io/managed-by": "pytest-kecs",
                "kecs/environment": "kecs-1a2b3c",
                "kecs/task-id": "ab" * 16,
                "kecs/family": "worker",
                "kecs/realm": "r1",
            },
            "annotations": {
                "kecs/task-arn": ARN,
                "kecs/family": "worker",
                "kecs/realm": "r1",
                "kecs/cluster": ARN,
                "kecs/containers": json.dumps({name: "App", "side": "side"}),
            },
        },
        "spec": {
            "restartPolicy": "Never",
            "enableServiceLinks": False,
            "automountServiceAccountToken": False,
            "activeDeadlineSeconds": 86400,
            "terminationGracePeriodSeconds": 13,
            "containers": [
                {
                    "name": name,
                    "image": "busybox:latest",
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-c"],
                    "args": ["echo hello"],
                    "env": [{"name": "A", "value": "b"}],
                    "workingDir": "/tmp",
                },
                {"name": "side", "image": GATE_IMAGE, "imagePullPolicy": "IfNotPresent"},
            ],
        },
    }


def test_containers_are_held_unless_released() -> None:
    pod = build_pod(spec(), "kecs-1a2b3c")

    assert [each["image"] for each in pod["spec"]["containers"]] == [GATE_IMAGE]


def test_the_image_keeps_its_own_command_when_none_is_given() -> None:
    built = only_container(ContainerSpec(name="app", image="i"))
    empty = only_container(ContainerSpec(name="app", image="i", entry_point=(), command=()))

    assert "command" not in built
    assert "args" not in built
    assert empty == built


def test_dollars_are_literal() -> None:
    built = only_container(
        ContainerSpec(
            name="app",
            image="i",
            entry_point=("echo", "$$"),
            command=("$(HOME)", "$HOME"),
            environment={"X": "$(A)$"},
        )
    )

    assert built["command"] == ["echo", "$$$$"]
    assert built["args"] == ["$$(HOME)", "$$HOME"]
    assert built["env"] == [{"name": "X", "value": "$$(A)$$"}]


def test_names_come_back() -> None:
    names = ["App", "my_app", "my-app", "x" * 255]
    task = spec(*(ContainerSpec(name=name, image="i") for name in names), family="F" * 255)

    pod = build_pod(task, "kecs-1a2b3c")

    originals = original_names(pod)
    assert [originals[each["name"]] for each in pod["spec"]["containers"]] == names
    assert len(pod["metadata"]["name"]) <= 63
    assert pod["metadata"]["annotations"]["kecs/family"] == "F" * 255


def test_labels_of_tasks_cannot_replace_our_own() -> None:
    pod = build_pod(spec(labels={"environment": "x", "task-id": "y", "containers": "z"}), "mine")

    assert pod["metadata"]["labels"]["kecs/environment"] == "mine"
    assert pod["metadata"]["labels"]["kecs/task-id"] == "ab" * 16
    assert original_names(pod) == {"app": "app"}


def test_a_pod_always_has_a_moment_to_end() -> None:
    """Grace 0 would mean that nobody waits for the containers' end."""
    pod = build_pod(spec(ContainerSpec(name="app", image="i", stop_timeout=0)), "mine")

    assert pod["spec"]["terminationGracePeriodSeconds"] == 1


def test_a_patch_makes_sure_of_its_container() -> None:
    assert image_patch(1, "app", "busybox:1") == [
        {"op": "test", "path": "/spec/containers/1/name", "value": "app"},
        {"op": "replace", "path": "/spec/containers/1/image", "value": "busybox:1"},
    ]
