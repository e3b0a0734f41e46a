"""Our own environment, and clients that are alike for every server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from kecs_server.credentials import Credentials
from kecs_server.credentials import derive_credentials

from benchmarks.errors import BenchmarkError
from pytest_kecs.admin import AdminClient
from pytest_kecs.exports import data_path
from pytest_kecs.launcher import SERVER_COMMAND
from pytest_kecs.launcher import Launcher
from pytest_kecs.launcher import LaunchOptions

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

REGION = "us-east-1"
_CLUSTER_SECONDS = 600.0


class Ours:
    """A running environment, as the plugin would have made it."""

    def __init__(self, launcher: Launcher, engine: str) -> None:
        self.launcher = launcher
        self.engine = engine
        self.credentials = credentials(launcher)

    @property
    def endpoint(self) -> str:
        return self.launcher.endpoint

    def ecs(self) -> ECSClient:
        client: ECSClient = aws_client("ecs", self.endpoint, self.credentials)
        return client

    def admin(self) -> AdminClient:
        return AdminClient(self.endpoint, self.credentials)


@contextmanager
def environment(
    *,
    engine: str = "process",
    kind_image: str | None = None,
    netns: bool = False,
    command: Sequence[str] | None = None,
) -> Iterator[Ours]:
    """Start an environment and wait until its engine is ready; on leaving it is gone.

    :param command: what is run as the server; None: ours.
    :raises BenchmarkError: the engine does not start.
    """
    options = LaunchOptions(engine=engine, kind_image=kind_image, netns=netns)
    with Launcher(options, command=command or SERVER_COMMAND) as launcher:
        launcher.start()
        ours = Ours(launcher, engine)
        _wait_ready(ours)
        yield ours


def _wait_ready(ours: Ours) -> None:
    with ours.admin() as admin:
        state = admin.prepare()
        while state.state not in ("ready", "failed"):
            if ours.engine == "kind":
                print(f"  {state.phase or 'starting'}", file=sys.stderr)
            state = admin.prepare(wait=_CLUSTER_SECONDS, phase=state.phase)
    if state.state == "failed":
        raise BenchmarkError(f"the engine did not start: {state.error}")


def credentials(launcher: Launcher) -> Credentials:
    """An access key of the environment, which may not run yet."""
    return derive_credentials(launcher.run_secret, "benchmark/main")


def aws_client(service: Any, endpoint: str, credentials: Credentials) -> Any:
    """A boto3 client. One try, no proxy, our waiters: the settings are the same for all servers."""
    session = botocore.session.Session()
    session.set_config_variable("data_path", str(data_path()))
    return boto3.Session(botocore_session=session).client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )
