from __future__ import annotations

import json
from typing import Any

import pytest
from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.kubernetes.pods import GATE_IMAGE
from kecs_server.engines.kubernetes.pods import Place
from kecs_server.engines.kubernetes.pods import build_pod
from kecs_server.engines.kubernetes.pods import image_patch
from kecs_server.engines.kubernetes.pods import places

ARN = "arn:aws:ecs:us-east-1:123456789012:task/default/" + "ab" * 16


def spec(*containers: ContainerSpec, **more: Any) -> TaskSpec:
    containers = containers or (ContainerSpec(name="app", image="busybox:1"),)
    fields = {"task_id": "ab" * 16, "task_arn": ARN, "family": "worker", **more}
    return TaskSpec(containers=containers, **fields)


def test_nodes_of_the_architecture_come_first() -> None:
    rule = build_pod(spec(architecture="arm64"), "env")["spec"]["affinity"]["nodeAffinity"]
    ((preferred,),) = rule.values()
    (wanted,) = preferred["preference"]["matchExpressions"]
    assert (wanted["key"], wanted["values"]) == ("kubernetes.io/arch", ["arm64"])
    assert "affinity" not in build_pod(spec(), "env")["spec"]


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

    name = places(spec(app, side))["App"][0].name
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

    originals = json.loads(pod["metadata"]["annotations"]["kecs/containers"])
    assert [originals[each["name"]] for each in pod["spec"]["containers"]] == names
    assert len(pod["metadata"]["name"]) <= 63
    assert pod["metadata"]["annotations"]["kecs/family"] == "F" * 255


def test_labels_of_tasks_cannot_replace_our_own() -> None:
    pod = build_pod(spec(labels={"environment": "x", "task-id": "y", "containers": "z"}), "mine")

    assert pod["metadata"]["labels"]["kecs/environment"] == "mine"
    assert pod["metadata"]["labels"]["kecs/task-id"] == "ab" * 16
    assert pod["metadata"]["annotations"]["kecs/containers"] == '{"app": "app"}'


def test_a_pod_always_has_a_moment_to_end() -> None:
    """Grace 0 would mean that nobody waits for the containers' end."""
    pod = build_pod(spec(ContainerSpec(name="app", image="i", stop_timeout=0)), "mine")

    assert pod["spec"]["terminationGracePeriodSeconds"] == 1


def test_copies_for_restarts_stand_behind_all_containers_and_ask_for_nothing() -> None:
    app = ContainerSpec(
        name="app", image="i", restarts=True, memory=64, cpu=512, command=("true",),
        shared_memory=8,
    )  # fmt: skip
    side = ContainerSpec(name="app-r1", image="i")
    task = spec(app, side)

    pod = build_pod(task, "mine", released={"app", "app-r1"})

    names = [each["name"] for each in pod["spec"]["containers"]]
    where = places(task)
    assert names[:2] == ["app", "app-r1"]
    assert len(set(names)) == 7
    assert [place.name for place in where["app"]] == ["app", *names[2:]]
    assert [place.index for place in where["app"]] == [0, 2, 3, 4, 5, 6]
    images = [each["image"] for each in pod["spec"]["containers"]]
    assert images == ["i", "i", *[GATE_IMAGE] * 5]
    first, _, copy, *_ = pod["spec"]["containers"]
    assert first["resources"]["requests"] == {"memory": "64Mi", "cpu": "50m"}
    assert copy["resources"] == {"limits": {"memory": "64Mi"}, "requests": {"memory": "0Mi"}}
    assert copy["args"] == ["true"]
    # What is in memory goes with each life.
    assert first["volumeMounts"] != copy["volumeMounts"]
    originals = json.loads(pod["metadata"]["annotations"]["kecs/containers"])
    assert originals[copy["name"]] == "app"


def test_docker_labels_are_kept_as_an_annotation() -> None:
    app = ContainerSpec(name="app", image="i", docker_labels={"com.example/any key": "v"})

    annotations = build_pod(spec(app), "mine")["metadata"]["annotations"]

    assert json.loads(annotations["kecs/docker-labels"]) == {"app": {"com.example/any key": "v"}}


def test_what_containers_of_a_pod_share() -> None:
    one = ContainerSpec(
        name="one",
        image="i",
        hostname="first",
        hosts={"db": "10.0.0.1", "cache": "10.0.0.1", "api": "10.0.0.2"},
        dns_servers=("10.9.9.1", "10.9.9.2"),
        dns_search_domains=("a.example",),
        system_controls={"net.ipv4.ip_local_port_range": "1024 65000"},
    )
    two = ContainerSpec(
        name="two",
        image="i",
        hostname="second",
        hosts={"db": "10.0.0.3"},
        dns_servers=("10.9.9.2", "10.9.9.3", "10.9.9.4"),
        dns_search_domains=("a.example", "b.example"),
    )

    built = build_pod(spec(one, two), "mine")["spec"]

    assert built["hostname"] == "first"
    assert built["hostAliases"] == [
        {"ip": "10.0.0.1", "hostnames": ["db", "cache"]},
        {"ip": "10.0.0.2", "hostnames": ["api"]},
    ]
    assert built["dnsPolicy"] == "None"
    assert built["dnsConfig"] == {
        "nameservers": ["10.9.9.1", "10.9.9.2", "10.9.9.3"],
        "searches": ["a.example", "b.example"],
    }
    assert built["securityContext"] == {
        "sysctls": [{"name": "net.ipv4.ip_local_port_range", "value": "1024 65000"}]
    }


def test_search_domains_alone_leave_the_cluster_its_resolver() -> None:
    built = build_pod(spec(ContainerSpec(name="app", image="i", dns_search_domains=("x",))), "mine")

    assert built["spec"]["dnsConfig"] == {"searches": ["x"]}
    assert "dnsPolicy" not in built["spec"]


@pytest.mark.parametrize(
    ("task", "container", "expected"),
    [
        ({}, {}, set()),
        ({"network_mode": "awsvpc"}, {}, set()),
        ({"network_mode": "host"}, {}, {"hostNetwork"}),
        ({"pid_mode": "host"}, {"init": True}, {"hostPID"}),
        ({"pid_mode": "task"}, {}, {"shareProcessNamespace"}),
        ({}, {"init": True}, {"shareProcessNamespace"}),
        ({"ipc_mode": "host"}, {}, {"hostIPC"}),
        ({"ipc_mode": "task"}, {}, set()),
    ],
)
def test_namespaces(task: Any, container: Any, expected: set[str]) -> None:
    app = ContainerSpec(name="app", image="i", **container)
    built = build_pod(spec(app, **task), "mine")["spec"]

    switches = {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"}
    assert {name for name in switches & set(built) if built[name] is True} == expected
    assert switches & set(built) == expected


def test_a_patch_makes_sure_of_its_container() -> None:
    assert image_patch(Place(1, "app"), "busybox:1") == [
        {"op": "test", "path": "/spec/containers/1/name", "value": "app"},
        {"op": "replace", "path": "/spec/containers/1/image", "value": "busybox:1"},
    ]
