"""TLS beside plain HTTP, on one port, with a certificate made for the environment."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import SSLError
from kecs_server.credentials import Credentials
from kecs_server.credentials import derive_credentials

from pytest_kecs import registry
from pytest_kecs.admin import AdminClient
from pytest_kecs.clients import Clients
from pytest_kecs.errors import EnvironmentStartError
from pytest_kecs.exports import aws_variables
from pytest_kecs.exports import client_url
from pytest_kecs.launcher import Launcher
from pytest_kecs.tls import ca_file

pytestmark = pytest.mark.ours


@pytest.fixture(scope="module")
def tls_server(launch: Callable[..., Launcher]) -> Iterator[Launcher]:
    launcher = launch(tls=True)
    trusted = Path(str(ca_file(launcher.directory)))
    try:
        yield launcher
        log = (launcher.directory / "server.log").read_text()
    finally:
        launcher.stop()
    assert "Traceback" not in log, log
    assert not trusted.exists()


@pytest.fixture(scope="module")
def key(tls_server: Launcher) -> Credentials:
    return derive_credentials(tls_server.run_secret, "tls")


def test_clients_speak_tls(tls_server: Launcher, key: Credentials) -> None:
    trusted = ca_file(tls_server.directory)
    ecs = Clients(tls_server.endpoint, key, "us-east-1", ca_file=trusted).ecs()
    assert ecs.meta.endpoint_url.startswith("https://127.0.0.1:")
    assert ecs.create_cluster()["cluster"]["status"] == "ACTIVE"
    variables = aws_variables(tls_server.endpoint, key, "us-east-1", ca_file=trusted)
    assert variables["AWS_CA_BUNDLE"] == trusted
    assert variables["AWS_ENDPOINT_URL_ECS"] == ecs.meta.endpoint_url
    assert stat.S_IMODE((tls_server.directory / "server.pem").stat().st_mode) == 0o600


def test_the_same_port_takes_plain_http(tls_server: Launcher, key: Credentials) -> None:
    with AdminClient(tls_server.endpoint, key) as admin:
        assert admin.health().name == tls_server.name


def test_who_does_not_trust_is_not_served(tls_server: Launcher, key: Credentials) -> None:
    ecs = boto3.Session().client(
        "ecs",
        region_name="us-east-1",
        endpoint_url=client_url(tls_server.endpoint, "x"),
        aws_access_key_id=key.access_key,
        aws_secret_access_key=key.secret_key,
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(SSLError):
        ecs.list_clusters()


def test_broken_and_unfinished_handshakes_disturb_nobody(
    tls_server: Launcher, key: Credentials
) -> None:
    address = urlsplit(tls_server.endpoint)
    target = (address.hostname, address.port)
    with socket.create_connection(target) as unfinished:
        unfinished.sendall(b"\x16\x03\x01")
        for garbage in (b"\x16" * 500, b"\x16\x03\x01\x00\x05hello"):
            # It may be closed before all of that has been sent.
            with (
                contextlib.suppress(OSError),
                socket.create_connection(target, timeout=10) as broken,
            ):
                broken.sendall(garbage)
                broken.shutdown(socket.SHUT_WR)
                while broken.recv(4096):
                    pass
        with socket.create_connection(target):
            pass
        trusted = ca_file(tls_server.directory)
        context = ssl.create_default_context(cafile=trusted)
        with (
            socket.create_connection(target, timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            secure.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert secure.recv(12) == b"HTTP/1.1 200"


def test_without_the_package(
    launch: Callable[..., Launcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    before = {record.name for record in registry.read_all()}
    with pytest.raises(EnvironmentStartError) as caught:
        launch(tls=True)
    assert "pip install 'pytest-kecs[tls]'" in str(caught.value)
    assert {record.name for record in registry.read_all()} == before


def test_a_command_with_tls(tmp_path: Path) -> None:
    program = "import boto3; print(boto3.client('ecs').create_cluster()['cluster']['status'])"
    kecs = Path(sys.executable).with_name("kecs")
    done = subprocess.run(
        [
            kecs,
            "run",
            "--tls",
            "--",
            sys.executable,
            "-c",
            f"{program}; import os;print(os.environ['AWS_ENDPOINT_URL_ECS'].split(':')[0])",
        ],
        env=dict(os.environ),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["ACTIVE", "https"], done.stderr
