"""The fixtures; each gives the test its realm first, if it has none yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import closing
from typing import TYPE_CHECKING
from typing import Protocol

import pytest

from pytest_kecs.isolation import begin

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_ecs import ECSClient

    from pytest_kecs.kecs import Kecs


class ClientFactory(Protocol):
    """What the fixture `ecs_client_factory` is."""

    def __call__(
        self,
        *,
        region: str | None = None,
        account: str | None = None,
        config: Config | None = None,
    ) -> ECSClient:
        """Make an ECS client; it is closed when the test is over.

        :param account: 12 digits; the client then sees another account of the test's environment.
        :param config: a `botocore.config.Config`.
        """


@pytest.fixture
def ecs_client_factory(request: pytest.FixtureRequest) -> Iterator[ClientFactory]:
    """Make boto3 ECS clients: ecs_client_factory(region=, account=, config=)."""
    environment, wishes = begin(request.node)

    with ExitStack() as stack:

        def make(
            *,
            region: str | None = None,
            account: str | None = None,
            config: Config | None = None,
        ) -> ECSClient:
            credentials = environment.admin.new_key(account) if account is not None else None
            client = environment.clients.ecs(
                region=region or wishes.region, credentials=credentials, config=config
            )
            return stack.enter_context(closing(client))

        yield make


@pytest.fixture
def ecs_client(ecs_client_factory: ClientFactory) -> ECSClient:
    """A boto3 client of Amazon ECS, in an empty environment of the test's own.

    What it runs really runs. Whatever the test leaves behind is stopped after it.
    """
    return ecs_client_factory()


@pytest.fixture
def kecs(request: pytest.FixtureRequest, ecs_client: ECSClient) -> Kecs:
    """Run tasks, wait for states, read logs, assert.

    - run: run_task, run_tasks
    - wait: wait_running, wait_healthy, wait_stopped, wait_stable, wait_for_event, wait_until
    - look: describe, logs, events, url, exec
    - assert: assert_running, assert_healthy, assert_stopped, assert_exit_code, assert_log,
      assert_service_stable, assert_deployment, assert_event, assert_never
    - prepare: map_image, set_secret, put_env_file, set_registry
    - time: advance_clock
    """
    from pytest_kecs.kecs import Kecs

    environment, _ = begin(request.node)
    return Kecs(ecs_client, environment.admin, log_lines=environment.settings.log_lines)
