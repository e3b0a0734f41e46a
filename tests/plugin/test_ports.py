"""Programs of the process engine that share one localhost, and what a report says of them."""

from __future__ import annotations

import socket
import sys
import urllib.request
from typing import Any

import pytest
from inner_runs import run

from pytest_kecs.kecs import Kecs
from pytest_kecs.waiting import WaitTimeout

pytestmark = pytest.mark.kecs(engine="process")


def register(ecs_client: Any, *command: str, mode: str = "awsvpc") -> str:
    container = {
        "name": "web",
        "image": "shop/web:1",
        "memory": 64,
        "portMappings": [{"containerPort": 8080}],
    }
    if command:
        container["command"] = list(command)
    ecs_client.register_task_definition(
        family="web", networkMode=mode, containerDefinitions=[container]
    )
    return "web"


@pytest.mark.skipif(sys.platform != "linux", reason="there is 127.0.0.1 alone")
def test_awsvpc_tasks_have_addresses_of_their_own(kecs: Kecs, ecs_client: Any) -> None:
    kecs.map_image("shop/web:*", "{python} -m http.server --bind {host} {port:8080}")
    family = register(ecs_client)
    tasks = kecs.run_tasks(family, count=2)
    for task in tasks:
        url = kecs.url(task)
        [interface] = kecs.describe(task).containers["web"]["networkInterfaces"]
        assert url == f"http://{interface['privateIpv4Address']}:8080"
        assert interface["privateIpv4Address"] != "127.0.0.1"
        with urllib.request.urlopen(url, timeout=20) as answer:
            assert answer.status == 200


def test_what_listens_at_localhost_is_reached_by_a_forwarder(kecs: Kecs, ecs_client: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kecs.map_image("shop/web:*", f"{{python}} -m http.server --bind 127.0.0.1 {port}")
    url = kecs.url(kecs.run_task(register(ecs_client)), port=port)
    assert url.startswith("http://127.0.0.1:")
    assert not url.endswith(f":{port}")
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert answer.status == 200


def test_who_listens_in_the_tasks_place_is_named(kecs: Kecs, ecs_client: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as ours:
        port = ours.getsockname()[1]
        task = kecs.run_task(register(ecs_client, "sleep", "600"))
        with pytest.raises(WaitTimeout) as raised:
            kecs.url(task, port=port, timeout=0.5)
    text = str(raised.value)
    assert f"what listens on port {port} is process " in text
    assert (
        f"at $KECS_HOST and $KECS_PORT_{port}, in a stand-in {{host}} and {{port:{port}}}" in text
    )


def test_the_report_says_what_to_write_when_two_listen_on_one_port(
    pytester: pytest.Pytester,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as ours:
        port = ours.getsockname()[1]
        pytester.makepyfile(
            f"""
            def test_two(ecs_client, kecs):
                ecs_client.register_task_definition(
                    family="web",
                    networkMode="awsvpc",
                    containerDefinitions=[{{
                        "name": "web", "image": "web", "memory": 64,
                        "portMappings": [{{"containerPort": {port}}}],
                        "command": ["{sys.executable}", "-m", "http.server", "{port}"],
                    }}],
                )
                kecs.assert_running(kecs.run_task("web"))
                kecs.url(kecs.run_task("web"))
            """
        )
        result = run(pytester)
    result.stdout.fnmatch_lines(
        [
            f"*web: its port {port} is in use on this machine, which all tasks share; let the "
            f"program listen where it is told, at $KECS_HOST and $KECS_PORT_{port}, in a stand-in "
            f"{{host}} and {{port:{port}}}*"
        ]
    )
