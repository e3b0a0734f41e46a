"""boto3 against a real server: one for each worker, a fresh realm for each test."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from answer_shapes import check_answer
from api_steps import Wait
from api_steps import seen
from botocore.config import Config
from kecs_server.credentials import Credentials
from kecs_server.credentials import derive_credentials
from moto_server import Moto
from sources import check_sources

import pytest_kecs
from pytest_kecs.admin import AdminClient
from pytest_kecs.kecs import Kecs
from pytest_kecs.launcher import Launcher
from pytest_kecs.launcher import LaunchOptions

REGION = "us-east-1"
Make = Callable[..., Any]
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    check_sources(item for item in items if item.path.parent == HERE)


@pytest.fixture(scope="session", autouse=True)
def _variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KECS_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("AWS_DATA_PATH", str(Path(pytest_kecs.__file__).with_name("data")))
        yield


@pytest.fixture(scope="session")
def launch(_variables: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Launcher]:
    """Start a server; its options are those of `LaunchOptions`."""
    root = tmp_path_factory.mktemp("root")

    def launch(**options: Any) -> Launcher:
        launcher = Launcher(
            LaunchOptions(
                engine="process", rootdir=str(root), interpreter=sys.executable, **options
            )
        )
        launcher.bind()
        launcher.start()
        return launcher

    return launch


@pytest.fixture(scope="session")
def server(launch: Callable[..., Launcher]) -> Iterator[Launcher]:
    """The server of this worker. Whatever the tests did, nothing failed inside it."""
    launcher = launch()
    try:
        yield launcher
        log = (launcher.directory / "server.log").read_text()
    finally:
        launcher.stop()
    assert "Traceback" not in log, log


@pytest.fixture(scope="session")
def credentials(server: Launcher) -> Credentials:
    """The key that tests use; each has a realm of its own behind it."""
    return derive_credentials(server.run_secret, "api tests")


@pytest.fixture(scope="session")
def admin_of_key(server: Launcher, credentials: Credentials) -> Iterator[AdminClient]:
    with AdminClient(server.endpoint, credentials) as admin:
        yield admin


@pytest.fixture
def admin(admin_of_key: AdminClient, request: pytest.FixtureRequest) -> Iterator[AdminClient]:
    """`/_kecs`, with a fresh realm behind the key."""
    admin_of_key.begin_realm(request.node.name)
    yield admin_of_key
    admin_of_key.end_realm()


@pytest.fixture(scope="session")
def new_client(server: Launcher, credentials: Credentials) -> Iterator[Make]:
    """Make a client. Every answer that it gets is compared with botocore's model."""
    session = boto3.Session()
    clients = []

    def new_client(
        service: str = "ecs",
        *,
        region: str = REGION,
        key: Credentials = credentials,
        endpoint: str = server.endpoint,
    ) -> Any:
        client = session.client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id=key.access_key,
            aws_secret_access_key=key.secret_key,
            config=Config(
                # What boto3 would refuse is to reach the server; a 5xx is not to be tried again.
                parameter_validation=False,
                retries={"total_max_attempts": 1},
                proxies={},
            ),
        )
        if service == "ecs":
            client.meta.events.register("before-parse.ecs", check_answer)
        clients.append(client)
        return client

    yield new_client
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def client_of_key(new_client: Make) -> Any:
    return new_client()


@pytest.fixture
def ecs(client_of_key: Any, admin: AdminClient) -> Any:
    """A client in an empty account."""
    return client_of_key


@pytest.fixture
def cluster(ecs: Any) -> Any:
    """A client in an account that has the cluster `default`."""
    ecs.create_cluster()
    return ecs


@pytest.fixture
def kecs(cluster: Any, admin: AdminClient) -> Kecs:
    """What tests have as `kecs`, in such an account."""
    return Kecs(cluster, admin)


@pytest.fixture
def wait_for(admin: AdminClient) -> Wait:
    """Wait until what is asked for is true; it is asked again after each change in the realm."""

    def wait_for(has_come: Callable[[], object]) -> None:
        seen(admin, has_come)

    return wait_for


@pytest.fixture
def free_url() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def rest(ecs: Any, admin: AdminClient, moto: Moto) -> Any:
    """An ECS client of a realm that has moto as the rest of AWS."""
    admin.begin_realm("with moto", aws_endpoint=moto.url)
    ecs.create_cluster()
    return ecs
