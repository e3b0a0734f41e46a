"""ContainerSpec -> a container of a Pod. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.kubernetes.secrets import build_secret_variables
from kecs_server.engines.kubernetes.volumes import build_mounts
from kecs_server.engines.kubernetes.volumes import storage_limit
from kecs_server.engines.kubernetes.volumes import uses_shared
from kecs_server.engines.mounts import mount_problem

Json = dict[str, Any]

_USER = re.compile(r"(\d+)(?::(\d+))?")
_LABEL = re.compile("label:(user|role|type|level):(.+)")
_NO_NEW_PRIVILEGES = "no-new-privileges"
_CPU_SHARES_PER_REQUEST = 10


def build_container(
    task: TaskSpec, spec: ContainerSpec, *, name: str, image: str, index: int, is_copy: bool
) -> Json:
    """The Pod's container number `index`. `is_copy`: it waits to run in the place of another."""
    container: Json = {
        "name": name,
        "image": image,
        # Kubernetes' default for `:latest` is Always, which fails for images that were loaded.
        "imagePullPolicy": "IfNotPresent",
        "command": [_literal(word) for word in spec.entry_point or ()],
        "args": [_literal(word) for word in spec.command or ()],
        "env": [
            *({"name": name, "value": _literal(text)} for name, text in spec.environment.items()),
            *build_secret_variables(task, spec),
        ],
        "workingDir": spec.working_directory,
        "stdin": spec.interactive,
        "tty": spec.pseudo_terminal,
        "securityContext": _security(spec),
        "resources": _resources(task, spec, is_copy=is_copy),
        "volumeMounts": build_mounts(task, spec, index),
    }
    return {key: value for key, value in container.items() if value}


def find_obstacle(task: TaskSpec, spec: ContainerSpec, *, can_share: bool) -> str | None:
    """Why no Pod can have such a container, or None.

    :param can_share: there is a place for volumes that tasks share.
    """
    if spec.user is not None and _ids(spec.user) is None:
        return (
            f"the user {spec.user!r} is not a number, and Kubernetes does not look names up "
            "in the image; write uid or uid:gid"
        )
    for path in (*(each.path for each in spec.mounts), *(each.path for each in spec.tmpfs)):
        problem = mount_problem(path)
        if problem is not None:
            return f"Error response from daemon: {problem}"
    shared = uses_shared(task, spec)
    if shared and not can_share:
        return (
            f"the volume {shared[0]!r} is shared by tasks, for which only clusters made with "
            "kind have a place"
        )
    return None


def _security(spec: ContainerSpec) -> Json:
    user, group = (_ids(spec.user) or (None, None)) if spec.user else (None, None)
    capabilities = {"add": spec.capabilities_added, "drop": spec.capabilities_dropped}
    context: Json = {
        "runAsUser": user,
        "runAsGroup": group,
        "privileged": spec.privileged or None,
        "readOnlyRootFilesystem": spec.read_only_root or None,
        "allowPrivilegeEscalation": False if _NO_NEW_PRIVILEGES in spec.security_options else None,
        "seLinuxOptions": dict(_labels(spec)) or None,
        "capabilities": {key: list(names) for key, names in capabilities.items() if names} or None,
    }
    return {key: value for key, value in context.items() if value is not None}


def _labels(spec: ContainerSpec) -> Iterator[tuple[str, str]]:
    """The SELinux label: user, role, type and level."""
    for option in spec.security_options:
        found = _LABEL.fullmatch(option)
        if found is not None:
            yield found[1], found[2]


def _ids(user: str) -> tuple[int, int | None] | None:
    """uid and gid of `uid`, `uid:gid` or with the one name that every image has."""
    found = _USER.fullmatch(re.sub(r"\broot\b", "0", user))
    if found is None:
        return None
    return int(found[1]), None if found[2] is None else int(found[2])


def _resources(task: TaskSpec, spec: ContainerSpec, *, is_copy: bool) -> Json:
    """The storage of the task is a limit of its Pod, which is the sum of what its containers have:
    the first has it.

    `memory` is a limit, of the container or, for each of its containers, of the task: Pods have
    none as a whole. What is requested decides whether a node has room.

    CPU of a container is a weight on ECS, and so it is here: a tenth is requested, which keeps the
    proportions, and a node of two CPUs does not refuse the third task. CPU of a task is a limit on
    ECS, and so it is here, for each container.
    """
    memory = min([each for each in (spec.memory, task.memory) if each], default=None)
    reserved = spec.memory_reservation or spec.memory or 0
    limits: Json = {}
    requests: Json = {}
    if memory is not None:
        limits["memory"] = f"{memory}Mi"
        # What is not requested would be taken to be the limit.
        requests["memory"] = f"{0 if is_copy else min(reserved, memory)}Mi"
    elif reserved and not is_copy:
        requests["memory"] = f"{reserved}Mi"
    if task.cpu:
        limits["cpu"] = f"{_millis(task.cpu)}m"
        requests["cpu"] = "0"
    if spec.cpu and not is_copy:
        requests["cpu"] = f"{max(1, _millis(spec.cpu) // _CPU_SHARES_PER_REQUEST)}m"
    storage = storage_limit(task)
    if storage and spec is task.containers[0] and not is_copy:
        limits["ephemeral-storage"] = f"{storage}Mi"
        requests["ephemeral-storage"] = "0"
    if spec.gpus and not is_copy:
        limits["nvidia.com/gpu"] = str(spec.gpus)
    resources = {"limits": limits, "requests": requests}
    return {key: value for key, value in resources.items() if value}


def _millis(units: int) -> int:
    """ECS's CPU units (1024 = one CPU) -> Kubernetes' thousandths."""
    return max(1, units * 1000 // 1024)


def _literal(text: str) -> str:
    """Kubernetes expands `$(NAME)` and turns `$$` into `$` in commands and values; ECS does not."""
    return text.replace("$", "$$")
