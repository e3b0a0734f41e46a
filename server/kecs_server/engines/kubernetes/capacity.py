"""A cluster's nodes as hosts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from kecs_server.domain.instance import Host
from kecs_server.domain.instance import architecture_word

HOSTNAME_LABEL = "kubernetes.io/hostname"

_QUANTITY = re.compile(r"([0-9.]+)(m|k|[MGTPE]i?|Ki)?")
_FACTORS: dict[str, Fraction] = {"": Fraction(1), "m": Fraction(1, 1000)}
for _power, _letter in enumerate("KMGTPE", start=1):
    _FACTORS[_letter.replace("K", "k")] = Fraction(1000**_power)
    _FACTORS[f"{_letter}i"] = Fraction(1024**_power)


def hosts_of(nodes: Iterable[Mapping[str, Any]]) -> list[Host]:
    """Those that take Pods which tolerate nothing."""
    return [_host(node) for node in nodes if _takes_pods(node)]


def _takes_pods(node: Mapping[str, Any]) -> bool:
    if not node["status"].get("allocatable"):
        return False
    spec = node.get("spec") or {}
    taints = spec.get("taints") or ()
    # What is said of a node that is not ready yet goes by itself.
    repels = any(
        taint["effect"] in ("NoSchedule", "NoExecute")
        and not taint["key"].startswith("node.kubernetes.io/")
        for taint in taints
    )
    return not spec.get("unschedulable") and not repels


def node_of(node: Mapping[str, Any]) -> str | None:
    """The name that Pods find it by."""
    name: str | None = (node["metadata"].get("labels") or {}).get(HOSTNAME_LABEL)
    return name


def _is_heard(node: Mapping[str, Any]) -> bool:
    """Whether its kubelet still says how it is."""
    conditions = node["status"].get("conditions") or ()
    return all(each["status"] != "Unknown" for each in conditions if each["type"] == "Ready")


def _host(node: Mapping[str, Any]) -> Host:
    labels = node["metadata"].get("labels") or {}
    allocatable = node["status"]["allocatable"]
    return Host(
        cpu=int(quantity(allocatable["cpu"]) * 1024),
        memory=int(quantity(allocatable["memory"]) / 1024**2),
        gpus=tuple(
            f"{node['metadata']['name']}-gpu-{number}"
            for number in range(int(quantity(allocatable.get("nvidia.com/gpu", "0"))))
        ),
        node=node_of(node),
        architecture=architecture_word(labels.get("kubernetes.io/arch", "")),
        zone=labels.get("topology.kubernetes.io/zone"),
        instance_type=labels.get("node.kubernetes.io/instance-type"),
        is_connected=_is_heard(node),
    )


def quantity(text: str) -> Fraction:
    """A quantity as Kubernetes writes it: `250m`, `16374416Ki`, `4`.

    :raises ValueError: it is none.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no quantity")
    return Fraction(match[1]) * _FACTORS[match[2] or ""]
