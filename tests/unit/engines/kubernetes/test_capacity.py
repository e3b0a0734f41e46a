"""A cluster's nodes as hosts, and the Pod of a task that was placed on one."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from kecs_server.domain.instance import Host
from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.kubernetes.capacity import hosts_of
from kecs_server.engines.kubernetes.capacity import quantity
from kecs_server.engines.kubernetes.pods import build_pod


def node(name: str = "n1", **spec: Any) -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64"}
    allocatable = {"cpu": "1930m", "memory": "16374416Ki", "pods": "110"}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "status": {"allocatable": allocatable},
    }


def test_a_node() -> None:
    assert hosts_of([node()]) == [
        Host(cpu=1976, memory=15990, node="n1", architecture="x86_64"),
    ]


def test_what_labels_and_devices_say() -> None:
    rich = node("gpu")
    rich["metadata"]["labels"] |= {
        "topology.kubernetes.io/zone": "eu-west-1c",
        "node.kubernetes.io/instance-type": "g4dn.xlarge",
    }
    rich["status"]["allocatable"]["nvidia.com/gpu"] = "2"
    [host] = hosts_of([rich])
    assert (host.zone, host.instance_type) == ("eu-west-1c", "g4dn.xlarge")
    assert host.gpus == ("gpu-gpu-0", "gpu-gpu-1")


def taint(key: str, effect: str = "NoSchedule") -> dict[str, str]:
    return {"key": key, "effect": effect}


def test_only_nodes_that_take_pods() -> None:
    nodes = [
        node("control", taints=[taint("node-role.kubernetes.io/control-plane")]),
        node("cordoned", unschedulable=True),
        node("starting", taints=[taint("node.kubernetes.io/not-ready")]),
        node("avoided", taints=[taint("mine", "PreferNoSchedule")]),
    ]
    nothing_yet = node("new")
    nothing_yet["status"] = {}
    assert [host.node for host in hosts_of([*nodes, nothing_yet])] == ["starting", "avoided"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("4", 4), ("250m", Fraction(1, 4)), ("1.5Gi", 1536 * 1024**2), ("2k", 2000), ("1E", 10**18)],
)
def test_quantities(text: str, value: Fraction) -> None:
    assert quantity(text) == value


@pytest.mark.parametrize("text", ["", "many", "1x", "-1"])
def test_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        quantity(text)


@pytest.mark.parametrize("place", [None, "n1"])
def test_a_pod_goes_to_the_node_of_its_task(place: str | None) -> None:
    spec = TaskSpec(
        task_id="0" * 32,
        task_arn="arn",
        family="f",
        containers=(ContainerSpec(name="app", image="i"),),
        node=place,
    )
    selector = build_pod(spec, "e")["spec"].get("nodeSelector")
    assert selector == (None if place is None else {"kubernetes.io/hostname": "n1"})
