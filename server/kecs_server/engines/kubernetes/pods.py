"""TaskSpec -> Pod manifest. Pure.

A bare Pod per task, never a Deployment: its rollout rules are not those of ECS. A container that
must not run yet is *held*: its image name cannot be valid, so kubelet leaves it waiting and runs
the others. A patch of the image releases it; images are what may be changed in a Pod.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.kubernetes.capacity import HOSTNAME_LABEL
from kecs_server.engines.kubernetes.containers import build_container
from kecs_server.engines.kubernetes.labels import TASK_LABEL
from kecs_server.engines.kubernetes.labels import environment_labels
from kecs_server.engines.kubernetes.labels import pod_name
from kecs_server.engines.kubernetes.names import dns_labels
from kecs_server.engines.kubernetes.names import free_label
from kecs_server.engines.kubernetes.names import is_label_value
from kecs_server.engines.kubernetes.names import label_key
from kecs_server.engines.kubernetes.secrets import build_file_volumes
from kecs_server.engines.kubernetes.secrets import build_pull_secrets
from kecs_server.engines.kubernetes.volumes import build_memory_volumes
from kecs_server.engines.kubernetes.volumes import build_volumes

Json = dict[str, Any]

GATE_IMAGE = "kecs:gate:wait"
NAMES_ANNOTATION = "kecs/containers"
"""JSON: name in the Pod -> ECS name, for people who look at Pods."""

DOCKER_LABELS_ANNOTATION = "kecs/docker-labels"
"""JSON: ECS name of a container -> its Docker labels, which need not be labels of Kubernetes."""

RESTARTS = 5
"""How often a container can be started again: an ended one stays ended in a Pod, so copies of it
are declared beforehand and held, without resources of their own.
"""

_NAME_SERVERS = 3  # resolvers hear no more, and Kubernetes refuses them
# Pods that nobody owns any more end by themselves, should nobody ever reap them.
ORPHAN_SECONDS = 24 * 3600

_NO_HOSTS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a container is in the Pod: its number among the Pod's containers, and its name."""

    index: int
    name: str


def places(spec: TaskSpec) -> dict[str, tuple[Place, ...]]:
    """Where each container of the task runs: its first place, and one for each restart."""
    containers = {each.name: [label] for each, label in _labelled(spec)}
    taken = {label for labels in containers.values() for label in labels}
    for each, label in _labelled(spec):
        for number in range(1, RESTARTS + 1 if each.restarts else 1):
            copy = free_label(f"{label}-r{number}", taken)
            taken.add(copy)
            containers[each.name].append(copy)
    indexes = itertools.count(len(containers))
    return {
        name: (
            Place(first, labels[0]),
            *(Place(next(indexes), label) for label in labels[1:]),
        )
        for first, (name, labels) in enumerate(containers.items())
    }


def build_pod(
    spec: TaskSpec,
    environment: str,
    *,
    released: Collection[str] = (),
    shared_directory: str | None = None,
    hosts: Mapping[str, str] = _NO_HOSTS,
) -> Json:
    """The Pod of a task, all containers held but those named in `released`.

    :param shared_directory: where on a node volumes are that tasks share; None: nowhere.
    :param hosts: addresses of what the task finds by name, beside those of its containers.
    """
    where = places(spec)
    slots = [(each, place) for each in spec.containers for place in where[each.name]]
    slots.sort(key=lambda slot: slot[1].index)
    firsts = {where[name][0] for name in released}
    volumes = [*build_volumes(spec, shared_directory), *build_file_volumes(spec)]
    for each, place in slots:
        volumes += build_memory_volumes(each, place.index)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(spec),
            "labels": _labels(spec, environment),
            "annotations": _annotations(spec, where),
        },
        "spec": {
            "restartPolicy": "Never",
            "enableServiceLinks": False,
            "automountServiceAccountToken": False,
            "activeDeadlineSeconds": ORPHAN_SECONDS,
            "terminationGracePeriodSeconds": grace_seconds(spec.containers),
            **_namespaces(spec),
            **({"nodeSelector": {HOSTNAME_LABEL: spec.node}} if spec.node else {}),
            **_network(spec, hosts),
            **_system_controls(spec),
            **_affinity(spec),
            **({"volumes": volumes} if volumes else {}),
            **build_pull_secrets(spec),
            "containers": [
                build_container(
                    spec,
                    each,
                    name=place.name,
                    image=each.image if place in firsts else GATE_IMAGE,
                    index=place.index,
                    is_copy=place is not where[each.name][0],
                )
                for each, place in slots
            ],
        },
    }


def image_patch(place: Place, image: str) -> list[Json]:
    """JSON patch that gives a container another image: its own to release it, the gate to stop it.
    It makes sure that it is this container.
    """
    path = f"/spec/containers/{place.index}"
    return [
        {"op": "test", "path": f"{path}/name", "value": place.name},
        {"op": "replace", "path": f"{path}/image", "value": image},
    ]


def grace_seconds(containers: tuple[ContainerSpec, ...]) -> int:
    """Kubernetes has one grace period for a whole Pod, in whole seconds; 0 would mean that nobody
    waits for the containers to end.
    """
    return max(1, math.ceil(max(each.stop_timeout for each in containers)))


def _labels(spec: TaskSpec, environment: str) -> dict[str, str]:
    labels = {f"kecs/{label_key(key)}": value for key, value in spec.labels.items()}
    labels["kecs/family"] = spec.family
    labels = {key: value for key, value in labels.items() if is_label_value(value)}
    return {**labels, **environment_labels(environment), TASK_LABEL: spec.task_id}


def _annotations(spec: TaskSpec, where: Mapping[str, Sequence[Place]]) -> dict[str, str]:
    annotations = {f"kecs/{label_key(key)}": value for key, value in spec.labels.items()}
    originals = {place.name: name for name, slots in where.items() for place in slots}
    docker_labels = {each.name: dict(each.docker_labels) for each in spec.containers}
    docker_labels = {name: labels for name, labels in docker_labels.items() if labels}
    if docker_labels:
        annotations[DOCKER_LABELS_ANNOTATION] = json.dumps(docker_labels, sort_keys=True)
    return {
        **annotations,
        "kecs/family": spec.family,
        "kecs/task-arn": spec.task_arn,
        NAMES_ANNOTATION: json.dumps(originals, sort_keys=True),
    }


def _namespaces(spec: TaskSpec) -> Json:
    """Containers of a Pod share network and IPC; processes where the task says so, or where one
    of them is to have an init process, which then is the Pod's own.
    """
    settings = {
        "hostNetwork": spec.network_mode == "host",
        "hostPID": spec.pid_mode == "host",
        "hostIPC": spec.ipc_mode == "host",
        "shareProcessNamespace": spec.pid_mode != "host"
        and (spec.pid_mode == "task" or any(each.init for each in spec.containers)),
    }
    return {name: True for name, is_set in settings.items() if is_set}


def _network(spec: TaskSpec, hosts: Mapping[str, str]) -> Json:
    """A Pod has one host name, hosts file and resolver: it gets what any container asks for."""
    names = [each.hostname for each in spec.containers if each.hostname]
    aliases: dict[str, list[str]] = {}
    for name, address in _merged([*(each.hosts for each in spec.containers), hosts]).items():
        aliases.setdefault(address, []).append(name)
    servers = _union(each.dns_servers for each in spec.containers)[:_NAME_SERVERS]
    searches = _union(each.dns_search_domains for each in spec.containers)
    resolver = {"nameservers": servers, "searches": searches}
    settings = {
        "hostname": names[0] if names else None,
        "hostAliases": [{"ip": address, "hostnames": its} for address, its in aliases.items()],
        "dnsPolicy": "None" if servers else None,
        "dnsConfig": {key: values for key, values in resolver.items() if values},
    }
    return {key: value for key, value in settings.items() if value}


def _system_controls(spec: TaskSpec) -> Json:
    controls = _merged(each.system_controls for each in spec.containers)
    sysctls = [{"name": name, "value": value} for name, value in controls.items()]
    return {"securityContext": {"sysctls": sysctls}} if sysctls else {}


def _affinity(spec: TaskSpec) -> Json:
    """Nodes of the task's architecture come first. Where there are none, an image that was built
    for the machine at hand runs all the same, and another one says that it cannot.
    """
    if spec.architecture is None:
        return {}
    wanted = {"key": "kubernetes.io/arch", "operator": "In", "values": [spec.architecture]}
    preferred = {"weight": 100, "preference": {"matchExpressions": [wanted]}}
    rule = {"preferredDuringSchedulingIgnoredDuringExecution": [preferred]}
    return {"affinity": {"nodeAffinity": rule}}


def _merged(parts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The first that says something of a name is heard."""
    merged: dict[str, str] = {}
    for part in parts:
        for name, value in part.items():
            merged.setdefault(name, value)
    return merged


def _union(parts: Iterable[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(value for part in parts for value in part))


def _labelled(spec: TaskSpec) -> list[tuple[ContainerSpec, str]]:
    names = dns_labels(each.name for each in spec.containers)
    return [(each, names[each.name]) for each in spec.containers]
