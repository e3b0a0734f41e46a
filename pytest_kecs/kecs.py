"""What the `kecs` fixture offers: run tasks, wait for states, read logs, assert."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from pytest_kecs.events import EventMethods
from pytest_kecs.hooks import Hooks
from pytest_kecs.log_methods import LogMethods
from pytest_kecs.predicate_methods import PredicateMethods
from pytest_kecs.references import TaskReference
from pytest_kecs.references import task_located
from pytest_kecs.running import Runner
from pytest_kecs.service_methods import ServiceMethods
from pytest_kecs.setting_up import SetUpMethods
from pytest_kecs.stories import Stories
from pytest_kecs.task import Task
from pytest_kecs.task_methods import TASK_SECONDS
from pytest_kecs.waiting import WaitError
from pytest_kecs.waiting import WaitTimeout

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

    from pytest_kecs.admin import AdminClient

# A test's report shows the call that the test made, not how it is done.
__tracebackhide__ = True

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


class Kecs(SetUpMethods, LogMethods, ServiceMethods, EventMethods, PredicateMethods):
    """The test's hand on its ECS environment, beside the boto3 client.

    A task is given as what `run_task` returned (here or from boto3), as an ARN, or as an id with
    `cluster`. Waits return at the moment of the change. They raise `WaitError` as soon as the
    state can no longer come, `WaitTimeout` after `timeout` seconds; both tell the whole story.
    """

    def __init__(self, client: ECSClient, admin: AdminClient, *, log_lines: int = 20) -> None:
        self._client = client
        self._admin = admin
        self._stories = Stories(admin, log_lines)
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
        arn, _ = task_located(task, None)
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
        arn, cluster = task_located(task, None)
        found = self._admin.address(arn, container, port, timeout)
        if found.why:
            kind = WaitTimeout if found.timed_out else WaitError
            seen = self.describe(arn, cluster=cluster)
            raise self._stories.of_task(kind, seen, f"cannot be reached: {found.why}")
        return f"{scheme}://{found.host}:{found.port}"
