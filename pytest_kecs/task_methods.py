"""Waits and assertions about one task."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_kecs import hints
from pytest_kecs.assertions import Ending
from pytest_kecs.assertions import Text
from pytest_kecs.assertions import code_difference
from pytest_kecs.assertions import container_name
from pytest_kecs.conditions import counts_for_health
from pytest_kecs.conditions import is_healthy
from pytest_kecs.conditions import is_running
from pytest_kecs.conditions import is_stopped
from pytest_kecs.references import TaskReference
from pytest_kecs.references import task_located
from pytest_kecs.stories import Stories
from pytest_kecs.task import Task
from pytest_kecs.waiting import WaitError
from pytest_kecs.waiting import WaitTimeout
from pytest_kecs.waiting import wait_until

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

    from pytest_kecs.admin import AdminClient

__tracebackhide__ = True  # as in `kecs`

TASK_SECONDS = 30.0

HintsFor = Callable[[Task], Sequence[str]]


class TaskMethods:
    """What `kecs` offers to wait for states of tasks, and to assert them."""

    _client: ECSClient
    _admin: AdminClient
    _stories: Stories

    def describe(self, task: TaskReference, *, cluster: str | None = None) -> Task:
        """The task as it is now.

        :raises WaitError: ECS does not know it.
        """
        arn, cluster = task_located(task, cluster)
        answer = self._client.describe_tasks(cluster=cluster, tasks=[arn])
        if not answer["tasks"]:
            raise WaitError(f"ECS knows no task {arn} in the cluster {cluster}")
        return Task(answer["tasks"][0])

    def wait_running(
        self, task: TaskReference, timeout: float = TASK_SECONDS, *, cluster: str | None = None
    ) -> Task:
        """Wait until the task is RUNNING; a task that is stopping can no longer become so."""
        return self._wait_alive(task, cluster, timeout, "RUNNING", is_running, hints.for_running)

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
            raise self._stories.of_task(WaitError, seen, what)
        return self._wait_alive(task, cluster, timeout, "HEALTHY", is_healthy, hints.for_healthy)

    def wait_stopped(
        self, task: TaskReference, timeout: float = TASK_SECONDS, *, cluster: str | None = None
    ) -> Task:
        """Wait until the task is STOPPED, for whatever reason."""
        return self._wait_task(task, cluster, timeout, "STOPPED", is_stopped, hints.for_stopped)

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

    def assert_stopped(
        self,
        task: TaskReference,
        *,
        exit_code: int | None = None,
        container: str | None = None,
        stop_code: str | None = None,
        reason: Text | None = None,
        timeout: float = TASK_SECONDS,
        cluster: str | None = None,
    ) -> Task:
        """Assert that the task stops, and how; it fails as soon as that can no longer be.

        `exit_code` is that of `container`, which a task with a single one need not name.
        `reason` is a part of, or a compiled pattern found in, the task's or a container's reason.
        """
        ending = Ending(
            exit_code=exit_code, container=container, stop_code=stop_code, reason=reason
        )

        def look(seen: Task) -> bool:
            wrong = ending.differences(seen)
            if wrong:
                status = "stopped, but" if is_stopped(seen) else "will not end as asked:"
                raise self._stories.of_task(
                    AssertionError, seen, f"{status} {'; '.join(wrong)}", hints.for_ending(seen)
                )
            return is_stopped(seen)

        return self._wait_task(task, cluster, timeout, "STOPPED", look, hints.for_stopped)

    def assert_exit_code(
        self,
        task: TaskReference,
        exit_code: int,
        container: str | None = None,
        *,
        timeout: float = TASK_SECONDS,
        cluster: str | None = None,
    ) -> Task:
        """Assert that a container ends with this exit code; its task may go on.

        A task with a single container need not name it. It fails at once if the container ended
        with another one, or without having run.
        """

        def look(seen: Task) -> bool:
            name = container_name(seen, container)
            wrong = code_difference(seen, name, exit_code)
            if wrong:
                raise self._stories.of_task(AssertionError, seen, f"did not end as asked: {wrong}")
            return seen.containers[name].get("lastStatus") == "STOPPED"

        what = f"at the end of {container or 'its container'}"
        return self._wait_task(task, cluster, timeout, what, look, hints.for_stopped)

    def _wait_alive(
        self,
        task: TaskReference,
        cluster: str | None,
        timeout: float,
        status: str,
        has_come: Callable[[Task], bool],
        hints_for: HintsFor,
    ) -> Task:
        """Wait for a state that a task which is to stop no longer comes to."""

        def look(seen: Task) -> bool:
            if seen.desired_status == "STOPPED":
                what = f"will not become {status} any more"
                raise self._stories.of_task(WaitError, seen, what, hints_for(seen))
            return has_come(seen)

        return self._wait_task(task, cluster, timeout, status, look, hints_for)

    def _wait_task(
        self,
        task: TaskReference,
        cluster: str | None,
        timeout: float,
        what: str,
        has_come: Callable[[Task], bool],
        hints_for: HintsFor,
    ) -> Task:
        def look() -> Task | None:
            seen = self.describe(task, cluster=cluster)
            return seen if has_come(seen) else None

        found = wait_until(self._admin, look, timeout)
        if found is not None:
            return found
        seen = self.describe(task, cluster=cluster)
        text = f"was not {what} within {timeout:g} s, it is {seen.last_status}"
        raise self._stories.of_task(WaitTimeout, seen, text, hints_for(seen))
