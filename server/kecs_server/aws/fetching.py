"""Fetching what a task refers to before it is provisioned, without holding the scheduler up."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from kecs_server.aws.endpoints import Endpoints
from kecs_server.aws.env_files import fetch_env_files
from kecs_server.aws.errors import ResourceError
from kecs_server.aws.secrets import fetch_secrets
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.references import Resources
from kecs_server.domain.references import Variables
from kecs_server.domain.references import WantedFile
from kecs_server.domain.references import WantedSecret
from kecs_server.domain.task import Task
from kecs_server.engines.base import Observation
from kecs_server.scheduler.agent import ResourcesFailed
from kecs_server.scheduler.agent import ResourcesFetched
from kecs_server.state.realm import Realm

_log = logging.getLogger(__name__)

THREADS = 4
"""Tasks whose resources are asked for at the same time."""

Observe = Callable[[Observation], None]


@dataclass(frozen=True, slots=True)
class _Job:
    realm: Realm
    task: Task
    region: str
    secrets: list[WantedSecret]
    files: list[WantedFile]
    endpoints: Endpoints | None


class Fetcher:
    """What the test registered is looked up at once; only calls of an endpoint get a thread."""

    def __init__(self, observe: Observe) -> None:
        self._observe = observe
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._threads = 0
        self._idle = 0
        self._closed = False

    def fetch(self, realm: Realm, task: Task, endpoints: Endpoints | None) -> None:
        """Ends in one `ResourcesFetched` or `ResourcesFailed`."""
        arn = parse_arn(task.arn)
        assert arn is not None
        job = _Job(realm, task, arn.region, task.wanted_secrets(), task.wanted_files(), endpoints)
        if endpoints is None:
            self._do(job)
            return
        with self._changed:
            self._jobs.append(job)
            if self._idle < len(self._jobs) and self._threads < THREADS:
                self._threads += 1
                threading.Thread(target=self._work, name="resources", daemon=True).start()
            self._changed.notify()

    def close(self) -> None:
        """Begin no more; a call that lasts ends with the process."""
        with self._changed:
            self._closed = True
            self._jobs.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            # Many may wait for an endpoint that is slow to fail; some are not waited for any more.
            if job.task.desired_status == "RUNNING" and not job.realm.ended:
                self._do(job)

    def _next(self) -> _Job | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._jobs or self._closed)
            self._idle -= 1
            return None if self._closed else self._jobs.popleft()

    def _do(self, job: _Job) -> None:
        try:
            self._observe(ResourcesFetched(task_id=job.task.id, resources=_fetched(job)))
        except ResourceError as error:
            self._observe(ResourcesFailed(task_id=job.task.id, reason=str(error)))
        except Exception as error:
            _log.exception("the resources of task %s could not be fetched", job.task.id)
            self._observe(ResourcesFailed(task_id=job.task.id, reason=f"internal error: {error!r}"))


def _fetched(job: _Job) -> Resources:
    """:raises ResourceError: something cannot be had."""
    registered = job.realm.registered
    values = fetch_secrets(
        (secret.reference for secret in job.secrets), registered, job.endpoints, job.region
    )
    files = fetch_env_files((file.arn for file in job.files), registered, job.endpoints, job.region)
    resources = Resources()
    for secret in job.secrets:
        value = values[secret.reference]
        if "\0" in value:
            raise ResourceError(f"the secret {secret.reference.id} has a NUL in it")
        of = resources.log_options if secret.for_log_driver else resources.secrets
        of.setdefault(secret.container, {})[secret.name] = value
    for file in job.files:
        variables: Variables = resources.files.setdefault(file.container, {})
        for name, text in files[file.arn].items():
            # Of a variable that is in several files, the first counts.
            variables.setdefault(name, text)
    return resources
