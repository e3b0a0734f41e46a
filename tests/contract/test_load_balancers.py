"""Requests to a service come to its tasks, and none is lost while tasks are exchanged
(ecs-facts 7.6, 7.7, 7.9, 8.6).
"""

from __future__ import annotations

import http.client
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from steps import wait_for

from pytest_kecs.errors import AdminError
from pytest_kecs.kecs import Kecs
from pytest_kecs.load_balancer import LoadBalancer

pytestmark = pytest.mark.documented

PREFIX = "arn:aws:elasticloadbalancing:us-east-1:123456789012:"
BLUE, GREEN = (f"{PREFIX}targetgroup/{name}/0123456789abcdef" for name in ("blue", "green"))
RULE, TEST_RULE = (f"{PREFIX}listener-rule/app/web/1/2/{name}" for name in ("live", "test"))

SERVER = """
import http.server, os, signal, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        text = os.environ["VERSION"].encode()
        self.send_response(500 if self.path == "/health" and os.path.exists("/tmp/sick") else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass

signal.signal(signal.SIGTERM, lambda *args: os._exit(0))
http.server.ThreadingHTTPServer((os.environ["KECS_HOST"], 8080), Handler).serve_forever()
"""


@pytest.fixture
def deploy(kecs: Kecs, ecs_client: Any, python: tuple[str, str]) -> Any:
    """Register a version of a web server; returns its task definition's ARN."""
    image, interpreter = python

    def register(version: str) -> str:
        answer = ecs_client.register_task_definition(
            family="web",
            containerDefinitions=[
                {
                    "name": "web",
                    "image": image,
                    "memory": 128,
                    "command": [interpreter, "-c", SERVER],
                    "environment": [{"name": "VERSION", "value": version}],
                    "portMappings": [{"containerPort": 8080}],
                }
            ],
        )
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    return register


def create(ecs_client: Any, definition: str, count: int = 2, **parameters: Any) -> None:
    ecs_client.create_cluster()
    balancer = {"targetGroupArn": BLUE, "containerName": "web", "containerPort": 8080}
    ecs_client.create_service(
        **{
            "serviceName": "web",
            "taskDefinition": definition,
            "desiredCount": count,
            "loadBalancers": [balancer],
            **parameters,
        }
    )


def get(balancer: LoadBalancer, path: str = "/") -> tuple[int, str]:
    connection = http.client.HTTPConnection(*balancer.address, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def answers(balancer: LoadBalancer, count: int) -> Counter[str]:
    """What so many requests were answered, by who keeps its connection open."""
    connection = http.client.HTTPConnection(*balancer.address, timeout=20)
    found: Counter[str] = Counter()
    try:
        for _ in range(count):
            connection.request("GET", "/")
            answer = connection.getresponse()
            text = answer.read().decode()
            found[text if answer.status == 200 else str(answer.status)] += 1
    finally:
        connection.close()
    return found


@contextmanager
def asking(balancer: LoadBalancer) -> Iterator[Counter[str]]:
    """Ask all the time, in two threads; what is answered is counted."""
    found: Counter[str] = Counter()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                status, text = get(balancer)
                found[text if status == 200 else str(status)] += 1
            except OSError as error:
                found[repr(error)] += 1
            stop.wait(0.005)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def total(texts: list[str], form: str) -> int:
    """The sum of the numbers in events of this form."""
    pattern = re.escape(form).replace(re.escape("{}"), r"(\d+)")
    return sum(int(found[1]) for text in texts if (found := re.fullmatch(pattern, text)))


def messages(ecs_client: Any) -> list[str]:
    [service] = ecs_client.describe_services(services=["web"])["services"]
    return [event["message"].removeprefix("(service web) ") for event in service["events"]]


def test_a_rolling_update_loses_no_request(kecs: Kecs, ecs_client: Any, deploy: Any) -> None:
    create(ecs_client, deploy("1"))
    kecs.wait_stable("web")
    balancer = kecs.load_balancer(BLUE)
    assert answers(balancer, 4) == {"1": 4}
    assert [target.requests for target in balancer.targets()] == [2, 2]
    with asking(balancer) as found:
        ecs_client.update_service(service="web", taskDefinition=deploy("2"))
        kecs.wait_stable("web")
        wait_for(lambda: found["2"] > 2, "the new version never answered")
    assert set(found) == {"1", "2"}
    assert answers(balancer, 2) == {"2": 2}
    texts = messages(ecs_client)
    group = f"(target-group {BLUE})"
    assert total(texts, f"registered {{}} targets in {group}") == 4
    assert total(texts, f"deregistered {{}} targets in {group}") == 2
    assert total(texts, "has begun draining connections on {} tasks.") == 2


def shifting(strategy: str, **configuration: Any) -> dict[str, Any]:
    """The parameters of a service whose traffic is shifted from one target group to another."""
    return {
        "loadBalancers": [
            {
                "targetGroupArn": BLUE,
                "containerName": "web",
                "containerPort": 8080,
                "advancedConfiguration": {
                    "alternateTargetGroupArn": GREEN,
                    "productionListenerRule": RULE,
                    "testListenerRule": TEST_RULE,
                    "roleArn": "arn:aws:iam::123456789012:role/shift",
                },
            }
        ],
        "deploymentConfiguration": {"strategy": strategy, **configuration},
    }


def test_a_canary_gets_its_share(kecs: Kecs, ecs_client: Any, deploy: Any) -> None:
    canary = {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 10}
    create(ecs_client, deploy("1"), **shifting("CANARY", canaryConfiguration=canary))
    kecs.wait_stable("web")
    balancer, testing = kecs.load_balancer(BLUE), kecs.load_balancer(TEST_RULE)
    assert balancer.url == kecs.load_balancer(RULE).url == kecs.load_balancer(GREEN).url
    assert testing.url == kecs.load_balancer(BLUE, test=True).url != balancer.url
    assert answers(testing, 2) == {"1": 2}
    with asking(balancer) as found:
        ecs_client.update_service(service="web", taskDefinition=deploy("2"))
        wait_for(lambda: balancer.weights() == {BLUE: 90.0, GREEN: 10.0}, "no canary came")
        wait_for(lambda: found["2"], "the canary never answered")
    assert answers(balancer, 20) == {"1": 18, "2": 2}
    assert answers(testing, 3) == {"2": 3}
    with asking(balancer) as later:
        kecs.advance_clock(600)
        kecs.wait_stable("web")
        wait_for(lambda: later["2"] > 2, "the new version never answered")
    assert set(found) | set(later) == {"1", "2"}
    assert answers(balancer, 2) == {"2": 2}
    assert balancer.weights() == {GREEN: 100.0}
    assert {target.target_group for target in balancer.targets()} == {GREEN}
    [revision] = {target.revision for target in balancer.targets()}
    assert balancer.counts()[revision] >= found["2"] + later["2"]


def test_each_target_group_of_task_sets_has_a_load_balancer(
    kecs: Kecs, ecs_client: Any, deploy: Any
) -> None:
    """Whoever deploys by task sets chooses where the traffic goes."""
    ecs_client.create_cluster()
    ecs_client.create_service(
        serviceName="web", desiredCount=1, deploymentController={"type": "EXTERNAL"}
    )
    here = {"cluster": "default", "service": "web"}
    sets = {}
    for version, group in (("1", BLUE), ("2", GREEN)):
        balancer = {"targetGroupArn": group, "containerName": "web", "containerPort": 8080}
        sets[group] = ecs_client.create_task_set(
            **here,
            taskDefinition=deploy(version),
            loadBalancers=[balancer],
            scale={"unit": "PERCENT", "value": 100},
        )["taskSet"]
    kecs.wait_stable("web")
    blue, green = kecs.load_balancer(BLUE), kecs.load_balancer(GREEN)
    assert (answers(blue, 3), answers(green, 2)) == ({"1": 3}, {"2": 2})
    assert blue.counts() == {sets[BLUE]["taskSetArn"]: 3}
    assert green.weights() == {GREEN: 100.0}
    with asking(green) as found:
        ecs_client.update_service_primary_task_set(**here, primaryTaskSet=sets[GREEN]["id"])
        ecs_client.delete_task_set(**here, taskSet=sets[BLUE]["id"], force=True)
        kecs.wait_stable("web")
        wait_for(lambda: found["2"] > 2, "green never answered")
    assert set(found) == {"2"}
    with pytest.raises(AdminError, match="no service has the target group"):
        blue.weights()
