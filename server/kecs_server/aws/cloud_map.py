"""Tasks of services as instances in Cloud Map of the configured endpoint (ecs-facts 7.9)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Any

from kecs_server.aws.endpoints import EndpointError
from kecs_server.aws.endpoints import Endpoints
from kecs_server.aws.pool import Pool
from kecs_server.domain.arns import new_uuid
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.discovery import Instance
from kecs_server.domain.discovery import instances_of
from kecs_server.domain.events import DISCOVERY_THROTTLED
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.service import Service
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.ways_out import LOCALHOST
from kecs_server.scheduler.service_tasks import warn
from kecs_server.state.realm import Realm

Structure = dict[str, Any]

FLUSH_SECONDS = 2.0
"""How long the server's end waits for instances to be deregistered."""

RETRIES = 5
RETRY_SECONDS = 1.0
"""How often a call that was throttled is made again, and after how long."""

_THROTTLED = ("RequestLimitExceeded", "Throttling", "ThrottlingException")
_THROTTLED_TEXT = "operations are being throttled. Will try again later."

_log = logging.getLogger(__name__)


class CloudMap:
    """Registers tasks when they run and deregisters them before they stop: a watcher of realms
    that have an endpoint. Calls are made one after another, in a thread of their own.
    """

    def __init__(self, endpoints_of: Callable[[Realm], Endpoints | None]) -> None:
        self._endpoints_of = endpoints_of
        self._pool = Pool("cloud-map", 1)
        self._closing = threading.Event()
        self._wanted: dict[Realm, dict[str, str]] = {}
        """Health by the id of each task that is to be registered; guarded by the realm's lock."""
        self._asked: dict[Realm, set[str]] = {}
        """ARNs of services of Cloud Map whose names were asked for; likewise."""
        self._registered: dict[tuple[Realm, str], list[tuple[str, str]]] = {}
        """Region and service of each instance of a task; for the calling thread alone."""
        self._complained: set[str] = set()

    def task_changed(self, realm: Realm, task: Task) -> None:
        if task.service_arn is None or realm.ended:
            return
        wanted = self._wanted.setdefault(realm, {})
        serves = task.last_status == Status.RUNNING and task.desired_status == "RUNNING"
        if not serves:
            if wanted.pop(task.id, None) is not None:
                self._submit(realm, task.service_arn, partial(self._deregister, realm, task.id))
            return
        health = task.health_status
        if task.id not in wanted:
            instances = list(self._instances(realm, task))
            if instances:
                wanted[task.id] = health
                register = partial(self._register, realm, task.id, instances)
                self._submit(realm, task.service_arn, register)
        elif health not in (wanted[task.id], "UNKNOWN"):
            wanted[task.id] = health
            tell = partial(self._tell_health, realm, task.id, health)
            self._submit(realm, task.service_arn, tell)

    def service_changed(self, realm: Realm, service: Service) -> None:
        """Ask once for the name of each registry: tasks find the service by it."""
        if realm.ended:
            return
        asked = self._asked.setdefault(realm, set())
        given = [each.settings.get("serviceRegistries", ()) for each in service.in_place]
        for registry in chain.from_iterable(given):
            arn = registry["registryArn"]
            if arn not in asked:
                asked.add(arn)
                self._submit(realm, service.arn, partial(self._ask_name, realm, arn))

    def instance_changed(self, realm: Realm, instance: ContainerInstance) -> None:
        pass

    def end(self, realm: Realm) -> None:
        """The realm's tasks are gone: so are their instances."""
        with realm.reading():
            self._asked.pop(realm, None)
            self.forget(realm, list(self._wanted.get(realm, ())))
            self._wanted.pop(realm, None)

    def forget(self, realm: Realm, task_ids: Iterable[str]) -> None:
        """These tasks were dropped from the realm, whose lock is held."""
        wanted = self._wanted.get(realm, {})
        for task_id in task_ids:
            if wanted.pop(task_id, None) is not None:
                self._submit(realm, "", partial(self._deregister, realm, task_id))

    def close(self) -> None:
        self._closing.set()
        self._pool.close(FLUSH_SECONDS)

    def _instances(self, realm: Realm, task: Task) -> Iterator[Instance]:
        service = realm.service_of(task)
        return iter(()) if service is None else instances_of(service, task, LOCALHOST)

    def _submit(self, realm: Realm, service_arn: str, job: Callable[[Endpoints], None]) -> None:
        endpoints = self._endpoints_of(realm)
        if endpoints is not None:
            self._pool.submit(partial(self._try, realm, service_arn, endpoints, job))

    def _try(
        self,
        realm: Realm,
        service_arn: str,
        endpoints: Endpoints,
        job: Callable[[Endpoints], None],
    ) -> None:
        for _ in range(RETRIES):
            try:
                return job(endpoints)
            except EndpointError as error:
                if error.code not in _THROTTLED:
                    return self._complain(endpoints, str(error))
            if not realm.ended:
                _tell_throttled(realm, service_arn)
            if self._closing.wait(RETRY_SECONDS):
                return None
        return None

    def _complain(self, endpoints: Endpoints, text: str) -> None:
        if text not in self._complained:
            self._complained.add(text)
            _log.warning("%s takes no instances for Cloud Map: %s", endpoints.url, text)

    def _ask_name(self, realm: Realm, arn: str, endpoints: Endpoints) -> None:
        parsed = parse_arn(arn)
        assert parsed is not None
        found = _call(endpoints, parsed.region, "get_service", Id=arn.rpartition("/")[2])
        service = found["Service"]
        found = _call(endpoints, parsed.region, "get_namespace", Id=service["NamespaceId"])
        with realm.reading():
            name = f"{service['Name']}.{found['Namespace']['Name']}"
            realm.registered.see_registry(arn, name)

    def _register(
        self, realm: Realm, task_id: str, instances: list[Instance], endpoints: Endpoints
    ) -> None:
        registered = self._registered.setdefault((realm, task_id), [])
        for instance in instances[len(registered) :]:
            region = instance.attributes["REGION"]
            service = instance.registry.rpartition("/")[2]
            if not service:
                service = self._service_of_connect(realm, region, instance, endpoints)
            _call(
                endpoints,
                region,
                "register_instance",
                ServiceId=service,
                InstanceId=task_id,
                CreatorRequestId=new_uuid(),
                Attributes=dict(instance.attributes),
            )
            registered.append((region, service))

    def _deregister(self, realm: Realm, task_id: str, endpoints: Endpoints) -> None:
        for region, service in self._registered.pop((realm, task_id), []):
            call = partial(_deregister, region=region, ServiceId=service, InstanceId=task_id)
            self._try(realm, "", endpoints, call)

    def _tell_health(self, realm: Realm, task_id: str, health: str, endpoints: Endpoints) -> None:
        for region, service in self._registered.get((realm, task_id), []):
            try:
                _call(
                    endpoints,
                    region,
                    "update_instance_custom_health_status",
                    ServiceId=service,
                    InstanceId=task_id,
                    Status=health,
                )
            except EndpointError as error:
                if error.code != "CustomHealthNotFound":  # the service has no custom health check
                    raise

    def _service_of_connect(
        self, realm: Realm, region: str, instance: Instance, endpoints: Endpoints
    ) -> str:
        """The id of the service that ECS has for a name of Service Connect, made if need be."""
        arn = parse_arn(instance.namespace)
        assert arn is not None
        with realm.reading():
            names = realm.store(arn.account, arn.region).discovery.namespaces
            name = names.get(instance.namespace)
        namespace = _namespace(endpoints, region, instance.namespace, name)
        known = [{"Name": "NAMESPACE_ID", "Values": [namespace], "Condition": "EQ"}]
        for service in _all(endpoints, region, "list_services", "Services", Filters=known):
            if service["Name"] == instance.name:
                # Not all endpoints know the filter.
                whole = _call(endpoints, region, "get_service", Id=service["Id"])["Service"]
                if whole["NamespaceId"] == namespace:
                    return str(service["Id"])
        made = _call(
            endpoints,
            region,
            "create_service",
            Name=instance.name,
            NamespaceId=namespace,
            CreatorRequestId=new_uuid(),
        )
        return str(made["Service"]["Id"])


def _namespace(endpoints: Endpoints, region: str, arn: str, name: str | None) -> str:
    """Its id; one of this name is made if there is none.

    :raises EndpointError: there is none of this ARN.
    """
    for _ in range(2):
        for namespace in _all(endpoints, region, "list_namespaces", "Namespaces"):
            if namespace.get("Arn") == arn or namespace["Name"] == name:
                return str(namespace["Id"])
        if name is not None:
            _call(
                endpoints, region, "create_http_namespace", Name=name, CreatorRequestId=new_uuid()
            )
    raise EndpointError(f"NamespaceNotFound: {arn}", code="NamespaceNotFound")


def _all(
    endpoints: Endpoints, region: str, operation: str, member: str, **params: Any
) -> Iterator[Structure]:
    token: Structure = {}
    while True:
        answer = _call(endpoints, region, operation, **params, **token)
        yield from answer[member]
        if not answer.get("NextToken"):
            return
        token = {"NextToken": answer["NextToken"]}


def _call(endpoints: Endpoints, region: str, operation: str, **params: Any) -> Any:
    return endpoints.call("servicediscovery", region, operation, **params)


def _deregister(endpoints: Endpoints, *, region: str, **params: str) -> None:
    _call(endpoints, region, "deregister_instance", **params)


def _tell_throttled(realm: Realm, service_arn: str) -> None:
    with realm.changing():
        now = realm.clock.now()
        for cluster, service in realm.services():
            if service.arn == service_arn and warn(service, _THROTTLED_TEXT, now):
                service.give_notice(DISCOVERY_THROTTLED, now)
                realm.touch_service(cluster, service)
