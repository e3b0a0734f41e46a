"""How what a call has made is removed, by the operation that made it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

Structure = dict[str, Any]
Call = tuple[str, Structure]
Undo = Callable[[Structure], Iterator[Call]]
_UNDO: dict[str, Undo] = {}


def undoing(operation: str, answer: Structure) -> list[Call]:
    """The calls that remove what an answer says was made; the last is to be made first."""
    undo = _UNDO.get(operation)
    return list(undo(answer)) if undo else []


def _undoes(operation: str) -> Callable[[Undo], Undo]:
    def decorate(undo: Undo) -> Undo:
        _UNDO[operation] = undo
        return undo

    return decorate


@_undoes("CreateCluster")
def _cluster(answer: Structure) -> Iterator[Call]:
    for made in _things(answer, "cluster", "clusterArn"):
        yield "DeleteCluster", {"cluster": made["clusterArn"]}


@_undoes("RegisterTaskDefinition")
def _task_definition(answer: Structure) -> Iterator[Call]:
    for made in _things(answer, "taskDefinition", "taskDefinitionArn"):
        yield from _without_definition(made["taskDefinitionArn"])


@_undoes("CreateService")
def _service(answer: Structure) -> Iterator[Call]:
    for made in _things(answer, "service", "serviceArn"):
        where = {"cluster": made.get("clusterArn"), "service": made["serviceArn"]}
        yield "DeleteService", {**where, "force": True}


@_undoes("RunTask")
@_undoes("StartTask")
def _tasks(answer: Structure) -> Iterator[Call]:
    for task in answer.get("tasks") or []:
        yield "StopTask", {"cluster": task.get("clusterArn"), "task": task.get("taskArn")}


@_undoes("CreateCapacityProvider")
def _capacity_provider(answer: Structure) -> Iterator[Call]:
    for made in _things(answer, "capacityProvider", "capacityProviderArn"):
        where = {"cluster": made["cluster"]} if made.get("cluster") else {}
        yield "DeleteCapacityProvider", {"capacityProvider": made["capacityProviderArn"], **where}


@_undoes("RegisterContainerInstance")
def _container_instance(answer: Structure) -> Iterator[Call]:
    for made in _things(answer, "containerInstance", "containerInstanceArn"):
        arn = made["containerInstanceArn"]
        where = {"cluster": _cluster_of(arn), "containerInstance": arn}
        yield "DeregisterContainerInstance", {**where, "force": True}


@_undoes("RegisterDaemonTaskDefinition")
def _daemon_task_definition(answer: Structure) -> Iterator[Call]:
    if arn := answer.get("daemonTaskDefinitionArn"):
        yield "DeleteDaemonTaskDefinition", {"daemonTaskDefinition": arn}


@_undoes("CreateDaemon")
def _daemon(answer: Structure) -> Iterator[Call]:
    if arn := answer.get("daemonArn"):
        yield "DeleteDaemon", {"daemonArn": arn}


@_undoes("CreateExpressGatewayService")
def _express_service(answer: Structure) -> Iterator[Call]:
    """Its cluster is one of ours, but the definition is made for it."""
    for made in _things(answer, "service", "serviceArn"):
        for configuration in made.get("activeConfigurations") or []:
            if arn := configuration.get("taskDefinitionArn"):
                yield from _without_definition(arn)
        yield "DeleteExpressGatewayService", {"serviceArn": made["serviceArn"]}


@_undoes("UpdateExpressGatewayService")
def _changed_express_service(answer: Structure) -> Iterator[Call]:
    configuration = (answer.get("service") or {}).get("targetConfiguration") or {}
    if arn := configuration.get("taskDefinitionArn"):
        yield from _without_definition(arn)


@_undoes("CreateGateway")
def _gateway(answer: Structure) -> Iterator[Call]:
    if arn := answer.get("gatewayArn"):
        yield "DeleteGateway", {"gateway": arn}
        yield "UpdateGateway", {"gateway": arn, "deletionProtection": False}


@_undoes("AssociateGatewayWithCluster")
def _association(answer: Structure) -> Iterator[Call]:
    if answer.get("gatewayArn") and answer.get("clusterArn"):
        where = {"gateway": answer["gatewayArn"], "cluster": answer["clusterArn"]}
        yield "DisassociateGatewayFromCluster", where


def _without_definition(arn: str) -> Iterator[Call]:
    yield "DeleteTaskDefinitions", {"taskDefinitions": [arn]}
    yield "DeregisterTaskDefinition", {"taskDefinition": arn}


def _things(answer: Structure, name: str, arn: str) -> Iterator[Structure]:
    """What was made, if it has an ARN."""
    made = answer.get(name)
    if isinstance(made, dict) and made.get(arn):
        yield made


def _cluster_of(arn: str) -> str:
    """From `...:container-instance/CLUSTER/ID`."""
    parts = arn.split("/")
    return parts[1] if len(parts) == 3 else "default"
