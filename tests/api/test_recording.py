"""What `/_kecs/recording` says of a realm: calls, changes, tasks, services, logs."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from api_steps import Wait
from botocore.exceptions import ClientError

from pytest_kecs.admin import AdminClient
from pytest_kecs.errors import AdminError

pytestmark = pytest.mark.ours


def register(client: Any, family: str, script: str, **container: Any) -> str:
    answer = client.register_task_definition(
        family=family,
        containerDefinitions=[
            {
                "name": "app",
                "image": "img",
                "memory": 64,
                "command": ["sh", "-c", script],
                **container,
            }
        ],
    )
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def test_calls_have_what_was_asked_and_answered(cluster: Any, admin: AdminClient) -> None:
    with pytest.raises(ClientError):
        cluster.describe_task_definition(taskDefinition="nope")
    register(cluster, "worker", "true", environment=[{"name": "LEVEL", "value": "debug"}])
    created, described, registered = admin.recording()["entries"]
    assert created["operation"] == "CreateCluster"
    assert created["result"]["cluster"]["clusterName"] == "default"
    assert (created["kind"], created["account"], created["region"]) == (
        "call",
        "123456789012",
        "us-east-1",
    )
    assert created["milliseconds"] > 0
    assert described["input"] == {"taskDefinition": "nope"}
    assert described["error"] == {
        "__type": "ClientException",
        "message": "Unable to describe task definition.",
    }
    assert "result" not in described
    [container] = registered["input"]["containerDefinitions"]
    assert container["environment"] == [{"name": "LEVEL", "value": "debug"}]


def test_headers_are_never_kept(cluster: Any, admin: AdminClient, credentials: Any) -> None:
    cluster.list_tasks()
    text = json.dumps([admin.recording(), admin.report(20)])
    for secret in (credentials.access_key, credentials.secret_key, "AWS4-HMAC", "Signature"):
        assert secret not in text


def test_bodies_that_are_no_json_or_too_large(cluster: Any, admin: AdminClient) -> None:
    value = "x" * 20_000
    register(cluster, "large", "true", environment=[{"name": "LARGE", "value": value}])
    entry = admin.recording()["entries"][-1]
    assert "input" not in entry
    assert entry["input_size"] > 20_000
    assert entry["input_text"].startswith('{"family": "large"')
    assert entry["result_text"].startswith('{"taskDefinition"')


def test_tasks_with_their_containers_and_logs(
    cluster: Any, admin: AdminClient, wait_for: Wait
) -> None:
    definition = register(cluster, "worker", "echo out; echo token-1 >&2; exit 3")
    [task] = cluster.run_task(taskDefinition="worker")["tasks"]
    wait_for(lambda: admin.recording()["tasks"][0]["status"] == "STOPPED")
    recording = admin.recording()
    [found] = recording["tasks"]
    assert (found["arn"], found["definition"]) == (task["taskArn"], definition)
    assert (found["stopCode"], found["cluster"]) == ("EssentialContainerExited", "default")
    [container] = found["containers"]
    assert (container["name"], container["exitCode"], container["restarts"]) == ("app", 3, 0)
    times = [found["created"], container["started"], container["finished"], found["stopped"]]
    assert times == sorted(times)
    assert recording["definitions"][definition]["family"] == "worker"
    log = admin.log_end(found["id"], "app")
    assert sorted((stream, text) for _, stream, text in log["lines"]) == [
        ("stderr", "token-1"),
        ("stdout", "out"),
    ]
    assert log["skipped"] == 0
    for wrong in (("none", "app"), (found["id"], "none")):
        with pytest.raises(AdminError, match="none"):
            admin.log_end(*wrong)


def test_secrets_are_hidden_in_logs(cluster: Any, admin: AdminClient, wait_for: Wait) -> None:
    admin.set_secret("/app/token", "hidden-word")
    secrets = [{"name": "TOKEN", "valueFrom": "/app/token"}]
    cluster.register_task_definition(
        family="worker",
        executionRoleArn="arn:aws:iam::123456789012:role/execution",
        containerDefinitions=[
            {
                "name": "app",
                "image": "img",
                "memory": 64,
                "command": ["sh", "-c", 'echo "it is $TOKEN"'],
                "secrets": secrets,
            }
        ],
    )
    cluster.run_task(taskDefinition="worker")
    wait_for(lambda: admin.recording()["tasks"][0]["status"] == "STOPPED")
    [task] = admin.recording()["tasks"]
    assert [line[2] for line in admin.log_end(task["id"], "app")["lines"]] == ["it is ****"]


def test_services_with_their_deployments(cluster: Any, admin: AdminClient, wait_for: Wait) -> None:
    first = register(cluster, "web", "sleep 60")
    cluster.create_service(serviceName="shop", taskDefinition="web", desiredCount=1)

    def has_ended() -> bool:
        [service] = admin.recording()["services"]
        return all(way["finished"] is not None for way in service["deployments"])

    wait_for(has_ended)
    [service] = admin.recording()["services"]
    assert (service["name"], service["cluster"], service["desired"]) == ("shop", "default", 1)
    [way] = service["deployments"]
    assert (way["definition"], way["strategy"], way["status"]) == (first, "ROLLING", "SUCCESSFUL")
    stages = [stage for _, stage, *_ in way["stages"]]
    assert "SCALE_UP" in stages
    assert service["events"][0]["message"].endswith("has reached a steady state.")


def test_the_clock_is_told_of(cluster: Any, admin: AdminClient) -> None:
    before = admin.recording()["now"]
    admin.advance_clock(300)
    recording = admin.recording()
    [[at, seconds]] = recording["advances"]
    assert (seconds, recording["entries"][-1]["text"]) == (300, "advanced by 300 s")
    assert before <= at <= recording["now"] - 300


def get(url: str, cookie: str = "") -> Any:
    request = urllib.request.Request(url, headers={"Cookie": cookie} if cookie else {})
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.status, response.headers, response.read().decode()


def refused(url: str, cookie: str = "") -> str:
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(url, cookie)
    assert caught.value.code == 401
    with caught.value:
        return caught.value.read().decode()


def test_the_page_is_for_who_has_a_token(cluster: Any, admin: AdminClient) -> None:
    url = admin.viewer_url()
    base = url.partition("?")[0]
    for stranger in (base, f"{base}?token=", f"{base}?token=x", f"{base}/data", f"{base}/log"):
        assert "kecs ui kecs-" in refused(stranger)
    status, headers, text = get(url)
    assert (status, headers.get_content_type()) == (200, "text/html")
    assert "was used before" in refused(url)
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/_kecs/ui" in cookie
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert url.partition("token=")[2] not in text
    assert get(base, cookie.partition(";")[0])[0] == 200
    assert refused(base, cookie.partition("=")[0] + "=x")


def test_news_come_as_they_happen(cluster: Any, admin: AdminClient) -> None:
    url = admin.viewer_url()
    base = url.partition("?")[0]
    cookie = get(url)[1]["Set-Cookie"].partition(";")[0]
    realm = admin.recording()
    query = f"realm={realm['realm']}&after={realm['next']}&version={realm['version']}"
    admin.advance_clock(5)
    news = json.loads(get(f"{base}/data?{query}", cookie)[2])
    assert [entry["kind"] for entry in news["recording"]["entries"]] == ["clock"]
    assert realm["realm"] in [each["id"] for each in news["realms"]]
    ended = json.loads(get(f"{base}/data?realm=none", cookie)[2])
    assert ended["ended"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_page_only_reads(admin: AdminClient, method: str) -> None:
    url = admin.viewer_url()
    cookie = get(url)[1]["Set-Cookie"].partition(";")[0]
    request = urllib.request.Request(
        url.partition("?")[0] + "/data", method=method, data=b"{}", headers={"Cookie": cookie}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)
    with caught.value:
        assert caught.value.code == 405
