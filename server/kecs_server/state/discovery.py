"""Which services of an account and region can be found by name."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping

from kecs_server.domain.discovery import Endpoint
from kecs_server.domain.discovery import connect_endpoints
from kecs_server.domain.discovery import registries_of
from kecs_server.domain.discovery import registry_endpoints
from kecs_server.domain.ordered import Ordered
from kecs_server.domain.service import ACTIVE
from kecs_server.domain.service import Service
from kecs_server.domain.task import Task


class Discovery:
    """Services by the namespaces that they have been in, and those that have a registry: nobody
    need look at all others. `namespaces`: names by ARN, as far as they were ever said.
    """

    def __init__(self) -> None:
        self.namespaces: dict[str, str] = {}
        self._by_namespace: dict[str, Ordered[Service]] = {}
        self._registered: dict[str, Service] = {}

    def note(self, service: Service) -> None:
        """The service has a new deployment or task set."""
        if any(registries_of(service)):
            self._registered[service.arn] = service
        if service.has_task_sets:  # for which there is no Service Connect
            return
        namespace = service.primary.namespace
        if namespace is not None:
            given = service.primary.settings["serviceConnectConfiguration"].get("namespace")
            self.keep_name(given, namespace)
            self._by_namespace.setdefault(namespace, Ordered())[service.arn] = service

    def keep_name(self, given: str | None, arn: str) -> None:
        """A namespace was named as it is `given`, by its name or its ARN."""
        if given and given != arn:
            self.namespaces[arn] = given

    def forget(self, service: Service) -> None:
        """The service was deleted."""
        self._registered.pop(service.arn, None)
        for namespace, services in list(self._by_namespace.items()):
            services.pop(service.arn, None)
            if not services:
                del self._by_namespace[namespace]

    def in_namespace(self, arn: str, after: str | None = None) -> Iterator[Service]:
        """The ACTIVE ones that are in it now, in the order of their ARNs, behind `after`."""
        return (
            service
            for service in self._by_namespace.get(arn, Ordered[Service]()).after(after)
            if service.status == ACTIVE and service.primary.namespace == arn
        )

    def endpoints(
        self, task: Task, service: Service | None, registries: Mapping[str, str]
    ) -> Iterator[Endpoint]:
        """What the task can find by name: all registered services, and what is in its service's
        namespace, if the deployment that it is of has one.

        :param registries: the names of Cloud Map's services by ARN, as far as they are known.
        """
        deployments = service.deployments if service is not None else ()
        own = next((each for each in deployments if each.id == task.started_by), None)
        if own is not None and own.namespace is not None:
            name = self.namespaces.get(own.namespace, own.namespace.rpartition("/")[2])
            for peer in self.in_namespace(own.namespace):
                yield from connect_endpoints(peer, name)
        for peer in self._registered.values():
            for deployment, registry in registries_of(peer):
                host = registries.get(registry["registryArn"])
                if peer.status == ACTIVE and host is not None:
                    yield from registry_endpoints(peer, deployment, registry, host)
