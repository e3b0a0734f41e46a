"""Fetching what a task refers to before it is provisioned, without holding the scheduler up."""

from __future__ import annotations

import logging
from collections.abc import Callable

from kecs_server.aws.endpoints import Endpoints
from kecs_server.aws.env_files import fetch_env_files
from kecs_server.aws.errors import ResourceError
from kecs_server.aws.logs import open_stream
from kecs_server.aws.pool import Pool
from kecs_server.aws.secrets import fetch_secrets
from kecs_server.aws.secrets import parse_login
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.references import Purpose
from kecs_server.domain.references import Resources
from kecs_server.domain.references import Variables
from kecs_server.domain.references import log_group
from kecs_server.domain.task import Task
from kecs_server.engines.base import Observation
from kecs_server.scheduler.agent import ResourcesFailed
from kecs_server.scheduler.agent import ResourcesFetched
from kecs_server.state.realm import Realm

_log = logging.getLogger(__name__)

THREADS = 4
"""Tasks whose resources are asked for at the same time."""

Observe = Callable[[Observation], None]


class Fetcher:
    """What the test registered is looked up at once; only calls of an endpoint get a thread."""

    def __init__(self, observe: Observe) -> None:
        self._observe = observe
        self._pool = Pool("resources", THREADS)

    def fetch(self, realm: Realm, task: Task, endpoints: Endpoints | None) -> None:
        """Ends in one `ResourcesFetched` or `ResourcesFailed`."""
        if endpoints is None:
            self._fetch(realm, task, None)
        else:
            self._pool.submit(lambda: self._fetch(realm, task, endpoints))

    def close(self) -> None:
        self._pool.close()

    def _fetch(self, realm: Realm, task: Task, endpoints: Endpoints | None) -> None:
        # Many may wait for an endpoint that is slow to fail; some are not waited for any more.
        if task.desired_status == "STOPPED" or realm.ended:
            return
        try:
            resources = fetched(realm, task, endpoints)
            self._observe(ResourcesFetched(task_id=task.id, resources=resources))
        except ResourceError as error:
            self._observe(ResourcesFailed(task_id=task.id, reason=str(error)))
        except Exception as error:
            _log.exception("the resources of task %s could not be fetched", task.id)
            self._observe(ResourcesFailed(task_id=task.id, reason=f"internal error: {error!r}"))


def fetched(realm: Realm, task: Task, endpoints: Endpoints | None) -> Resources:
    """:raises ResourceError: something cannot be had."""
    arn = parse_arn(task.arn)
    assert arn is not None
    resources = Resources()
    _fetch_secrets(resources, realm, task, endpoints, arn.region)
    _fetch_files(resources, realm, task, endpoints, arn.region)
    for container in task.containers:
        options = resources.log_options.get(container.name, {})
        try:
            group = log_group(container.definition, options)
        except ValueError as error:
            raise ResourceError(f"failed to validate logger args: {error}") from error
        if group is not None and endpoints is not None:
            open_stream(endpoints, group, group.stream(container.name, task.id))
    return resources


def _fetch_secrets(
    resources: Resources, realm: Realm, task: Task, endpoints: Endpoints | None, region: str
) -> None:
    secrets = task.wanted_secrets()
    references = [secret.reference for secret in secrets]
    values = fetch_secrets(references, realm.registered, endpoints, region)
    for secret in secrets:
        value = values[secret.reference]
        if "\0" in value:
            raise ResourceError(f"the secret {secret.reference.id} has a NUL in it")
        if secret.purpose is Purpose.REGISTRY:
            resources.logins[secret.container] = parse_login(value)
            continue
        is_option = secret.purpose is Purpose.LOG_OPTION
        of = resources.log_options if is_option else resources.secrets
        of.setdefault(secret.container, {})[secret.name] = value


def _fetch_files(
    resources: Resources, realm: Realm, task: Task, endpoints: Endpoints | None, region: str
) -> None:
    wanted = task.wanted_files()
    files = fetch_env_files([file.arn for file in wanted], realm.registered, endpoints, region)
    for file in wanted:
        variables: Variables = resources.files.setdefault(file.container, {})
        for name, text in files[file.arn].items():
            # Of a variable that is in several files, the first counts.
            variables.setdefault(name, text)
