"""Secrets and environment files from an endpoint that has the rest of AWS (moto's server)."""

from __future__ import annotations

import json
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
from api_steps import container
from api_steps import register
from api_steps import run
from api_steps import task
from api_steps import wait_running
from api_steps import wait_stopped
from kecs_server.credentials import derive_credentials
from moto_server import Moto

from pytest_kecs.admin import AdminClient
from pytest_kecs.launcher import Launcher

pytestmark = pytest.mark.documented

SHOW = "import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w'))"
ROLE = {"executionRoleArn": "arn:aws:iam::123456789012:role/execution"}
QUICK_SECONDS = 8.0
"""Less than it takes to give up an endpoint that does not answer."""
SECRET_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret"


@pytest.fixture
def name() -> str:
    """One that no other test has at the endpoint."""
    return f"n{uuid.uuid4().hex[:12]}"


def secrets(**values: str) -> list[dict[str, str]]:
    return [{"name": name, "valueFrom": value} for name, value in values.items()]


def shown(ecs: Any, **members: Any) -> Any:
    """The variables of a container."""
    with tempfile.NamedTemporaryFile() as file:
        command = [sys.executable, "-c", SHOW, file.name]
        definition = register(ecs, "show", container(command=command, **members), **ROLE)
        arn = run(ecs, definition)["taskArn"]
        wait_stopped(ecs, arn)
        assert task(ecs, arn)["containers"][0].get("exitCode") == 0, task(ecs, arn)
        return json.load(file)


def failure(ecs: Any, **members: Any) -> str:
    """Why a task cannot start."""
    arn = run(ecs, register(ecs, "fail", container(**members), **ROLE))["taskArn"]
    wait_stopped(ecs, arn)
    stopped = task(ecs, arn)
    assert stopped["stopCode"] == "TaskFailedToStart"
    assert "startedAt" not in stopped
    return str(stopped["stoppedReason"])


def test_secrets_of_secrets_manager(rest: Any, moto: Moto, name: str) -> None:
    manager = moto.client("secretsmanager")
    first = manager.create_secret(Name=name, SecretString='{"user": "me", "n": 1}')
    arn = first["ARN"]
    manager.put_secret_value(SecretId=arn, SecretString='{"user": "you"}')
    found = shown(
        rest,
        secrets=secrets(
            WHOLE=arn,
            KEY=f"{arn}:user::",
            BEFORE=f"{arn}:user:AWSPREVIOUS:",
            VERSION=f"{arn}:n::{first['VersionId']}",
        ),
    )
    assert [found[each] for each in ("WHOLE", "KEY", "BEFORE", "VERSION")] == [
        '{"user": "you"}',
        "you",
        "me",
        "1",
    ]


def test_parameters_of_ssm(rest: Any, moto: Moto, name: str) -> None:
    ssm = moto.client("ssm")
    wanted = {f"P{n}": f"/{name}/p{n}" for n in range(12)}
    for parameter in wanted.values():
        ssm.put_parameter(Name=parameter, Value=f"value of {parameter}", Type="SecureString")
    ssm.put_parameter(Name=name, Value="flat", Type="String")
    arn = "arn:aws:ssm:us-east-1:123456789012:parameter"
    by_arn = {"FLAT": f"{arn}/{name}", "DEEP": f"{arn}/{name}/p3"}
    found = shown(rest, secrets=secrets(**wanted, **by_arn))
    assert {each: found[each] for each in wanted} == {
        variable: f"value of {parameter}" for variable, parameter in wanted.items()
    }
    assert (found["FLAT"], found["DEEP"]) == ("flat", f"value of /{name}/p3")


def test_environment_files_of_s3(rest: Any, moto: Moto, name: str) -> None:
    s3 = moto.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="deep/one.env", Body="A=1\nB=één\n".encode())
    s3.put_object(Bucket=name, Key="two.env", Body=b"A=2\nC=3\n")
    files = [f"arn:aws:s3:::{name}/deep/one.env", f"arn:aws:s3:::{name}/two.env"]
    found = shown(rest, environmentFiles=[{"type": "s3", "value": each} for each in files])
    assert (found["A"], found["B"], found["C"]) == ("1", "één", "3")


@pytest.mark.ours
def test_what_is_registered_wins(rest: Any, admin: AdminClient, moto: Moto, name: str) -> None:
    manager = moto.client("secretsmanager")
    arn = manager.create_secret(Name=name, SecretString="the endpoint's")["ARN"]
    admin.set_secret(name, "the test's")
    assert shown(rest, secrets=secrets(A=arn))["A"] == "the test's"


def test_the_region_of_a_reference(rest: Any, moto: Moto, name: str) -> None:
    far = moto.client("secretsmanager", "eu-west-1")
    arn = far.create_secret(Name=name, SecretString="far away")["ARN"]
    assert ":eu-west-1:" in arn
    assert shown(rest, secrets=secrets(A=arn))["A"] == "far away"


@pytest.mark.ours
def test_containers_find_the_rest_of_aws(rest: Any, moto: Moto, server: Launcher) -> None:
    found = shown(rest)
    assert found["AWS_ENDPOINT_URL"] == moto.url
    assert found["AWS_ENDPOINT_URL_ECS"] == server.endpoint
    own = [{"name": "AWS_ENDPOINT_URL", "value": "http://own"}]
    assert shown(rest, environment=own)["AWS_ENDPOINT_URL"] == "http://own"


@pytest.mark.ours
def test_what_the_endpoint_does_not_have(rest: Any, moto: Moto, name: str) -> None:
    prefix = (
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
        "retrieval failed: unable to retrieve secret"
    )
    reason = failure(rest, secrets=secrets(A=f"{SECRET_ARN}:{name}-AbCdEf"))
    assert reason == (
        f"{prefix} from asm: service call has been retried 1 time(s): ResourceNotFoundException: "
        "Secrets Manager can't find the specified secret."
    )
    missing = failure(rest, secrets=secrets(A=f"/{name}/a", B=f"/{name}/b"))
    assert missing == f"{prefix}s from ssm: invalid parameters: /{name}/a,/{name}/b"
    file = f"arn:aws:s3:::{name}/x.env"
    reason = failure(rest, environmentFiles=[{"type": "s3", "value": file}])
    assert reason == (
        f"ResourceInitializationError: failed to download env files: {file}: NoSuchBucket: The "
        "specified bucket does not exist"
    )
    manager = moto.client("secretsmanager")
    arn = manager.create_secret(Name=name, SecretBinary=b"\x00\x01")["ARN"]
    assert "is binary" in failure(rest, secrets=secrets(A=arn))


@pytest.fixture
def deaf() -> Iterator[str]:
    """An endpoint that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.ours
def test_an_endpoint_that_is_not_there(ecs: Any, admin: AdminClient, free_url: str) -> None:
    admin.begin_realm("nobody there", aws_endpoint=free_url)
    ecs.create_cluster()
    reason = failure(ecs, secrets=secrets(A="/a"))
    assert reason.startswith("ResourceInitializationError: unable to pull secrets")
    assert "RequestError: send request failed: Could not connect" in reason
    assert free_url in reason


@pytest.mark.ours
def test_a_slow_endpoint_holds_up_only_whoever_asks_it(
    ecs: Any, admin: AdminClient, deaf: str
) -> None:
    admin.begin_realm("deaf", aws_endpoint=deaf)
    ecs.create_cluster()
    waiting = register(ecs, "waiting", container(secrets=secrets(A="/a")), **ROLE)
    arns = [run(ecs, waiting)["taskArn"] for _ in range(6)]
    other = run(ecs, register(ecs, "other"))["taskArn"]
    wait_running(ecs, other)
    assert {task(ecs, arn)["lastStatus"] for arn in arns} == {"PENDING"}
    began = time.monotonic()
    for arn in arns:
        ecs.stop_task(task=arn, reason="enough")
    wait_stopped(ecs, *arns)
    assert time.monotonic() - began < QUICK_SECONDS
    assert {task(ecs, arn)["stoppedReason"] for arn in arns} == {"enough"}


@pytest.mark.ours
def test_a_server_ends_while_it_waits_for_an_endpoint(
    launch: Callable[..., Launcher], new_client: Any, deaf: str
) -> None:
    launcher = launch(aws_endpoint=deaf)
    try:
        key = derive_credentials(launcher.run_secret, "deaf")
        ecs = new_client(key=key, endpoint=launcher.endpoint)
        ecs.create_cluster()
        run(ecs, register(ecs, "waiting", container(secrets=secrets(A="/a")), **ROLE))
    finally:
        began = time.monotonic()
        launcher.stop()
    assert time.monotonic() - began < QUICK_SECONDS
