"""Names under which tasks find services: of Service Connect and Cloud Map (ecs-facts 7.9)."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kecs_server.domain import deploying
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.ports import ports_of
from kecs_server.domain.service import Service
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.task_definition import TaskDefinition

Structure = dict[str, Any]


_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,126}\Z")


def is_host(name: str) -> bool:
    """Whether programs can look up the name (the model's text on dnsName)."""
    return _HOST.match(name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What is reached at `host`:`port`: the port of its tasks that has the name `port_name`, or
    else `container_port` of `container`. `definition` is that of the deployment that says so.
    """

    host: str
    port: int
    service: Service
    definition: TaskDefinition
    port_name: str | None = None
    container: str = ""
    container_port: int = 0

    def place(self, definition: TaskDefinition) -> tuple[str, int] | None:
        """The container and its port in a task of this definition."""
        if self.port_name is None:
            return self.container, self.container_port
        return named_port(definition, self.port_name)


def named_port(definition: TaskDefinition, name: str) -> tuple[str, int] | None:
    for container in definition.containers:
        for mapping in container["portMappings"]:
            if mapping.get("name") == name and "containerPort" in mapping:
                return container["name"], mapping["containerPort"]
    return None


def connect_endpoints(service: Service, namespace: str) -> Iterator[Endpoint]:
    """Of a service that has Service Connect; without a name of its own an alias is called
    `discoveryName.namespace`.
    """
    deployment = service.primary
    for each in deployment.settings["serviceConnectConfiguration"].get("services", ()):
        name = each.get("discoveryName", each["portName"])
        for alias in each.get("clientAliases", ()):
            host = alias.get("dnsName") or f"{name}.{namespace}"
            if is_host(host):  # a namespace may have a name that no host can have
                yield Endpoint(
                    host=host,
                    port=alias["port"],
                    service=service,
                    definition=deployment.task_definition,
                    port_name=each["portName"],
                )


def registries_of(service: Service) -> Iterator[tuple[Deployment, Structure]]:
    """What registers its tasks now, the PRIMARY deployment or task sets, with its registry."""
    deployments = service.in_place if service.has_task_sets else [service.primary]
    for deployment in deployments:
        for registry in deployment.settings.get("serviceRegistries") or ():
            yield deployment, registry


def registry_endpoints(
    service: Service, deployment: Deployment, registry: Structure, host: str
) -> Iterator[Endpoint]:
    """Of what registers its tasks under the name `host`, at the port that its registry names, or at
    all TCP ports that its containers map.
    """
    port = registry.get("containerPort", registry.get("port"))
    for container in deployment.task_definition.containers:
        if registry.get("containerName", container["name"]) != container["name"]:
            continue
        for number, protocol in ports_of(container):
            if protocol == "tcp" and port in (None, number):
                yield Endpoint(
                    host=host,
                    port=number,
                    service=service,
                    definition=deployment.task_definition,
                    container=container["name"],
                    container_port=number,
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A task as Cloud Map knows it, in the service with the ARN `registry`, or in the one that
    Service Connect has: `name` in the namespace of the ARN `namespace`.
    """

    attributes: Mapping[str, str]
    registry: str = ""
    namespace: str = ""
    name: str = ""


def instances_of(service: Service, task: Task, localhost: str) -> Iterator[Instance]:
    """What is to be registered of a task that runs.

    :param localhost: the address of its host, where tasks have none of their own.
    """
    own = next((each for each in service.in_place if each.id == task.started_by), None)
    if own is None:
        return
    for registry in own.settings.get("serviceRegistries", ()):
        port = registry.get("containerPort", registry.get("port"))
        container = registry.get("containerName", task.containers[0].name)
        place = None if port is None else (container, port)
        attributes = _attributes(service, task, place, localhost)
        yield Instance(registry=registry["registryArn"], attributes=attributes)
    if own.namespace is None:
        return
    for each in own.settings["serviceConnectConfiguration"].get("services", ()):
        place = named_port(task.task_definition, each["portName"])
        yield Instance(
            namespace=own.namespace,
            name=each.get("discoveryName", each["portName"]),
            attributes=_attributes(service, task, place, localhost),
        )


def _attributes(
    service: Service, task: Task, place: tuple[str, int] | None, localhost: str
) -> dict[str, str]:
    arn = parse_arn(service.arn)
    assert arn is not None
    address, port = task.address or localhost, place and place[1]
    if place is not None and not task.is_awsvpc:
        address, port = localhost, _host_port(task, *place)
    return {
        "AWS_INSTANCE_IPV4": address,
        **({"AWS_INSTANCE_PORT": str(port)} if port is not None else {}),
        "AWS_INIT_HEALTH_STATUS": "UNHEALTHY" if task.health_status == "UNHEALTHY" else "HEALTHY",
        "AVAILABILITY_ZONE": task.availability_zone,
        "REGION": arn.region,
        "ECS_CLUSTER_NAME": service.cluster_arn.rpartition("/")[2],
        "ECS_SERVICE_NAME": service.name,
        "ECS_TASK_DEFINITION_FAMILY": task.task_definition.family,
    }


def _host_port(task: Task, container: str, port: int) -> int:
    for binding in task.container(container).bindings:
        if binding.mapping.first <= port <= binding.mapping.last:
            return binding.host_port + port - binding.mapping.first
    return port


def mark_of(realm: str, service_arn: str) -> str:
    """What tells the tasks of a service from all others of a server; 16 hex digits."""
    return hashlib.blake2b(f"{realm} {service_arn}".encode(), digest_size=8).hexdigest()


class Turns:
    """Whose turn it is of the tasks that serve an endpoint: in a circle, and where two revisions
    have traffic, each as often as its weight says.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def order(self, service: Service, tasks: Sequence[Task]) -> list[Task]:
        """All tasks that can serve, the one whose turn it is first."""
        serving = [task for task in tasks if _serves(task)]
        healthy = [task for task in serving if task.health_status != "UNHEALTHY"]
        number = next(self._numbers)
        candidates = healthy or serving
        weights = deploying.weights(service, "production")
        if len(weights) > 1:
            first = _chosen(weights, number)
            candidates = [
                task for task in candidates if weights.get(_revision(task), 0) > 0
            ] or candidates
            preferred = [task for task in candidates if _revision(task) == first]
            others = [task for task in candidates if _revision(task) != first]
            return _turned(preferred, number) + others
        return _turned(candidates, number)


def _serves(task: Task) -> bool:
    return task.last_status == Status.RUNNING and task.desired_status == "RUNNING"


def _revision(task: Task) -> str:
    return (task.started_by or "").rpartition("/")[2]


def _chosen(weights: Mapping[str, float], number: int) -> str:
    """The revision for the request of this number; of 100 in a row each has as many as it should,
    spread evenly.
    """
    names = sorted(weights, key=lambda name: weights[name])
    for name in names[:-1]:
        share = weights[name] / 100
        if int((number + 1) * share + 1e-9) > int(number * share + 1e-9):
            return name
    return names[-1]


def _turned(tasks: list[Task], number: int) -> list[Task]:
    begin = number % len(tasks) if tasks else 0
    return tasks[begin:] + tasks[:begin]
