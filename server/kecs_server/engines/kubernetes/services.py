"""What a task finds by name -> a Service for each host name. Pure.

The names of ECS need not be names of Services, so each is a line of the Pod's hosts file with its
Service's address. A task's Services are made before its Pod and deleted with it.
"""

from __future__ import annotations

from typing import Any

from kecs_server.engines.base import Named
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.kubernetes.labels import TASK_LABEL
from kecs_server.engines.kubernetes.labels import environment_labels

Json = dict[str, Any]

SERVES_LABEL = "kecs/serves"


def build_services(spec: TaskSpec, environment: str) -> dict[str, Json]:
    """By host name. Where one has ports of several services, the first service counts."""
    hosts: dict[str, list[Named]] = {}
    for named in spec.names:
        its = hosts.setdefault(named.host, [])
        if not its or its[0].mark == named.mark:
            its.append(named)
    return {
        host: {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": f"n{number}-{spec.task_id}",
                "labels": {**environment_labels(environment), TASK_LABEL: spec.task_id},
            },
            "spec": {
                "selector": {SERVES_LABEL: its[0].mark},
                # A Pod with a held container is never ready; ECS has its own idea of that.
                "publishNotReadyAddresses": True,
                "ports": [
                    {"name": f"p{each.port}", "port": each.port, "targetPort": each.target_port}
                    for each in its
                ],
            },
        }
        for number, (host, its) in enumerate(hosts.items())
    }
