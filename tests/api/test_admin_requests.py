"""`/_kecs` on the wire: what is malformed gets a text, and changes nothing."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from collections.abc import Iterator
from http.client import HTTPConnection
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from api_steps import SLEEP
from api_steps import container
from api_steps import register
from api_steps import run
from api_steps import wait_running
from kecs_server.credentials import Credentials

from pytest_kecs.admin import AdminClient
from pytest_kecs.errors import AdminError
from pytest_kecs.kecs import Kecs
from pytest_kecs.launcher import Launcher
from pytest_kecs.logs import LogQuery
from pytest_kecs.logs import collect
from pytest_kecs.logs import follow_lines

pytestmark = pytest.mark.ours

Post = Callable[[str, bytes], tuple[int, Any]]


@pytest.fixture
def post(server: Launcher, credentials: Credentials, admin: AdminClient) -> Iterator[Post]:
    connection = HTTPConnection(urlsplit(server.endpoint).netloc, timeout=20)
    user = f"{credentials.access_key}:{credentials.secret_key}"
    headers = {
        "Authorization": "Basic " + b64encode(user.encode()).decode(),
        "Content-Type": "application/json",
    }

    def post(path: str, body: bytes) -> tuple[int, Any]:
        connection.request("POST", f"/_kecs/{path}", body, headers)
        with connection.getresponse() as response:
            return response.status, json.loads(response.read())

    yield post
    connection.close()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("realms", b""),
        ("realms", b"[]"),
        ("realms", b"{"),
        ("realms", b'{"account": "1"}'),
        ("realms", b'{"account": 123456789012}'),
        ("realms", '{"account": "१२३४५६७८९०१२"}'.encode()),
        ("realms", b'{"engine": "docker"}'),
        ("realms", b'{"engine": ["x"]}'),
        ("realms", b'{"clock": "slow"}'),
        ("realms", b'{"images": ["x"]}'),
        ("realms", b'{"images": {"x": 1}}'),
        ("realms", b'{"images": {"x": "a \'b"}}'),
        ("realms", b'{"images": {"x": {"no": 1}}}'),
        ("realms", b'{"images": {"x": {"command": [1]}}}'),
        ("realms", b'{"images": {"x": {"environment": "a=b"}}}'),
        ("realms", b'{"images": {"x": {"environment": {"a": 1}}}}'),
        ("realms", b'{"images": {"x": {"image": 1}}}'),
        ("keys", b"{}"),
        ("keys", b'{"account": "x"}'),
        ("prepare", b'{"engine": "docker"}'),
        ("prepare", b'{"wait": "long"}'),
        ("prepare", b'{"wait": NaN}'),
        ("wait", b'{"since": "x"}'),
        ("wait", b'{"since": []}'),
        ("wait", b'{"deadline": "x"}'),
        ("wait", b'{"timeout": Infinity}'),
        ("images", b"{}"),
        ("images", b'{"pattern": "x"}'),
        ("images", b'{"pattern": "x", "stand_in": 1}'),
        ("clock", b'{"advance": -1}'),
        ("clock", b'{"advance": NaN}'),
        ("clock", b'{"advance": true}'),
        ("address", b"{}"),
        ("address", b'{"task": "none", "port": 80}'),
        ("address", b'{"task": "none", "port": "80"}'),
        ("address", b'{"task": "none", "port": true}'),
        ("address", b'{"task": "none", "port": 0}'),
        ("address", b'{"task": "none", "timeout": "long"}'),
        ("address", b'{"task": [], "container": {}}'),
        ("lease", b'{"owner_pid": "x"}'),
        ("lease", b'{"owner_pid": -1}'),
        ("lease", b'{"seconds": "x"}'),
    ],
)
def test_refused(post: Post, path: str, body: bytes) -> None:
    status, answer = post(path, body)
    assert status == 400
    assert answer["error"]


def test_logs_and_their_refusals(cluster: Any, admin: AdminClient) -> None:
    register(cluster, "app", container(command=["sh", "-c", "echo out; echo err >&2; sleep 100"]))
    arn = run(cluster, "app")["taskArn"]
    lines = follow_lines(admin, LogQuery(task=arn))
    found = {(line.container, line.stream, line.text) for line in islice(lines, 2)}
    assert found == {("app", "stdout", "out"), ("app", "stderr", "err")}
    assert collect(admin, LogQuery(task=arn)) == {"app": {"stdout": "out\n", "stderr": "err\n"}}
    for task, name in (("none", None), (arn, "none")):
        with pytest.raises(AdminError) as caught:
            admin.read_logs(task, name)
        assert "none" in str(caught.value)
        with pytest.raises(AdminError, match="none"):
            admin.read_text(task, name)


def test_the_text_of_logs(cluster: Any, admin: AdminClient) -> None:
    script = r"printf 'a\nb'; printf '\377c\n' >&2"
    after = [{"containerName": "other", "condition": "SUCCESS"}]
    other = container("other", command=["echo", "d"], essential=False)
    register(cluster, "app", container("say", command=["sh", "-c", script], dependsOn=after), other)
    arn = run(cluster, "app")["taskArn"]
    cluster.get_waiter("tasks_stopped").wait(tasks=[arn])
    assert collect(admin, LogQuery(task=arn)) == {
        "say": {"stdout": "a\nb", "stderr": "\ufffdc\n"},
        "other": {"stdout": "d\n", "stderr": ""},
    }
    assert admin.read_text(arn, "say", stream="stdout").parts == [("say", "stdout", "a\nb")]
    rest = [["say", "stdout", 2, 3], ["other", "stderr", 0, 0], ["gone", "stdout", 0, 9]]
    page = admin.read_text(arn, cursor=json.dumps(rest))
    assert ([part for part in page.parts if part.text], page.more) == (
        [("say", "stdout", "b")],
        False,
    )


@pytest.mark.parametrize(
    "cursor", ["x", "5", "[1]", '[["say", "stdin", 0]]', '[["a", "b", "x", 1]]']
)
def test_cursors_of_texts_that_were_not_given_out(
    cluster: Any, admin: AdminClient, cursor: str
) -> None:
    register(cluster, "app", container(command=SLEEP))
    with pytest.raises(AdminError, match="is not one that was given out"):
        admin.read_text(run(cluster, "app")["taskArn"], cursor=cursor)


@pytest.mark.parametrize(
    "query",
    [
        {"stream": "stdin"},
        {"since": "yesterday"},
        {"ago": "nan"},
        {"since": "inf"},
        {"tail": "-1"},
        {"tail": "9" * 5000},
        {"cursor": "x"},
        {"cursor": "[]"},
        {"cursor": '{"at": {"app": 1}, "until": null}'},
        {"cursor": '{"at": {"app": [0, "x"]}, "until": null}'},
        {"cursor": '{"at": [], "until": null}'},
    ],
)
def test_logs_that_cannot_be_asked_for(
    cluster: Any, admin: AdminClient, query: dict[str, Any]
) -> None:
    register(cluster, "app", container(command=SLEEP))
    arn = run(cluster, "app")["taskArn"]
    with pytest.raises(AdminError) as caught:
        admin.read_logs(arn, **query)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "cursor",
    [
        '{"at": {}, "until": null}',
        '{"at": {"other": [1, 1]}, "until": null}',
        '{"at": {"app": [-5, 99999999999999999999]}, "until": null}',
        '{"at": {"app": [99999999999999999999, -5]}, "until": 1e300}',
    ],
)
def test_cursors_that_lead_nowhere(cluster: Any, admin: AdminClient, cursor: str) -> None:
    register(cluster, "app", container(command=["echo", "out"]))
    arn = run(cluster, "app")["taskArn"]
    cluster.get_waiter("tasks_stopped").wait(tasks=[arn])
    page = admin.read_logs(arn, cursor=cursor)
    assert (page.more, page.ended) == (False, True)
    assert {line.raw for line in page.lines} <= {"out\n"}


def test_report(cluster: Any, admin: AdminClient) -> None:
    register(cluster, "app", container(command=["sh", "-c", "seq 100; exit 4"]))
    arn = run(cluster, "app")["taskArn"]
    cluster.create_service(serviceName="s", taskDefinition="app", desiredCount=0)
    cluster.get_waiter("tasks_stopped").wait(tasks=[arn])
    report = admin.report(20)
    (task,) = report["tasks"]
    assert task["containers"][0]["exitCode"] == 4
    assert [service["serviceName"] for service in report["services"]] == ["s"]
    lines = report["logs"][arn.rpartition("/")[2]]["app"]["stdout"].split("\n")
    assert (len(lines), lines[-1]) == (20, "100")
    kinds = {entry["kind"] for entry in report["timeline"]}
    assert kinds == {"call", "container-instance", "task", "service"}
    moments = [entry["at"] for entry in report["timeline"]]
    assert moments == sorted(moments)


def test_the_report_knows_containers_that_run_nothing(cluster: Any, admin: AdminClient) -> None:
    admin.map_image("known:*", "sleep 60")
    given = {"commanded": {"command": ["true"]}, "known": {"image": "known:1"}, "empty": {}}
    register(
        cluster, "app", *[container(name=n, **{"image": "new:1", **g}) for n, g in given.items()]
    )
    arn = run(cluster, "app")["taskArn"]
    assert admin.report(20)["idle"] == {arn.rpartition("/")[2]: {"empty": "new:1"}}


def test_reset(cluster: Any, admin: AdminClient) -> None:
    register(cluster, "app", container(command=SLEEP))
    cluster.create_service(serviceName="s", taskDefinition="app", desiredCount=2)
    arn = run(cluster, "app")["taskArn"]
    wait_running(cluster, arn)
    counts = admin.reset()
    assert counts["tasks"] >= 1
    assert (counts["clusters"], counts["services"], counts["task_definitions"]) == (1, 1, 1)
    assert cluster.list_clusters()["clusterArns"] == []
    assert cluster.list_task_definitions(status="ACTIVE")["taskDefinitionArns"] == []
    # The account starts anew: numbers too.
    cluster.create_cluster()
    assert register(cluster, "app").endswith(":1")
    assert cluster.list_tasks()["taskArns"] == []


def test_a_fresh_realm_is_empty(cluster: Any, admin: AdminClient) -> None:
    register(cluster, "app", container(command=SLEEP))
    wait_running(cluster, run(cluster, "app")["taskArn"])
    admin.begin_realm("another")
    assert cluster.list_clusters()["clusterArns"] == []
    assert admin.report(20)["tasks"] == []


def test_health(server: Launcher, admin: AdminClient) -> None:
    health = admin.health()
    assert (health.name, health.engine) == (server.name, "process")
    assert psutil.Process(health.pid).is_running()
    assert health.engines["process"].state == "ready"
    assert health.engines["kind"].state == "idle"


def test_the_clock_and_what_it_refuses(admin: AdminClient) -> None:
    before = admin.advance_clock(0)
    for seconds in (-1, 1e12):
        with pytest.raises(AdminError, match="a clock "):
            admin.advance_clock(seconds)
    assert before <= admin.advance_clock(0) < before + 60


@pytest.mark.parametrize("value", [3, None, ["x"]])
def test_a_secret_of_another_type(admin: AdminClient, cluster: Any, value: Any) -> None:
    with pytest.raises(TypeError, match="a text, bytes or a mapping, not of"):
        Kecs(cluster, admin).set_secret("a", value)
