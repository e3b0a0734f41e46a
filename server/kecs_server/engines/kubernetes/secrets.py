"""A task's secrets -> its one Secret object, and what refers to it in the Pod. Pure.

Who may see Pods need not be one who may see Secrets, so no value stands in the Pod itself. The
Secret is made before the Pod and deleted with it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.kubernetes.labels import TASK_LABEL
from kecs_server.engines.kubernetes.labels import environment_labels
from kecs_server.engines.kubernetes.labels import pod_name

Json = dict[str, Any]

_LOGINS = ".dockerconfigjson"
_FILES = "files"


def build_secret(spec: TaskSpec, environment: str) -> Json | None:
    """The task's variables from secrets, its files, and its logins for registries; None: it has
    none of these.
    """
    data = {key: value for each in spec.containers for key, _, value in _variables(spec, each)}
    data |= {key: text for each in spec.containers for key, _, text in _files(spec, each)}
    logins = _logins(spec)
    if logins:
        data[_LOGINS] = json.dumps({"auths": logins})
    if not data:
        return None
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": pod_name(spec),
            "labels": {**environment_labels(environment), TASK_LABEL: spec.task_id},
        },
        # Other keys may stand beside the one that this type asks for.
        "type": "kubernetes.io/dockerconfigjson" if logins else "Opaque",
        "immutable": True,
        "data": {key: _encoded(value) for key, value in data.items()},
    }


def build_secret_variables(task: TaskSpec, spec: ContainerSpec) -> list[Json]:
    """For a container's `env`. Kubernetes expands nothing in what comes from a Secret."""
    return [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": pod_name(task), "key": key}}}
        for key, name, _ in _variables(task, spec)
    ]


def build_pull_secrets(spec: TaskSpec) -> Json:
    """For the Pod's spec."""
    return {"imagePullSecrets": [{"name": pod_name(spec)}]} if _logins(spec) else {}


def build_file_volumes(spec: TaskSpec) -> list[Json]:
    """For the Pod's spec."""
    if not any(each.files for each in spec.containers):
        return []
    return [{"name": _FILES, "secret": {"secretName": pod_name(spec), "optional": False}}]


def build_file_mounts(task: TaskSpec, spec: ContainerSpec) -> dict[str, Json]:
    """By path. What stands beside the file in the image stays."""
    return {
        path: {"name": _FILES, "mountPath": path, "subPath": key, "readOnly": True}
        for key, path, _ in _files(task, spec)
    }


def _files(task: TaskSpec, spec: ContainerSpec) -> Iterator[tuple[str, str, str]]:
    """Key in the Secret, path, text."""
    names = [each.name for each in task.containers]
    for number, (path, text) in enumerate(spec.files.items()):
        yield f"file.{names.index(spec.name)}.{number}", path, text


def _variables(task: TaskSpec, spec: ContainerSpec) -> Iterator[tuple[str, str, str]]:
    """Key in the Secret, name, value. The keys are numbers: names need not be valid as keys."""
    names = [each.name for each in task.containers]
    for number, (name, value) in enumerate(spec.secrets.items()):
        yield f"{names.index(spec.name)}.{number}", name, value


def _logins(spec: TaskSpec) -> dict[str, Json]:
    """By repository, as kubelet looks them up: containers may differ in one registry."""
    return {
        _repository(each.image): {
            "username": each.login.username,
            "password": each.login.password,
            "auth": _encoded(f"{each.login.username}:{each.login.password}"),
        }
        for each in spec.containers
        if each.login is not None
    }


def _repository(image: str) -> str:
    """`busybox:1` -> `docker.io/library/busybox`, the name that Docker completes it to."""
    path = image.partition("@")[0]
    head, slash, last = path.rpartition("/")
    path = head + slash + last.partition(":")[0]
    registry, slash, _ = path.partition("/")
    if not slash:
        return f"docker.io/library/{path}"
    has_registry = registry == "localhost" or "." in registry or ":" in registry
    return path if has_registry else f"docker.io/{path}"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
