"""Starting and stopping the tasks of a service, for deployments and task sets (ecs-facts 7.6, 7.7).

Changes the records it is given and returns the tasks it made; the loop publishes them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass

from kecs_server.domain.arns import parse_arn
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.daemon_service import floor_of
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.events import START_IMPAIRED
from kecs_server.domain.events import TASKS_STOPPED
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.launch import FARGATE_PLATFORM
from kecs_server.domain.launch import Launch
from kecs_server.domain.placement import Floor
from kecs_server.domain.placement import NoPlace
from kecs_server.domain.rollout import Member
from kecs_server.domain.rollout import Plan
from kecs_server.domain.service import Service
from kecs_server.domain.strategy import providers_for
from kecs_server.domain.tags import Tags
from kecs_server.domain.tags import merged_tags
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.task import want_stopped
from kecs_server.scheduler import notices
from kecs_server.scheduler import targets
from kecs_server.scheduler.placing import start_on
from kecs_server.scheduler.placing import start_task
from kecs_server.scheduler.rollouts import HookCall

STARTS_AT_ONCE = 50
"""Tasks of a service that one look starts; the next look follows, and others have their turn."""

HEALTHY_AFTER = 0.25
"""Seconds of RUNNING after which a task without health checks counts as healthy; 40 on AWS
(ecs-facts 7.6). Until then a deployment is not completed, a service not steady.
"""

FIRST_RETRY = 0.25
LAST_RETRY = 30.0
"""Seconds between tries when tasks fail to start, doubling; on AWS up to 15 minutes. A task that
finds no room is tried again after the first time each.
"""

EARLY = 1.0
"""Seconds of RUNNING: a task that exits sooner is replaced after a pause, others at once."""

FIRST_PAUSE = 0.05
LAST_PAUSE = 3.0
"""Seconds before tasks that exited early are replaced, doubling. None on AWS (ecs-facts 7.6),
where a start takes long enough for a service not to start hundreds of tasks in a second.
"""

EVENT_SUPPRESSION = 6 * 3600.0
"""Seconds in which a warning is not repeated (ecs-facts 7.7)."""

IMPAIRED_AFTER = 3
"""Tasks in a row that fail to start, after which the service says so; AWS gives no figure."""

_IMPAIRED = (
    "is unable to consistently start tasks successfully. For more information, see the "
    "Troubleshooting section of the Amazon ECS Developer Guide."
)

_SICK = "Task failed container health checks"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Tasks that were started or told to stop, hooks that are to be called, and when to look again
    (realm's clock).
    """

    touched: Sequence[Task]
    calls: Sequence[HookCall] = ()
    look_again_at: float | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What was done for a plan. `moments`: when more can be done; `is_waiting`: it is to be."""

    touched: Sequence[Task]
    moments: Sequence[float] = ()
    is_waiting: bool = False


def carry_out(
    cluster: Cluster,
    service: Service,
    deployment: Deployment,
    decided: Plan,
    tasks: Sequence[Task],
    cause: str,
    now: float,
) -> Work:
    """Stop and start the deployment's tasks as was decided, as far as that can be now.

    :param tasks: those of the service that have not stopped.
    :param cause: the id of what is brought about by stopping some.
    """
    stopped = [task for task in tasks if task.id in decided.stop]
    stop(service, stopped, cause, now)
    failed = [task for task in tasks if task.id in decided.replace]
    stop_failed(service, failed, now)
    touched = stopped + failed
    if decided.start:
        service.is_steady = False
        if deployment.retry_at is not None and deployment.retry_at > now:
            return Work(touched, (deployment.retry_at,), is_waiting=True)
    wanted = min(decided.start, STARTS_AT_ONCE)
    started = start(cluster, service, deployment, wanted, tasks, now, decided.places)
    if len(started) < wanted:
        return Work(touched + started, (now + FIRST_RETRY,), is_waiting=True)
    return Work(touched + started)


def notice(service: Service, task: Task, before: Status, now: float) -> None:
    """A task of the service moved on: see whether the next starts have to wait."""
    deployment = next((d for d in service.in_place if d.id == task.started_by), None)
    if deployment is None:
        return
    if task.started_at is None:
        if task.is_stopped and task.stop_code == "TaskFailedToStart":
            _count_failed_start(service, deployment, now)
        return
    deployment.has_run = True
    if before < Status.RUNNING and deployment.failed_tasks:
        deployment.retry_at = None
    if before <= Status.RUNNING < task.last_status:
        _count_end(deployment, task, now)


def _count_failed_start(service: Service, deployment: Deployment, now: float) -> None:
    deployment.failed_tasks += 1
    if not deployment.has_run:
        deployment.failures += 1
    impaired = deployment.failed_tasks >= IMPAIRED_AFTER
    if impaired and warn(service, _IMPAIRED, now, of=deployment.id):
        service.give_notice(START_IMPAIRED, now)
    delay = FIRST_RETRY * _doubled(deployment.failed_tasks)
    deployment.retry_at = now + min(delay, LAST_RETRY)


def _count_end(deployment: Deployment, task: Task, now: float) -> None:
    """Pause after a task that exited early; one that stayed up ends the pause."""
    assert task.started_at is not None
    ran = (task.execution_stopped_at or now) - task.started_at
    if task.stop_code != "EssentialContainerExited" or ran >= EARLY:
        deployment.early_exits = 0
        deployment.retry_at = None
    elif deployment.retry_at is None or deployment.retry_at <= now:
        # Of tasks that exit together only the first makes the pause longer.
        deployment.early_exits += 1
        pause = FIRST_PAUSE * _doubled(deployment.early_exits)
        deployment.retry_at = now + min(pause, LAST_PAUSE)


def _doubled(times: int) -> int:
    """The exponent is bounded: a service may fail for days."""
    return int(2 ** min(times - 1, 20))


def member(
    service: Service, task: Task, now: float, moments: list[float], *, is_current: bool
) -> Member:
    """The task as the planner sees it; `moments` get the times at which that changes by itself.

    A task with health checks, its own or those of load balancers, is healthy when they say so, one
    without after `HEALTHY_AFTER`. One of an older deployment is so at once: it serves until newer
    ones have shown that they stay. What health checks find in the grace period is ignored
    (ecs-facts 7.6).
    """
    is_running = task.last_status == Status.RUNNING
    is_failing = False
    healthy_at = None
    if task.has_health_check or task.targets:
        grace_until = (task.started_at or task.created_at) + service.health_grace
        moments.append(grace_until)
        is_sick = task.health_status == "UNHEALTHY" or targets.failing(task) is not None
        is_failing = is_sick and now >= grace_until
        is_well = not task.has_health_check or task.health_status == "HEALTHY"
        if is_running and is_well and targets.are_healthy(task):
            healthy_at = task.started_at
    elif is_running and task.started_at is not None:
        healthy_at = task.started_at + (HEALTHY_AFTER if is_current else 0.0)
        moments.append(healthy_at)
    if task.protected_until is not None:
        moments.append(task.protected_until)
    is_stopping = task.desired_status == "STOPPED"
    return Member(
        id=task.id,
        is_current=is_current,
        is_healthy=not is_stopping and healthy_at is not None and healthy_at <= now,
        is_stopping=is_stopping,
        is_protected=task.is_protected(now),
        is_failing=is_failing,
    )


def start(
    cluster: Cluster,
    service: Service,
    deployment: Deployment,
    count: int,
    tasks: Sequence[Task],
    now: float,
    places: Sequence[ContainerInstance] = (),
    *,
    where: str = "",
) -> list[Task]:
    """:param places: the instances to start on, one task on each; none: where there is room.
    :param where: what the event says of that.
    """
    if not count:
        return []
    floor = floor_of(cluster, besides=service)
    if places:
        launch = _launch(cluster, service, deployment, None, now)
        started, obstacle = start_on(floor, service, launch, places, count)
        if obstacle is not None:
            _tell_no_place(service, deployment, obstacle, None, now)
    else:
        started = _start_anywhere(floor, cluster, service, deployment, count, tasks, now)
    for task in started:
        # Of a task that another agent runs nobody here knows the address.
        task.targets = () if task.is_remote else service.targets_of(deployment)
    if started:
        text = f"has started {len(started)} tasks{where}: {_names(started)}."
        service.add_event(text, now, of=deployment.id)
    return started


def _start_anywhere(
    floor: Floor,
    cluster: Cluster,
    service: Service,
    deployment: Deployment,
    count: int,
    tasks: Sequence[Task],
    now: float,
) -> list[Task]:
    """So many tasks where they find room, as far as they do."""
    providers: list[str | None] = [None] * count
    if deployment.capacity_provider_strategy:
        running = Counter(
            task.capacity_provider
            for task in tasks
            if task.started_by == deployment.id and task.capacity_provider
        )
        providers = list(providers_for(deployment.capacity_provider_strategy, running, count))
    started: list[Task] = []
    for provider in providers:
        launch = _launch(cluster, service, deployment, provider, now)
        task = start_task(floor, service, launch)
        if isinstance(task, NoPlace):
            _tell_no_place(service, deployment, task, provider, now)
            break
        started.append(task)
    return started


def _tell_no_place(
    service: Service, deployment: Deployment, found: NoPlace, provider: str | None, now: float
) -> None:
    if warn(service, found.text, now, of=deployment.id):
        notices.tell_no_place(service, found, provider, now)


def warn(service: Service, text: str, now: float, *, of: str | None = None) -> bool:
    """Say what stands in the way, and not again and again; whether it is said now.

    :param of: the id of the deployment or task set in whose way it stands.
    """
    is_new = not service.has_event(text, now - EVENT_SUPPRESSION, of=of)
    if is_new:
        service.add_event(text, now, of=of)
    return is_new


def warn_if_protected(
    service: Service, task_set: str, desired: int, members: Iterable[Member], now: float
) -> None:
    """Say that there are more tasks than desired, none of which may be stopped (ecs-facts 7.7)."""
    live = [member for member in members if not member.is_stopping]
    if len(live) > desired < sum(member.is_protected for member in live):
        text = (
            f"was unable to reach steady state because task set ({task_set}) was unable to scale "
            "in. Reason: The number of protected tasks are more than the desired count of tasks."
        )
        warn(service, text, now)


def _launch(
    cluster: Cluster,
    service: Service,
    deployment: Deployment,
    provider: str | None,
    now: float,
) -> Launch:
    arn = parse_arn(service.arn)
    assert arn is not None
    network = (deployment.network_configuration or {}).get("awsvpcConfiguration", {})
    version = deployment.platform_version
    return Launch(
        account=arn.account,
        region=arn.region,
        cluster=cluster,
        definition=deployment.task_definition,
        launch_type=deployment.launch_type or cluster.launch_type_of(provider),
        group=service.group,
        now=now,
        capacity_provider=provider,
        platform_version=FARGATE_PLATFORM if version == "LATEST" else version,
        subnets=network.get("subnets", ()),
        started_by=deployment.id,
        service_name=service.name,
        enable_execute_command=service.enable_execute_command,
        volume_configurations=deployment.settings.get("volumeConfigurations", ()),
        tags=_tags(cluster, service, deployment),
    )


def _tags(cluster: Cluster, service: Service, deployment: Deployment) -> Tags:
    sources = {"SERVICE": service.tags, "TASK_DEFINITION": deployment.task_definition.tags}
    tags = merged_tags(sources.get(service.propagate_tags, []), [])
    if service.enable_managed_tags:
        own = {"aws:ecs:clusterName": cluster.name, "aws:ecs:serviceName": service.name}
        tags = merged_tags(tags, [{"key": key, "value": value} for key, value in own.items()])
    return tags


def stop(
    service: Service, tasks: Sequence[Task], cause: str, now: float, *, where: str = ""
) -> None:
    """:param cause: the id of what is brought about by that.
    :param where: what the event says of that.
    """
    if not tasks:
        return
    running = [task for task in tasks if task.last_status == Status.RUNNING]
    _announce_draining(service, running, now)
    for task in tasks:
        reason = f"Scaling activity initiated by (deployment {cause})"
        want_stopped(task, "ServiceSchedulerInitiated", reason, now)
    if running:
        text = f"has stopped {len(running)} running tasks{where}: {_names(running)}."
        service.add_event(text, now, of=cause)
        service.give_notice(TASKS_STOPPED, now)
    if len(running) < len(tasks):
        service.add_event(f"stopped {len(tasks) - len(running)} pending tasks.", now, of=cause)


def stop_failed(service: Service, tasks: Sequence[Task], now: float) -> None:
    _announce_draining(service, tasks, now)
    deployments = {deployment.id: deployment for deployment in service.in_place}
    for task in tasks:
        target = targets.failing(task)
        if target is None:
            reason, event = _SICK, f"(task {task.id}) failed container health checks."
        else:
            reason = f"Task failed ELB health checks in (target-group {target.group.arn})"
            event = targets.failure_text(task, target)
        service.add_event(event, now, of=task.started_by)
        want_stopped(task, "ServiceSchedulerInitiated", reason, now)
        deployment = deployments[task.started_by or ""]
        notices.tell_unhealthy(service, deployment, now)
        deployment.failed_tasks += 1
        deployment.failures += 1


def _announce_draining(service: Service, tasks: Sequence[Task], now: float) -> None:
    count = sum(any(target.is_registered for target in task.targets) for task in tasks)
    if count:
        service.add_event(f"has begun draining connections on {count} tasks.", now)


def _names(tasks: Sequence[Task]) -> str:
    return " ".join(f"(task {task.id})" for task in tasks)
