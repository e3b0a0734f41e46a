"""The checks of `kecs conformance`: this server keeps them all, and a wrong one keeps none."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kecs_server.credentials import Credentials
from kecs_server.operations import table
from werkzeug.serving import make_server
from werkzeug.wrappers import Request
from werkzeug.wrappers import Response

from pytest_kecs.cli import main
from pytest_kecs.conformance.checks import CHECKS
from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Check
from pytest_kecs.conformance.endpoint import Endpoint
from pytest_kecs.conformance.runner import _run_one
from pytest_kecs.conformance.runner import run
from pytest_kecs.launcher import Launcher

REGION = "us-east-1"

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


def test_this_server_keeps_every_rule_and_is_empty_afterwards(endpoint: Endpoint, ecs: Any) -> None:
    results = list(run(endpoint))
    assert [each.check for each in results if each.check.run] == CHECKS
    assert not [each for each in results if each.leftovers]
    without = {each.check.operation for each in results if each.outcome == "not implemented"}
    assert not without & set(table.all_operations().operations())
    assert [each for each in results if each.outcome in ("failed", "skipped")] == []
    assert ecs.list_clusters()["clusterArns"] == []
    assert ecs.list_task_definition_families(status="ACTIVE")["families"] == []


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
