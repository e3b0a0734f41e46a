"""What takes time here, and how long on AWS: the README's table, from the rules' own constants."""

from __future__ import annotations

from dataclasses import dataclass

from kecs_server.domain import capacity_provider
from kecs_server.domain import cluster
from kecs_server.domain import daemon
from kecs_server.domain import deployment
from kecs_server.domain import gateway
from kecs_server.domain import hooks
from kecs_server.domain import instance
from kecs_server.domain import protection
from kecs_server.domain import service
from kecs_server.domain import stages
from kecs_server.domain import target
from kecs_server.domain import task
from kecs_server.engines import spec
from kecs_server.operations import tasks
from kecs_server.scheduler import agent
from kecs_server.scheduler import health
from kecs_server.scheduler import service_tasks

RETENTIONS = (
    task.TASK_RETENTION,
    service.SERVICE_RETENTION,
    cluster.CLUSTER_RETENTION,
    instance.INSTANCE_RETENTION,
    capacity_provider.PROVIDER_RETENTION,
    daemon.DAEMON_RETENTION,
)


@dataclass(frozen=True, slots=True)
class Wait:
    """`here` and `aws` as texts; `set_by`: what of the API or of `kecs` says otherwise."""

    what: str
    here: str
    aws: str
    set_by: str = "-"


def seconds(value: float) -> str:
    """In the largest unit in which it is whole."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if value >= size and value % size == 0:
            count = value / size
            return f"{count:g} {unit}" if count == 1 else f"{count:g} {unit}s"
    return f"{value:g} s"


def _growing(first: float, last: str) -> str:
    return f"{seconds(first)}, doubling, to {last}"


_CHECK = target.HealthCheck()

WAITS = (
    Wait(
        "health checks of containers",
        f"at once, then after {_growing(health.FIRST_PAUSE, '`interval`')}, until one succeeds or "
        "counts",
        "each `interval`",
        "`healthCheck`",
    ),
    Wait(
        "failures of health checks that do not count",
        "within `startPeriod` and the first `interval`",
        "within `startPeriod`",
        "`healthCheck`",
    ),
    Wait(
        "RUNNING until a task without health checks counts as healthy",
        seconds(service_tasks.HEALTHY_AFTER),
        "40 s",
    ),
    Wait(
        "between tries of tasks that fail to start",
        _growing(service_tasks.FIRST_RETRY, seconds(service_tasks.LAST_RETRY)),
        "growing, to 15 minutes",
    ),
    Wait(
        "between tries of tasks that find no room",
        seconds(service_tasks.FIRST_RETRY),
        "growing, to 15 minutes",
    ),
    Wait(
        "before a service replaces a task that exited in its first "
        f"{seconds(service_tasks.EARLY)} of RUNNING",
        _growing(service_tasks.FIRST_PAUSE, seconds(service_tasks.LAST_PAUSE)),
        "at once",
    ),
    Wait(
        "before an event that says what stands in the way is repeated",
        seconds(service_tasks.EVENT_SUPPRESSION),
        "the same",
    ),
    Wait(
        "failing health checks of a task are ignored",
        "not at all, unless set",
        "the same",
        "`healthCheckGracePeriodSeconds`",
    ),
    Wait(
        "checks of a target until it is healthy",
        f"at once, then after {_growing(target.FIRST_PAUSE, seconds(target.LONGEST_PAUSE))}; "
        f"{_CHECK.healthy_threshold} that succeeds is enough",
        "each interval (30 s); 5",
        "`kecs.set_target_group`",
    ),
    Wait(
        "a target that never was healthy is unhealthy",
        f"after `unhealthy_threshold` intervals: "
        f"{seconds(_CHECK.unhealthy_threshold * _CHECK.interval)}",
        "the same",
        "`kecs.set_target_group`",
    ),
    Wait(
        "deregistration delay of a target",
        f"until requests have ended, at most {seconds(target.DEREGISTRATION_DELAY)}",
        "300 s",
        "`kecs.set_target_group`",
    ),
    Wait("bake time of a deployment", "none", "none", "`bakeTimeInMinutes`"),
    Wait(
        "bake time of a canary",
        f"{stages.CANARY_MINUTES} minutes",
        "the same",
        "`canaryBakeTimeInMinutes`",
    ),
    Wait(
        "between steps of a linear deployment",
        f"{stages.LINEAR_MINUTES} minutes",
        "the same",
        "`stepBakeTimeInMinutes`",
    ),
    Wait(
        "a hook that is IN_PROGRESS is called again",
        f"after {seconds(hooks.CALL_AGAIN)}",
        "after 30 s",
        "`callBackDelay` of its answer",
    ),
    Wait(
        "a hook must have answered",
        f"within {seconds(60 * stages.HOOK_MINUTES)}",
        "the same",
        "`timeoutInMinutes`",
    ),
    Wait(
        "RUNNING until a container may be restarted",
        seconds(agent.DEFAULT_RESTART_PERIOD),
        "the same",
        "`restartAttemptPeriod`",
    ),
    Wait("a dependency must have come true", "no limit", "the same", "`startTimeout`"),
    Wait(
        "SIGTERM until SIGKILL",
        f"{seconds(spec.DEFAULT_STOP_TIMEOUT)} of real time",
        "30 s",
        "`stopTimeout`",
    ),
    Wait(
        "protection of a task",
        seconds(60 * protection.DEFAULT_MINUTES),
        "the same",
        "`expiresInMinutes`",
    ),
    Wait("a change of a gateway or of its routes", seconds(gateway.CHANGE_TIME), "minutes"),
    Wait(
        "a capacity provider, or those of a cluster, are changing",
        seconds(capacity_provider.CHANGE_TIME),
        "up to minutes",
    ),
    Wait("a client token of RunTask is known", seconds(tasks.TOKEN_LIFE), "the same"),
    Wait(
        "what has stopped or was deleted can be described (tasks, services, clusters, container "
        "instances, capacity providers, daemons)",
        seconds(max(RETENTIONS)),
        "about 1 hour",
    ),
    Wait(
        "service deployments that have ended can be described",
        seconds(deployment.DEPLOYMENT_RETENTION),
        "the same",
    ),
)


def markdown() -> str:
    """The table of the README."""
    rows = [f"| {wait.what} | {wait.here} | {wait.aws} | {wait.set_by} |" for wait in WAITS]
    return "\n".join(["| what | here | on AWS | set by |", "|---|---|---|---|", *rows])
