"""The routes that containers ask (ecs-facts 17), and whose they are."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Blueprint
from flask import Response
from flask import jsonify
from flask import request

from kecs_server.domain.arns import role_session_arn
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.faults import Fault
from kecs_server.domain.protection import DEFAULT_MINUTES
from kecs_server.domain.protection import MINUTES
from kecs_server.domain.protection import protect
from kecs_server.domain.task import Container
from kecs_server.domain.task import Task
from kecs_server.engines.base import Engine
from kecs_server.engines.base import Usage
from kecs_server.environment import Environment
from kecs_server.metadata import faults
from kecs_server.metadata.statistics import statistics_document
from kecs_server.metadata.throttle import FAULT_RATE
from kecs_server.metadata.throttle import Throttle
from kecs_server.metadata.views import account_of
from kecs_server.metadata.views import container_document
from kecs_server.metadata.views import moment
from kecs_server.metadata.views import task_document
from kecs_server.state.realm import Realm
from kecs_server.state.realms import Access

Structure = dict[str, Any]

_log = logging.getLogger(__name__)

CREDENTIALS_LIFE = 6 * 3600
"""Seconds for which a role's credentials say that they are valid."""

_NO_CONTAINER = "unable to get container ID from request: unable to get task arn from request"
_FAULT_ACTIONS = ("start", "stop", "status")


@dataclass(frozen=True, slots=True)
class Asker:
    """The container that asks."""

    realm: Realm
    cluster: Cluster
    task: Task
    container: Container


class _TooMany(Exception):
    """A task asks more often than it may."""


def metadata_blueprint(environment: Environment) -> Blueprint:
    blueprint = Blueprint("metadata", __name__)
    blueprint.register_error_handler(_TooMany, _refuse_too_many)
    endpoints = Endpoints(environment)
    for path, handler in (
        ("/v3/<id>", endpoints.container),
        ("/v4/<id>", endpoints.container),
        ("/v3/<id>/<path:rest>", endpoints.document),
        ("/v4/<id>/<path:rest>", endpoints.document),
        ("/v2/credentials/<id>", endpoints.credentials),
    ):
        blueprint.add_url_rule(path, path, handler, methods=["GET"])
    path = "/api/<id>/task-protection/v1/state"
    blueprint.add_url_rule(path, path, endpoints.protection, methods=["GET", "PUT"])
    path = "/api/<id>/fault/v1/<kind>/<action>"
    blueprint.add_url_rule(path, path, endpoints.fault, methods=["POST"])
    return blueprint


class Endpoints:
    """One method for each route."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._last_usage: dict[str, Usage] = {}
        self._throttle = Throttle()
        self._fault_throttle = Throttle(FAULT_RATE, 1)

    def container(self, id: str) -> Response:
        asker = self._asker(id)
        if asker is None:
            return _unknown()
        addresses = self._environment.network.addresses(asker.task.id)
        with asker.realm.reading():
            return jsonify(
                container_document(asker.task, asker.container, asker.container, addresses)
            )

    def document(self, id: str, rest: str) -> Response:
        asker = self._asker(id)
        if asker is None:
            return _unknown()
        if rest in ("task", "taskWithTags"):
            addresses = self._environment.network.addresses(asker.task.id)
            stored = self._stored(asker)
            with asker.realm.reading():
                return jsonify(
                    task_document(
                        asker.task,
                        asker.container,
                        addresses,
                        stored=stored,
                        with_tags=rest == "taskWithTags",
                    )
                )
        if rest == "stats":
            return jsonify(self._statistics(asker, asker.container))
        if rest == "task/stats":
            return jsonify(
                {each.metadata_id: self._statistics(asker, each) for each in asker.task.containers}
            )
        return _no_page()

    def credentials(self, id: str) -> Response:
        for realm, _, task in self._asking(id):
            if task.credentials_id == id and task.role is not None and not task.is_stopped:
                self._count(task)
                return jsonify(self._role_credentials(realm, task, task.role))
        body = {
            "code": "InvalidIdInRequest",
            "message": "CredentialsV2Request: Credentials not found",
            "HTTPErrorCode": 400,
        }
        return _json(body, 400)

    def protection(self, id: str) -> Response:
        asker = self._asker(id)
        if asker is None:
            return _json(
                {
                    "error": {
                        "Code": "ResourceNotFoundException",
                        "Message": "Invalid request: no task was found",
                    }
                },
                404,
            )
        if request.method == "GET":
            return self._protection_of(asker)
        return self._set_protection(asker)

    def fault(self, id: str, kind: str, action: str) -> Response:
        """As the agent: what is asked is checked first, then who asks."""
        if kind not in (faults.BLACK_HOLE, *faults.NAMES) or action not in _FAULT_ACTIONS:
            return _no_page()
        asker = self._asker(id)
        if not self._fault_throttle.admits(f"{asker.task.id if asker else id}/{kind}/{action}"):
            raise _TooMany
        fault = None
        try:
            if action == "start" or kind == faults.BLACK_HOLE:
                fault = faults.parse_fault(kind, request.get_data())
        except faults.BadRequest as error:
            return _json({"Error": str(error)}, 400)
        if asker is None:
            text = "unable to get task arn from request: unable to get task Arn from v3 endpoint ID"
            return _json({"Error": f"{text}: {id}"}, 404)
        definition = asker.task.task_definition
        if not definition.body.get("enableFaultInjection"):
            text = f"enableFaultInjection is not enabled for task: {asker.task.arn}"
            return _json({"Error": text}, 400)
        if definition.network_mode not in faults.MODES:
            mode = definition.network_mode
            text = f"{mode} mode is not supported. Please use either host or awsvpc mode."
            return _json({"Error": text}, 400)
        try:
            return self._disturb(asker.task.id, action, fault, faults.NAMES.get(kind, ""))
        except OSError as error:
            _log.warning("task %s: no fault can be made: %s", asker.task.id, error)
            return _json({"Error": faults.INTERNAL_ERROR}, 500)

    def _disturb(self, task_id: str, action: str, fault: Fault | None, name: str) -> Response:
        """:raises OSError: the system cannot."""
        network = self._environment.network
        name = fault.name if fault else name
        if action == "status":
            is_running = name in network.faults(task_id)
            return jsonify({"Status": "running" if is_running else "not-running"})
        if action == "stop":
            network.stop_fault(task_id, name)
            return jsonify({"Status": "stopped"})
        assert fault is not None
        excluded_by = faults.ALREADY_RUNNING if name in faults.ALREADY_RUNNING else ()
        other = network.start_fault(task_id, fault, excluded_by)
        if other is not None:
            return _json({"Error": faults.ALREADY_RUNNING[other]}, 409)
        return jsonify({"Status": "running"})

    def _asker(self, id: str) -> Asker | None:
        for realm, cluster, task in self._asking(id):
            for container in task.containers:
                if container.metadata_id == id:
                    self._count(task)
                    return Asker(realm, cluster, task, container)
        return None

    def _count(self, task: Task) -> None:
        if not self._throttle.admits(task.id):
            raise _TooMany

    def _asking(self, secret: str) -> Iterator[tuple[Realm, Cluster, Task]]:
        for realm in self._environment.realms.all():
            with realm.reading():
                found = [
                    (cluster, task)
                    for store in realm.stores()
                    for cluster in store.clusters.values()
                    if (task := cluster.tasks.asking(secret)) is not None
                ]
            for cluster, task in found:
                yield realm, cluster, task

    def _engine(self, asker: Asker) -> Engine | None:
        return self._environment.engines[asker.realm.engine].engine

    def _stored(self, asker: Asker) -> int | None:
        """Nobody is told of it outside Fargate."""
        engine = self._engine(asker)
        if engine is None or asker.task.ephemeral_storage is None:
            return None
        return engine.storage(asker.task.id)

    def _statistics(self, asker: Asker, container: Container) -> Structure | None:
        engine = self._engine(asker)
        usage = engine.usage(asker.task.id, container.name) if engine else None
        if usage is None:
            self._last_usage.pop(container.metadata_id, None)
            return None
        earlier = self._last_usage.get(container.metadata_id)
        self._last_usage[container.metadata_id] = usage
        override = container.override
        limit = override.get("memory", container.definition.get("memory"))
        return statistics_document(container.name, container.metadata_id, usage, earlier, limit)

    def _role_credentials(self, realm: Realm, task: Task, role: str) -> Structure:
        account, region = account_of(task)
        principal = role_session_arn(region, account, role, task.id)
        access = Access(realm, account, principal)
        key = self._environment.realms.role_key(access, f"task/{task.id}")
        return {
            "RoleArn": role,
            "AccessKeyId": key.access_key,
            "SecretAccessKey": key.secret_key,
            "Token": task.credentials_id,
            "Expiration": moment(time.time() + CREDENTIALS_LIFE),
        }

    def _protection_of(self, asker: Asker) -> Response:
        task, now = asker.task, asker.realm.clock.now()
        if task.service_name is None:
            failure = {"Arn": task.arn, "Reason": "TASK_NOT_VALID"}
            return jsonify({"failure": failure})
        protection: Structure = {"ProtectionEnabled": False, "TaskArn": task.arn}
        if task.is_protected(now):
            protection["ProtectionEnabled"] = True
            protection["ExpirationDate"] = _seconds_only(task.protected_until)
        return jsonify({"protection": protection})

    def _set_protection(self, asker: Asker) -> Response:
        body = request.get_json(force=True, silent=True)
        enabled = body.get("ProtectionEnabled") if isinstance(body, dict) else None
        minutes = body.get("ExpiresInMinutes", DEFAULT_MINUTES) if isinstance(body, dict) else None
        if not isinstance(enabled, bool) or type(minutes) is not int or minutes not in MINUTES:
            error = {
                "Arn": asker.task.arn,
                "Code": "InvalidParameterException",
                "Message": "Invalid request: ProtectionEnabled is true or false, and "
                f"ExpiresInMinutes from {MINUTES[0]} to {MINUTES[-1]}",
            }
            return _json({"error": error}, 400)
        with asker.realm.changing():
            wanted = minutes if enabled else None
            now = asker.realm.clock.now()
            failure = protect(asker.cluster, asker.task, wanted, now)
            if failure is None:
                asker.realm.touch_task(asker.cluster, asker.task)
        if failure is not None:
            return jsonify({"failure": {name.title(): text for name, text in failure.items()}})
        return self._protection_of(asker)


def _seconds_only(seconds: float | None) -> str:
    return f"{(moment(seconds) or '')[:19]}Z"


def _refuse_too_many(error: _TooMany) -> Response:
    text = "You have reached maximum request limit."
    return Response(text, status=429, mimetype="text/plain")


def _no_page() -> Response:
    return Response("404 page not found\n", status=404, mimetype="text/plain")


def _unknown() -> Response:
    text = f"V4 container metadata handler: {_NO_CONTAINER}"
    return _json(text, 404)


def _json(body: Any, status: int) -> Response:
    response = jsonify(body)
    response.status_code = status
    return response
