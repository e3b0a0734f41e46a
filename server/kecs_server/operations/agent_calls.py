"""What the agent of a container instance calls (ecs-facts 12.5).

An agent that has asked where to poll runs the tasks that are then placed on its instance itself,
and submits their states. The tasks of all other instances the engine runs, and reports of.
"""

from __future__ import annotations

from typing import Any

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.ports import Binding
from kecs_server.domain.ports import PortMapping
from kecs_server.domain.task import Container
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.task import move
from kecs_server.domain.task import want_stopped
from kecs_server.engines import base
from kecs_server.errors import ClusterNotFoundException
from kecs_server.errors import InvalidParameterException
from kecs_server.operations import lookup
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry
from kecs_server.scheduler import agent
from kecs_server.scheduler.service_tasks import notice

Structure = dict[str, Any]

registry = Registry()

ACKNOWLEDGED = {"acknowledgment": "ACK"}

LAST_TIME = 253_402_300_800.0
"""Seconds: the end of the year 9999."""

_STARTING = ("PENDING", "MANIFEST_PULLED", "PULLED", "CREATED", "RESOURCES_PROVISIONED")
_STATUSES = (*_STARTING, "RUNNING", "STOPPED")
_ATTACHMENT_STATUSES = ("ATTACHING", "ATTACHED", "DETACHING", "DETACHED", "FAILED")
_TIMES = {
    "pullStartedAt": "pull_started_at",
    "pullStoppedAt": "pull_stopped_at",
    "executionStoppedAt": "execution_stopped_at",
}


@registry.operation("DiscoverPollEndpoint")
def discover_poll_endpoint(call: Call, params: Structure) -> Structure:
    if "containerInstance" in params:
        cluster = _known_cluster(call, params.get("cluster"))
        instance = lookup.registered_instance(call, cluster, params["containerInstance"])
        if instance.is_host:
            raise InvalidParameterException(
                f"The container instance {instance.id} is the engine's own, which is its agent."
            )
        if not instance.has_own_agent:
            instance.has_own_agent = True
            instance.changed(call.now, "has an agent of its own")
            call.realm.touch_instance(cluster, instance)
    elif "cluster" in params:
        _known_cluster(call, params["cluster"])
    names = ("endpoint", "telemetryEndpoint", "serviceConnectEndpoint")
    return dict.fromkeys(names, f"{call.realm.endpoint}/")


@registry.operation("SubmitTaskStateChange")
def submit_task_state_change(call: Call, params: Structure) -> Structure:
    cluster, task = _task(call, params)
    status = _checked(params.get("status"), _STATUSES)
    reports = [
        (_container(task, each.get("containerName", "")), each)
        for each in params.get("containers", ())
    ]
    for _, each in reports:
        _checked(each.get("status"), _STATUSES)
    attachments = [_interface_status(task, each) for each in params.get("attachments", ())]
    for each in params.get("managedAgents", ()):
        _container(task, each["containerName"])
    times = _checked_times(params)
    before = task.last_status
    for attachment_status in attachments:
        _attach(task, attachment_status, call.now)
    for container, each in reports:
        _report(task, container, each, call.now)
    for attribute, seconds in times.items():
        setattr(task, attribute, seconds)
    if status == "RUNNING" and task.desired_status == "RUNNING":
        move(task, Status.RUNNING, call.now)
    elif status == "STOPPED":
        _stop(task, params.get("reason"), call.now)
    elif status is not None:
        move(task, Status.PENDING, call.now)
    return _publish(call, cluster, task, before)


@registry.operation("SubmitContainerStateChange")
def submit_container_state_change(call: Call, params: Structure) -> Structure:
    cluster, task = _task(call, params)
    container = _container(task, params.get("containerName", ""))
    _checked(params.get("status"), _STATUSES)
    before = task.last_status
    _report(task, container, params, call.now)
    return _publish(call, cluster, task, before)


@registry.operation("SubmitAttachmentStateChanges")
def submit_attachment_state_changes(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_cluster(call, params.get("cluster"))
    found = [(_owner(cluster, each), each) for each in params["attachments"]]
    statuses = [_interface_status(task, each) for task, each in found]
    for (task, _), status in zip(found, statuses, strict=True):
        before = task.last_status
        _attach(task, status, call.now)
        _publish(call, cluster, task, before)
    return ACKNOWLEDGED


def _known_cluster(call: Call, reference: str | None) -> Cluster:
    """:raises InvalidParameterException: there is none; the model has no other error for it."""
    try:
        return lookup.find_cluster(call, reference)
    except ClusterNotFoundException as error:
        raise InvalidParameterException(error.message) from None


def _task(call: Call, params: Structure) -> tuple[Cluster, Task]:
    """:raises InvalidParameterException: there is no such task, or the engine runs it."""
    cluster = lookup.find_cluster(call, params.get("cluster"))
    identifier = lookup.task_id(call, cluster, params.get("task", ""))
    task = lookup.find_task(call, cluster, identifier)
    if task is None:
        raise InvalidParameterException("The referenced task was not found.")
    _refuse_unless_remote(task)
    return cluster, task


def _refuse_unless_remote(task: Task) -> None:
    if not task.is_remote:
        raise InvalidParameterException(
            f"The task {task.id} is run by the engine, which reports its states itself."
        )


def _owner(cluster: Cluster, attachment: Structure) -> Task:
    identifier = attachment["attachmentArn"].rpartition("/")[2]
    for task in cluster.tasks.values():
        if task.network_interface and task.network_interface.attachment_id == identifier:
            _refuse_unless_remote(task)
            return task
    raise InvalidParameterException("The referenced attachment was not found.")


def _container(task: Task, name: str) -> Container:
    try:
        return task.container(name)
    except KeyError:
        raise InvalidParameterException(
            f"The task {task.id} has no container named '{name}'."
        ) from None


def _interface_status(task: Task, attachment: Structure) -> str:
    interface = task.network_interface
    identifier = attachment["attachmentArn"].rpartition("/")[2]
    if interface is None or interface.attachment_id != identifier:
        raise InvalidParameterException("The referenced attachment was not found.")
    status = _checked(attachment["status"], _ATTACHMENT_STATUSES)
    assert status is not None
    return status


def _checked(status: str | None, allowed: tuple[str, ...]) -> str | None:
    if status is not None and status not in allowed:
        raise InvalidParameterException(f"status should be one of [{', '.join(allowed)}]")
    return status


def _attach(task: Task, status: str, now: float) -> None:
    interface = task.network_interface
    assert interface is not None
    interface.status = status
    if status == "ATTACHED":
        task.connectivity_at = task.connectivity_at or now
        move(task, Status.PENDING, now)


def _report(task: Task, container: Container, report: Structure, now: float) -> None:
    """What an engine would have seen."""
    if "networkBindings" in report:
        container.bindings = tuple(map(_binding, report["networkBindings"]))
    if "runtimeId" in report:
        container.runtime_id = report["runtimeId"]
    status = report.get("status")
    if status == "RUNNING" and not container.started:
        seen = base.ContainerStarted(
            task_id=task.id, container=container.name, runtime_id=container.runtime_id or ""
        )
        agent.observed(task, seen, now)
    elif status == "STOPPED":
        ended = base.ContainerStopped(
            task_id=task.id,
            container=container.name,
            exit_code=report.get("exitCode"),
            reason=report.get("reason"),
        )
        agent.observed(task, ended, now)


def _binding(given: Structure) -> Binding:
    containers = given.get("containerPortRange") or given.get("containerPort", 0)
    hosts = given.get("hostPortRange") or given.get("hostPort", 0)
    try:
        first, _, last = str(containers).partition("-")
        port = int(str(hosts).partition("-")[0])
        mapping = PortMapping(
            first=int(first),
            last=int(last or first),
            host_port=port,
            protocol=given.get("protocol", "tcp"),
            is_range="containerPortRange" in given,
        )
    except ValueError:
        raise InvalidParameterException("A network binding has a port that is none.") from None
    return Binding(mapping=mapping, host_port=port)


def _stop(task: Task, reason: str | None, now: float) -> None:
    """The agent says that the task as a whole has stopped."""
    if task.started_at is None:
        want_stopped(task, "TaskFailedToStart", reason or "Task failed to start", now)
    else:
        default = "Essential container in task exited"
        want_stopped(task, "EssentialContainerExited", reason or default, now)
    for container in task.containers:
        container.last_status = "STOPPED"


def _checked_times(params: Structure) -> dict[str, float]:
    times = {name: float(params[member]) for member, name in _TIMES.items() if member in params}
    if not all(0 <= seconds < LAST_TIME for seconds in times.values()):
        raise InvalidParameterException("A time of the state change is not valid.")
    return times


def _publish(call: Call, cluster: Cluster, task: Task, before: Status) -> Structure:
    agent.next_commands(task, call.now)
    service = cluster.services.get(task.service_name or "")
    if service is not None and before != task.last_status:
        notice(service, task, before, call.now)
    call.realm.touch_task(cluster, task)
    return ACKNOWLEDGED
