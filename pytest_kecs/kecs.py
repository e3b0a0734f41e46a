"""What the `kecs` fixture offers: run tasks, wait for states, read logs, assert."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal
from typing import overload

from pytest_kecs.assertions import differences
from pytest_kecs.conditions import counts_for_health
from pytest_kecs.conditions import has_failed
from pytest_kecs.conditions import is_healthy
from pytest_kecs.conditions import is_running
from pytest_kecs.conditions import is_stable
from pytest_kecs.conditions import is_stopped
from pytest_kecs.diagnosis import service_story
from pytest_kecs.diagnosis import task_story
from pytest_kecs.errors import KecsError
from pytest_kecs.events import EventMethods
from pytest_kecs.hooks import Hooks
from pytest_kecs.logs import LogLine
from pytest_kecs.logs import LogQuery
from pytest_kecs.logs import Since
from pytest_kecs.logs import collect
from pytest_kecs.logs import follow_lines
from pytest_kecs.running import Runner
from pytest_kecs.setting_up import SetUpMethods
from pytest_kecs.task import Task
from pytest_kecs.waiting import WaitError
from pytest_kecs.waiting import WaitTimeout
from pytest_kecs.waiting import wait_until

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

    from pytest_kecs.admin import AdminClient

# A test's report shows the call that the test made, not how it is done.
__tracebackhide__ = True

TaskReference = Task | Mapping[str, Any] | str
ServiceReference = Mapping[str, Any] | str
TASK_SECONDS = 30.0
SERVICE_SECONDS = 60.0
EXEC_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """How a command in a container ended: `exit_code` is 137 if it was killed with its container,
    127 if there is no such program and 126 if it cannot be executed, of which `output` then tells;
    None if it had no end of its own, for the `reason` that is given. Both streams are in `output`.
    """

    exit_code: int | None
    output: str
    reason: str | None = None


class Kecs(SetUpMethods, EventMethods):
    """The test's hand on its ECS environment, beside the boto3 client.

    A task is given as what `run_task` returned (here or from boto3), as an ARN, or as an id with
    `cluster`. Waits return at the moment of the change. They raise `WaitError` as soon as the
    state can no longer come, `WaitTimeout` after `timeout` seconds; both tell the whole story.
    """

    def __init__(self, client: ECSClient, admin: AdminClient, *, log_lines: int = 20) -> None:
        self._client = client
        self._admin = admin
        self._log_lines = log_lines
        self._hooks = Hooks(admin)

    def run_task(
        self,
        task_definition: str,
        *,
        cluster: str | None = None,
        environment: Mapping[str, str] | None = None,
        overrides: Mapping[str, Any] | None = None,
        **parameters: Any,
    ) -> Task:
        """Run one task; whatever RunTask wants beyond the definition is filled in.

        That is: the cluster `default` (created if need be), the launch type that the definition is
        made for, and a network configuration for awsvpc. `environment` is given to all containers.
        Other `parameters` are RunTask's own.

        :raises TaskNotStarted: ECS answered with failures.
        """
        [task] = self.run_tasks(
            task_definition,
            count=1,
            cluster=cluster,
            environment=environment,
            overrides=overrides,
            **parameters,
        )
        return task

    def run_tasks(
        self,
        task_definition: str,
        *,
        count: int,
        cluster: str | None = None,
        environment: Mapping[str, str] | None = None,
        overrides: Mapping[str, Any] | None = None,
        **parameters: Any,
    ) -> list[Task]:
        """Run `count` equal tasks; the rest as for `run_task`."""
        return Runner(self._client).run(
            task_definition,
            count=count,
            cluster=cluster,
            environment=environment or {},
            overrides=overrides or {},
            parameters=parameters,
        )

    def describe(self, task: TaskReference, *, cluster: str | None = None) -> Task:
        """The task as it is now.

        :raises WaitError: ECS does not know it.
        """
        arn, cluster = _located(task, cluster)
        answer = self._client.describe_tasks(cluster=cluster, tasks=[arn])
        if not answer["tasks"]:
            raise WaitError(f"ECS knows no task {arn} in the cluster {cluster}")
        return Task(answer["tasks"][0])

    def wait_running(
        self, task: TaskReference, timeout: float = TASK_SECONDS, *, cluster: str | None = None
    ) -> Task:
        """Wait until the task is RUNNING; a task that is stopping can no longer become so."""
        return self._wait_task(task, cluster, timeout, "RUNNING", is_running)

    def wait_healthy(
        self, task: TaskReference, timeout: float = TASK_SECONDS, *, cluster: str | None = None
    ) -> Task:
        """Wait until the task's healthStatus is HEALTHY, as the health checks of its essential
        containers say; a task that is stopping can no longer become so.

        :raises WaitError: it has no such health checks, or will not become HEALTHY any more.
        """
        seen = self.describe(task, cluster=cluster)
        definition = self._client.describe_task_definition(taskDefinition=seen["taskDefinitionArn"])
        if not any(map(counts_for_health, definition["taskDefinition"]["containerDefinitions"])):
            what = "never becomes HEALTHY: none of its essential containers has a health check"
            raise self._task_error(WaitError, seen, what)
        return self._wait_task(task, cluster, timeout, "HEALTHY", is_healthy)

    def wait_stopped(
        self, task: TaskReference, timeout: float = TASK_SECONDS, *, cluster: str | None = None
    ) -> Task:
        """Wait until the task is STOPPED, for whatever reason."""
        return self._wait_task(task, cluster, timeout, "STOPPED", is_stopped)

    def _wait_task(
        self,
        task: TaskReference,
        cluster: str | None,
        timeout: float,
        status: str,
        has_come: Callable[[Task], bool],
    ) -> Task:
        def look() -> Task | None:
            seen = self.describe(task, cluster=cluster)
            if has_come(seen):
                return seen
            if seen.desired_status == "STOPPED" and status != "STOPPED":
                raise self._task_error(WaitError, seen, f"will not become {status} any more")
            return None

        found = wait_until(self._admin, look, timeout)
        if found is not None:
            return found
        seen = self.describe(task, cluster=cluster)
        raise self._task_error(WaitTimeout, seen, f"was not {status} within {timeout:g} s")

    def wait_stable(
        self,
        service: ServiceReference,
        timeout: float = SERVICE_SECONDS,
        *,
        cluster: str | None = None,
    ) -> dict[str, Any]:
        """Wait until the service has one deployment and is in its steady state: all its tasks run,
        and have done so for long enough. A service of task sets is stable when all these are.
        Returns the service as DescribeServices gives it. It gives up on a service whose deployment
        failed and is not rolled back.
        """
        name, cluster = _service_located(service, cluster)

        def look() -> dict[str, Any] | None:
            seen = self._describe_service(name, cluster)
            if seen["status"] != "ACTIVE":
                text = f"is {seen['status']} and will not become stable"
                raise self._service_error(WaitError, seen, text)
            if has_failed(seen):
                why = seen["deployments"][0]["rolloutStateReason"]
                text = f"will not become stable: its deployment has FAILED ({why})"
                raise self._service_error(WaitError, seen, text)
            return seen if is_stable(seen) else None

        found = wait_until(self._admin, look, timeout)
        if found is not None:
            return found
        seen = self._describe_service(name, cluster)
        raise self._service_error(WaitTimeout, seen, f"was not stable within {timeout:g} s")

    def _describe_service(self, name: str, cluster: str) -> dict[str, Any]:
        answer = self._client.describe_services(cluster=cluster, services=[name])
        if not answer["services"]:
            raise WaitError(f"ECS knows no service {name} in the cluster {cluster}")
        return dict(answer["services"][0])

    @overload
    def logs(
        self,
        task: TaskReference,
        container: str | None = None,
        stream: str | None = None,
        *,
        follow: Literal[True],
        since: Since | None = None,
        tail: int | None = None,
    ) -> Iterator[LogLine]: ...

    @overload
    def logs(
        self,
        task: TaskReference,
        container: str | None = None,
        stream: str | None = None,
        *,
        follow: Literal[False] = False,
        since: Since | None = None,
        tail: int | None = None,
        timestamps: bool = False,
    ) -> str: ...

    def logs(
        self,
        task: TaskReference,
        container: str | None = None,
        stream: str | None = None,
        *,
        follow: bool = False,
        since: Since | None = None,
        tail: int | None = None,
        timestamps: bool = False,
    ) -> str | Iterator[LogLine]:
        """What the task's containers wrote so far, stdout before stderr, container after container;
        of one container, and of one stream (`stdout` or `stderr`), if asked for.

        :param follow: give lines of all containers as they come, in the order of time, until the
            task has stopped, or the one container that is named.
        :param since: only what was written at this moment or later: a datetime, seconds as
            `time.time()` gives them, or a timedelta for so long before now.
        :param tail: only the last lines of each container.
        :param timestamps: begin each line with the time at which it was written.
        """
        query = LogQuery(
            task=_located(task, None)[0],
            container=container,
            stream=stream,
            since=since,
            tail=tail,
        )
        if follow:
            return follow_lines(self._admin, query)
        logs = collect(self._admin, query, timestamps=timestamps)
        return "".join(text for streams in logs.values() for text in streams.values())

    def exec(
        self,
        task: TaskReference,
        command: str | Sequence[str],
        container: str | None = None,
        *,
        timeout: float = EXEC_SECONDS,
    ) -> ExecResult:
        """Run a command in a running container, with its variables and directory: a text by
        `sh -c`, a list of words as it is. The container need not be named if it is the only one.

        :param timeout: seconds after which the command is killed; its exit code is then None, and
            `reason` says so. On a Kubernetes that is not kind it is left alone.
        :raises ValueError: `timeout` is not above 0.
        :raises AdminError: no such task or container, or it does not run.
        """
        if not timeout > 0:
            raise ValueError(f"timeout is a number of seconds above 0, not {timeout!r}")
        words = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        arn, _ = _located(task, None)
        code, output, reason = self._admin.execute(arn, container, words, timeout)
        return ExecResult(exit_code=code, output=output, reason=reason)

    def url(
        self,
        task: TaskReference,
        container: str | None = None,
        port: int | None = None,
        *,
        scheme: str = "http",
        timeout: float = TASK_SECONDS,
    ) -> str:
        """The URL at which the test reaches what a container listens at, `http://127.0.0.1:32768`
        for example, as soon as it does. Container and port (the container's own) need not be named
        where the definition's port mappings leave no doubt.

        :raises WaitError: the container has stopped.
        :raises WaitTimeout: nothing of it listened within `timeout` seconds; what did, is said.
        :raises AdminError: no such task or container, or it is not clear which is meant.
        """
        arn, cluster = _located(task, None)
        found = self._admin.address(arn, container, port, timeout)
        if found.why:
            kind = WaitTimeout if found.timed_out else WaitError
            seen = self.describe(arn, cluster=cluster)
            raise self._task_error(kind, seen, f"cannot be reached: {found.why}")
        return f"{scheme}://{found.host}:{found.port}"

    def assert_running(
        self, task: TaskReference, timeout: float = TASK_SECONDS, *, cluster: str | None = None
    ) -> Task:
        """Assert that the task is RUNNING, or becomes so."""
        return self.wait_running(task, timeout, cluster=cluster)

    def assert_healthy(
        self, task: TaskReference, timeout: float = TASK_SECONDS, *, cluster: str | None = None
    ) -> Task:
        """Assert that the task is HEALTHY, or becomes so."""
        return self.wait_healthy(task, timeout, cluster=cluster)

    def assert_service_stable(
        self,
        service: ServiceReference,
        timeout: float = SERVICE_SECONDS,
        *,
        cluster: str | None = None,
    ) -> dict[str, Any]:
        """Assert that the service is stable, or becomes so."""
        return self.wait_stable(service, timeout, cluster=cluster)

    def assert_stopped(
        self,
        task: TaskReference,
        *,
        exit_code: int | None = None,
        container: str | None = None,
        stop_code: str | None = None,
        reason: str | re.Pattern[str] | None = None,
        timeout: float = TASK_SECONDS,
        cluster: str | None = None,
    ) -> Task:
        """Assert that the task stops, and how.

        `exit_code` is that of `container`, which a task with a single one need not name.
        `reason` is a part of, or a compiled pattern found in, the task's or a container's reason.
        """
        stopped = self.wait_stopped(task, timeout, cluster=cluster)
        wrong = list(differences(stopped, exit_code, container, stop_code, reason))
        if wrong:
            raise self._task_error(AssertionError, stopped, "stopped, but " + "; ".join(wrong))
        return stopped

    def _task_error(self, kind: type[AssertionError], task: Task, what: str) -> AssertionError:
        return kind(f"task {task.id} {what}\n{task_story(task, self._report(), self._log_lines)}")

    def _service_error(
        self, kind: type[AssertionError], service: Mapping[str, Any], what: str
    ) -> AssertionError:
        story = service_story(service, self._report(), self._log_lines)
        return kind(f"service {service['serviceName']} {what}\n{story}")

    def _report(self) -> Mapping[str, Any]:
        try:
            return self._admin.report(self._log_lines)
        except KecsError:
            return {}  # What is wrong with the task is worth telling without it.


def _located(task: TaskReference, cluster: str | None) -> tuple[str, str]:
    """The task's ARN or id, and its cluster: an ARN names it (`.../task/CLUSTER/ID`)."""
    arn = task if isinstance(task, str) else str(task["taskArn"])
    parts = arn.split("/")
    return arn, cluster or (parts[1] if len(parts) == 3 else "default")


def _service_located(service: ServiceReference, cluster: str | None) -> tuple[str, str]:
    arn = service if isinstance(service, str) else str(service["serviceArn"])
    parts = arn.split("/")
    return parts[-1], cluster or (parts[1] if len(parts) == 3 else "default")
