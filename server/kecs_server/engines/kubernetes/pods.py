"""TaskSpec -> Pod manifest. Pure.

A bare Pod per task, never a Deployment: its rollout rules are not those of ECS. A container that
must not run yet is *held*: its image name cannot be valid, so kubelet leaves it waiting and runs
the others. A patch of the image releases it; images are what may be changed in a Pod.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from collections.abc import Mapping
from typing import Any

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.kubernetes.names import dns_label
from kecs_server.engines.kubernetes.names import dns_labels
from kecs_server.engines.kubernetes.names import is_label_value
from kecs_server.engines.kubernetes.names import label_key

GATE_IMAGE = "kecs:gate:wait"
MANAGED_BY = {"app.kubernetes.io/managed-by": "pytest-kecs"}
ENVIRONMENT_LABEL = "kecs/environment"
TASK_LABEL = "kecs/task-id"
NAMES_ANNOTATION = "kecs/containers"
# Pods that nobody owns any more end by themselves, should nobody ever reap them.
ORPHAN_SECONDS = 24 * 3600


def environment_labels(environment: str) -> dict[str, str]:
    """Labels of everything in a cluster that belongs to an environment."""
    return {**MANAGED_BY, ENVIRONMENT_LABEL: environment}


def environment_selector(environment: str) -> str:
    return ",".join(f"{key}={value}" for key, value in environment_labels(environment).items())


def pod_name(spec: TaskSpec) -> str:
    return f"{dns_label(spec.family, limit=30)}-{spec.task_id}"


def container_names(spec: TaskSpec) -> dict[str, str]:
    """ECS name -> name in the Pod."""
    return dns_labels(container.name for container in spec.containers)


def original_names(pod: Mapping[str, Any]) -> dict[str, str]:
    """Name in the Pod -> ECS name, as `build_pod` wrote it down."""
    names = json.loads(pod["metadata"]["annotations"][NAMES_ANNOTATION])
    return {str(label): str(name) for label, name in names.items()}


def build_pod(
    spec: TaskSpec, environment: str, *, released: Collection[str] = ()
) -> dict[str, Any]:
    """The Pod of a task, all containers held but those named in `released`."""
    names = container_names(spec)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(spec),
            "labels": _labels(spec, environment),
            "annotations": _annotations(spec, names),
        },
        "spec": {
            "restartPolicy": "Never",
            "enableServiceLinks": False,
            "automountServiceAccountToken": False,
            "activeDeadlineSeconds": ORPHAN_SECONDS,
            "terminationGracePeriodSeconds": grace_seconds(spec.containers),
            "containers": [
                _container(each, names[each.name], is_held=each.name not in released)
                for each in spec.containers
            ],
        },
    }


def image_patch(index: int, container: str, image: str) -> list[dict[str, Any]]:
    """JSON patch that gives a container another image: its own to release it, the gate to stop it.

    :param container: its name in the Pod, which the patch makes sure of.
    """
    path = f"/spec/containers/{index}"
    return [
        {"op": "test", "path": f"{path}/name", "value": container},
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


def _annotations(spec: TaskSpec, names: Mapping[str, str]) -> dict[str, str]:
    annotations = {f"kecs/{label_key(key)}": value for key, value in spec.labels.items()}
    originals = json.dumps({label: name for name, label in names.items()}, sort_keys=True)
    return {
        **annotations,
        "kecs/family": spec.family,
        "kecs/task-arn": spec.task_arn,
        NAMES_ANNOTATION: originals,
    }


def _container(spec: ContainerSpec, name: str, *, is_held: bool) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": name,
        "image": GATE_IMAGE if is_held else spec.image,
        # Kubernetes' default for `:latest` is Always, which fails for images that were loaded.
        "imagePullPolicy": "IfNotPresent",
    }
    if spec.entry_point:
        container["command"] = [_literal(word) for word in spec.entry_point]
    if spec.command:
        container["args"] = [_literal(word) for word in spec.command]
    if spec.environment:
        container["env"] = [
            {"name": name, "value": _literal(value)} for name, value in spec.environment.items()
        ]
    if spec.working_directory:
        container["workingDir"] = spec.working_directory
    return container


def _literal(text: str) -> str:
    """Kubernetes expands `$(NAME)` and turns `$$` into `$` in commands and values; ECS does not."""
    return text.replace("$", "$$")
