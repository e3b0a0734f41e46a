"""The checks of `kecs conformance`: this server keeps them all, and a wrong one keeps none."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kecs_server.credentials import Credentials
from kecs_server.operations import table
from werkzeug.serving import make_server
from werkzeug.wrappers import Request
from werkzeug.wrappers import Response

from pytest_kecs.admin import AdminClient
from pytest_kecs.cli import main
from pytest_kecs.conformance import endpoint as endpoint_module
from pytest_kecs.conformance.checks import CHECKS
from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Check
from pytest_kecs.conformance.endpoint import Endpoint
from pytest_kecs.conformance.runner import _run_one
from pytest_kecs.conformance.runner import run
from pytest_kecs.launcher import Launcher

REGION = "us-east-1"
_DELETED = ("DELETE_IN_PROGRESS", "DELETE_COMPLETE")

pytestmark = pytest.mark.ours


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch, credentials: Credentials) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", credentials.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credentials.secret_key)


@pytest.fixture
def endpoint(server: Launcher, ecs: Any) -> Iterator[Endpoint]:
    endpoint = Endpoint(server.endpoint, REGION)
    yield endpoint
    endpoint.close()


@pytest.fixture
def empty_answers() -> Iterator[str]:
    """A server that answers {} to everything."""

    @Request.application
    def answer(request: Request) -> Response:
        return Response("{}", content_type="application/json")

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def _fast_clock(monkeypatch: pytest.MonkeyPatch, admin: AdminClient) -> None:
    """What a check waits for comes by the test's clock."""

    def wait_until(is_so: Callable[[], object], *, seconds: float) -> bool:
        def comes() -> bool:
            if is_so():
                return True
            admin.advance_clock(1)
            return False

        return endpoint_module.wait_until(comes, seconds=seconds)

    monkeypatch.setattr("pytest_kecs.conformance.checks.wait_until", wait_until)


@pytest.mark.usefixtures("_fast_clock")
def test_this_server_keeps_every_rule_and_is_empty_afterwards(endpoint: Endpoint, ecs: Any) -> None:
    ecs.put_account_setting(name="awsvpcTrunking", value="enabled")
    results = list(run(endpoint))
    assert [each.check for each in results if each.check.run] == CHECKS
    assert not [each for each in results if each.leftovers]
    without = {each.check.operation for each in results if each.outcome == "not implemented"}
    assert not without & set(table.all_operations().operations())
    assert [each for each in results if each.outcome in ("failed", "skipped")] == []
    assert ecs.list_clusters()["clusterArns"] == []
    assert ecs.list_task_definition_families(status="ACTIVE")["families"] == []
    assert ecs.list_daemon_task_definitions()["daemonTaskDefinitions"] == []
    assert ecs.list_gateways()["gateways"] == []
    providers = ecs.describe_capacity_providers()["capacityProviders"]
    kept = [each["name"] for each in providers if each.get("updateStatus") not in _DELETED]
    assert kept == ["FARGATE", "FARGATE_SPOT"]
    [setting] = ecs.list_account_settings()["settings"]
    assert (setting["name"], setting["value"]) == ("awsvpcTrunking", "enabled")


def test_every_operation_has_a_check() -> None:
    assert set(table.all_operations().operations()) <= {each.operation for each in CHECKS}


def test_a_server_that_says_nothing_keeps_no_rule(empty_answers: str) -> None:
    endpoint = Endpoint(empty_answers, REGION)
    results = list(run(endpoint))
    endpoint.close()
    assert [each.check.name for each in results if each.outcome != "failed"] == []


def test_what_was_made_is_removed_at_ctrl_c(endpoint: Endpoint, ecs: Any) -> None:
    def interrupted(account: Account) -> None:
        account.call("CreateCluster", clusterName="made")
        raise KeyboardInterrupt

    check = Check(
        family="f", operation="o", name="n", rule="r", basis="captured", source="s", run=interrupted
    )
    with pytest.raises(KeyboardInterrupt):
        _run_one(check, Account(endpoint, "x", {}, {}))
    assert ecs.describe_clusters(clusters=["made"])["clusters"][0]["status"] == "INACTIVE"


def test_what_is_left_is_removed_when_the_removal_is_interrupted(
    endpoint: Endpoint, ecs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(account: Account) -> None:
        for _ in range(2):
            account.call("CreateCluster", clusterName=account.name())

    send, interrupted = endpoint.send, []

    def send_or_stop(operation: str, body: bytes) -> Any:
        if operation == "DeleteCluster" and not interrupted:
            interrupted.append(operation)
            raise KeyboardInterrupt
        return send(operation, body)

    monkeypatch.setattr(endpoint, "send", send_or_stop)
    check = Check(
        family="f", operation="o", name="n", rule="r", basis="captured", source="s", run=make
    )
    with pytest.raises(KeyboardInterrupt):
        _run_one(check, Account(endpoint, "x", {}, {}))
    assert ecs.list_clusters()["clusterArns"] == []


def test_ctrl_c_during_a_call_waits_for_its_answer(
    endpoint: Endpoint, ecs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(account: Account) -> None:
        account.call("CreateCluster", clusterName="made")
        raise AssertionError("it goes on after Ctrl-C")

    send = endpoint.send

    def interrupted(operation: str, body: bytes) -> Any:
        if operation == "CreateCluster":
            os.kill(os.getpid(), signal.SIGINT)
        return send(operation, body)

    monkeypatch.setattr(endpoint, "send", interrupted)
    check = Check(
        family="f", operation="o", name="n", rule="r", basis="captured", source="s", run=make
    )
    with pytest.raises(KeyboardInterrupt):
        _run_one(check, Account(endpoint, "x", {}, {}))
    assert ecs.describe_clusters(clusters=["made"])["clusters"][0]["status"] == "INACTIVE"


def test_a_check_waits_no_longer_than_it_is_told(endpoint: Endpoint) -> None:
    check = Check(
        family="f",
        operation="o",
        name="n",
        rule="r",
        basis="captured",
        source="s",
        run=lambda account: account.wait("it is tomorrow", lambda: False),
    )
    result = _run_one(check, Account(endpoint, "x", {}, {}, wait_seconds=0))
    assert (result.outcome, result.came) == ("failed", "not so after 0 s: it is tomorrow")


def test_the_command_prints_a_table_and_writes_each_check(
    server: Launcher, ecs: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "found.json"
    options = ["--family", "tags", "protocol", "--json", str(file)]
    assert main(["conformance", "--endpoint", server.endpoint, *options]) == 0
    assert "| tags | UntagResource | 1 |  |  |  |" in capsys.readouterr().out
    found = json.loads(file.read_text())
    assert {each["outcome"] for each in found} == {"passed"}
    assert {each["family"] for each in found} == {"tags", "protocol", "shapes"}


def test_the_command_fails_when_a_check_does(
    empty_answers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["conformance", "--endpoint", empty_answers, "--family", "tags"]) == 1
    assert "failed: tags: TagResource" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--endpoint", "https://ecs.us-east-1.amazonaws.com"], "--allow-aws"),
        (["--endpoint", "http://127.0.0.1:1"], "nobody answers"),
        (["--endpoint", "nowhere"], "is not a URL"),
        (["--endpoint", "http://127.0.0.1:1", "--json", "/nowhere/x"], "cannot be written"),
        (["--endpoint", "http://127.0.0.1:1", "--family", "coffee"], "no family 'coffee'"),
    ],
)
def test_the_command_says_why_it_could_not_run(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["conformance", *options]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("text", ["long", "-1", "inf", "nan"])
def test_the_command_waits_for_a_number_of_seconds(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["conformance", "--endpoint", "http://127.0.0.1:1", f"--wait={text}"])
    assert "is no number of seconds" in capsys.readouterr().err
