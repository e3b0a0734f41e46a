"""Strategies that shift traffic, and hooks that are functions (ecs-facts 8.6, 8.7)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from http.server import HTTPServer
from typing import Any

import pytest
from api_steps import LISTEN
from api_steps import container
from api_steps import refusal
from api_steps import register
from api_steps import seen
from api_steps import service
from service_steps import INVALID
from service_steps import create

from pytest_kecs.admin import AdminClient
from pytest_kecs.errors import AdminError
from pytest_kecs.hooks import Hooks

pytestmark = pytest.mark.documented

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:check"
BLUE, GREEN = (
    f"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{name}/1"
    for name in ("blue", "green")
)
GROUPS = {
    "targetGroupArn": BLUE,
    "containerName": "app",
    "containerPort": 8080,
    "advancedConfiguration": {
        "alternateTargetGroupArn": GREEN,
        "productionListenerRule": "rule",
        "roleArn": "arn:aws:iam::123456789012:role/shift",
    },
}


@pytest.fixture
def app(cluster: Any) -> Any:
    """A client in an account with a cluster and the family app."""
    register(cluster, "app", container(command=LISTEN, portMappings=[{"containerPort": 8080}]))
    return cluster


def deployment(app: Any, arn: str) -> Any:
    """A service deployment as it is described now."""
    answer = app.describe_service_deployments(serviceDeploymentArns=[arn])
    return answer["serviceDeployments"][0]


def ended(app: Any, admin: AdminClient, arn: str) -> Any:
    """A service deployment once it has ended."""
    return seen(admin, lambda: (found := deployment(app, arn)).get("finishedAt") and found)


def redeploy(app: Any) -> str:
    updated = app.update_service(service="s", forceNewDeployment=True)["service"]
    return str(updated["currentServiceDeployment"])


def test_a_canary(app: Any, admin: AdminClient) -> None:
    configuration = {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 20.0}}
    created = create(app, deploymentConfiguration=configuration, loadBalancers=[GROUPS])
    ended(app, admin, created["currentServiceDeployment"])
    arn = redeploy(app)

    def weights() -> tuple[float, float]:
        found = deployment(app, arn)
        source = found["sourceServiceRevisions"][0]["requestedProductionTrafficWeight"]
        return source, found["targetServiceRevision"]["requestedProductionTrafficWeight"]

    seen(admin, lambda: weights() == (80.0, 20.0))
    described = service(app, "s")
    assert [each["runningCount"] for each in described["deployments"]] == [1, 1]
    assert [each["desiredCount"] for each in described["deployments"]] == [1, 1]
    revisions = [each["arn"] for each in described["currentServiceRevisions"]]
    answer = app.describe_service_revisions(serviceRevisionArns=revisions)
    assert [
        each["resolvedConfiguration"]["loadBalancers"] for each in answer["serviceRevisions"]
    ] == [
        [{"targetGroupArn": GREEN, "productionListenerRule": "rule"}],
        [{"targetGroupArn": BLUE, "productionListenerRule": "rule"}],
    ]
    admin.advance_clock(600)
    assert ended(app, admin, arn)["status"] == "SUCCESSFUL"
    assert service(app, "s")["runningCount"] == 1


def test_what_a_function_is_told(app: Any, admin: AdminClient) -> None:
    events: list[dict[str, Any]] = []

    def check(event: dict[str, Any]) -> str:
        events.append(event)
        return "SUCCEEDED"

    Hooks(admin).register(FUNCTION, check)
    hook = {
        "hookTargetArn": FUNCTION,
        "roleArn": "arn:aws:iam::123456789012:role/hooks",
        "lifecycleStages": ["PRE_SCALE_UP", "PRODUCTION_TRAFFIC_SHIFT"],
        "hookDetails": {"suite": "smoke"},
    }
    created = create(
        app,
        deploymentConfiguration={
            "strategy": "BLUE_GREEN",
            "bakeTimeInMinutes": 0,
            "lifecycleHooks": [hook],
        },
    )
    arn = created["currentServiceDeployment"]
    done = ended(app, admin, arn)
    revision = created["currentServiceRevisions"][0]["arn"]
    assert [event["lifecycleStage"] for event in events] == hook["lifecycleStages"]
    execution = events[0].pop("executionId")
    assert events[0] == {
        "executionDetails": {
            "serviceArn": created["serviceArn"],
            "targetServiceRevisionArn": revision,
            "testTrafficWeights": {revision: 100.0},
            "productionTrafficWeights": {revision: 100.0},
        },
        "lifecycleStage": "PRE_SCALE_UP",
        "resourceArn": arn,
        "hookDetails": {"suite": "smoke"},
    }
    first, second = done["lifecycleHookDetails"]
    assert (first["hookId"], first["targetType"]) == (execution, "AWS_LAMBDA")
    assert {first["status"], second["status"]} == {"SUCCEEDED"}


def broken(event: dict[str, Any]) -> str:
    raise RuntimeError("no such table")


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda event: "FAILED", ""),
        (lambda event: {"result": 1}, "no hookStatus"),
        (lambda event: {"hookStatus": object()}, "no JSON"),
        (broken, "no such table"),
    ],
)
def test_functions_that_fail(
    app: Any, admin: AdminClient, function: Callable[[dict[str, Any]], Any], why: str
) -> None:
    create(app)
    seen(admin, lambda: "currentServiceDeployment" not in service(app, "s"))
    Hooks(admin).register(FUNCTION, function)
    hook = {"hookTargetArn": FUNCTION, "lifecycleStages": ["POST_SCALE_UP"]}
    app.update_service(service="s", deploymentConfiguration={"lifecycleHooks": [hook]})
    done = ended(app, admin, redeploy(app))
    assert done["status"] == "ROLLBACK_SUCCESSFUL"
    texts = [entry["text"] for entry in admin.timeline() if FUNCTION in entry["text"]]
    assert "FAILED" in texts[-1]
    assert why in texts[-1]


def test_a_function_that_is_called_again(app: Any, admin: AdminClient) -> None:
    answers = iter([{"hookStatus": "IN_PROGRESS", "callBackDelay": 3600}, "SUCCEEDED"])
    Hooks(admin).register(FUNCTION, lambda event: next(answers))
    hook = {"hookTargetArn": FUNCTION, "lifecycleStages": ["PRE_SCALE_UP"]}
    arn = create(app, deploymentConfiguration={"lifecycleHooks": [hook]})[
        "currentServiceDeployment"
    ]
    seen(admin, lambda: any("IN_PROGRESS" in entry["text"] for entry in admin.timeline()))
    [run] = deployment(app, arn)["lifecycleHookDetails"]
    assert run["status"] == "IN_PROGRESS"
    admin.advance_clock(3600)
    assert ended(app, admin, arn)["status"] == "SUCCESSFUL"


def test_a_hook_that_nobody_answers(app: Any, admin: AdminClient) -> None:
    hook = {"hookTargetArn": FUNCTION, "lifecycleStages": ["PRE_SCALE_UP"]}
    created = create(app, deploymentConfiguration={"lifecycleHooks": [hook]})
    done = ended(app, admin, created["currentServiceDeployment"])
    assert done["status"] == "STOPPED"
    assert done["lifecycleHookDetails"][0]["status"] == "FAILED"
    assert any("kecs.on_hook" in entry["text"] for entry in admin.timeline())


@pytest.fixture
def url() -> Iterator[str]:
    """Answers as its path says: `/` with success, `/bad` with what is no JSON, else not at all."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert event["lifecycleStage"] == "PRE_SCALE_UP"
            if self.path == "/none":
                self.close_connection = True
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"what" if self.path == "/bad" else b'{"hookStatus": "SUCCEEDED"}')

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "status"), [("/", "SUCCESSFUL"), ("/bad", "STOPPED"), ("/none", "STOPPED")]
)
def test_a_url_answers(app: Any, admin: AdminClient, url: str, path: str, status: str) -> None:
    admin.set_hook(FUNCTION, url + path)
    hook = {"hookTargetArn": FUNCTION, "lifecycleStages": ["PRE_SCALE_UP"]}
    created = create(app, deploymentConfiguration={"lifecycleHooks": [hook]})
    assert ended(app, admin, created["currentServiceDeployment"])["status"] == status


def test_registrations_that_are_refused(admin: AdminClient) -> None:
    for arn, url in ((FUNCTION, "ftp://x"), ("check", None), ("", None)):
        with pytest.raises(AdminError):
            admin.set_hook(arn, url)
    with pytest.raises(AdminError, match="no answer of this id"):
        admin.answer_hook("x", answer={})
    assert admin.next_hook("another realm", 10.0) is None


@pytest.mark.inferred
def test_two_target_groups_where_traffic_is_shifted(app: Any) -> None:
    one = {name: GROUPS[name] for name in GROUPS if name != "advancedConfiguration"}
    request = {"serviceName": "s", "taskDefinition": "app", "desiredCount": 1}
    refused = refusal(
        app.create_service,
        **request,
        loadBalancers=[one],
        deploymentConfiguration={"strategy": "CANARY"},
    )
    assert refused[0] == INVALID
    refused = refusal(
        app.create_service, **request, deploymentConfiguration={"strategy": "BLUE_GREEN"}
    )
    assert refused[0] == INVALID
