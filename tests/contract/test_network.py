"""What is reported of a task's network can be reached, and leads to that task."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from steps import wait_for

from pytest_kecs.errors import AdminError
from pytest_kecs.kecs import Kecs
from pytest_kecs.task import Task
from pytest_kecs.waiting import WaitError
from pytest_kecs.waiting import WaitTimeout

# Answers every request with who it is; listens on the port of its argument, by default 8080.
WEB = """
import http.server, json, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps([os.environ["NAME"], self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
port = os.environ["KECS_PORT_" + (sys.argv[1:] or ["8080"])[0]]
address = os.environ["KECS_HOST"], int(port)
http.server.ThreadingHTTPServer.request_queue_size = 128
http.server.ThreadingHTTPServer(address, Handler).serve_forever()
"""

# Reads to the end, or as many bytes as it is told; answers with the length and digest of all, and
# as much again.
DIGEST = """
import hashlib, os, socket, sys
listener = socket.create_server((os.environ["KECS_HOST"], int(os.environ["KECS_PORT_8080"])))
while True:
    peer, _ = listener.accept()
    digest, size = hashlib.sha256(), 0
    while size < int(sys.argv[1]) and (chunk := peer.recv(1 << 16)):
        digest.update(chunk)
        size += len(chunk)
    peer.sendall(b"%d %s\\n" % (size, digest.hexdigest().encode()))
    peer.sendall(bytes(size))
    peer.close()
"""

LISTEN = """
import os, socket, sys, time
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("listens", flush=True)
time.sleep(600)
"""

Define = Callable[..., str]


@pytest.fixture
def define(ecs_client: Any, python: tuple[str, str]) -> Define:
    """Register a definition of containers that run a Python program; returns its family."""
    image, interpreter = python

    def define(mode: str = "bridge", /, **containers: Any) -> str:
        definitions = []
        for name, given in containers.items():
            program, *arguments = given.pop("program", [""])
            definition = {
                "name": name,
                "image": image,
                "memory": 64,
                "command": [interpreter, "-c", program, *arguments],
                "environment": [{"name": "NAME", "value": name}],
                "stopTimeout": 2,
                **given,
            }
            definitions.append(definition)
        ecs_client.register_task_definition(
            family="net", networkMode=mode, containerDefinitions=definitions
        )
        return "net"

    return define


def web(*mappings: Any) -> dict[str, Any]:
    return {"program": [WEB], "portMappings": list(mappings or [{"containerPort": 8080}])}


def fetch(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.loads(answer.read())


def bindings_of(task: Task, container: str = "web") -> list[dict[str, Any]]:
    return list(task.containers[container]["networkBindings"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_dynamic_host_port_leads_to_the_container(kecs: Kecs, define: Define) -> None:
    task = kecs.run_task(define(web=web()))
    url = kecs.url(task)
    [binding] = bindings_of(kecs.describe(task))
    assert binding["bindIP"] == "0.0.0.0"
    assert binding["containerPort"] == 8080
    assert binding["protocol"] == "tcp"
    assert url == f"http://127.0.0.1:{binding['hostPort']}"
    assert fetch(f"{url}/a?b=c") == ["web", "/a?b=c"]


def test_a_fixed_host_port_leads_to_the_container(kecs: Kecs, define: Define) -> None:
    port = free_port()
    task = kecs.run_task(define(web=web({"containerPort": 8080, "hostPort": port})))
    kecs.url(task)
    [binding] = bindings_of(kecs.describe(task))
    assert binding["hostPort"] == port
    assert fetch(f"http://127.0.0.1:{port}/")[0] == "web"


def test_a_host_port_can_be_the_containers_own(
    kecs: Kecs, define: Define, python: tuple[str, str]
) -> None:
    """Also for a program that knows nothing of what it is told, and listens everywhere."""
    port = free_port()
    server = {
        "command": [python[1], "-m", "http.server", str(port)],
        "portMappings": [{"containerPort": port, "hostPort": port}],
    }
    task = kecs.run_task(define(web=server))
    assert kecs.url(task) == f"http://127.0.0.1:{port}"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
        assert answer.status == 200


def test_two_tasks_of_one_service_side_by_side(kecs: Kecs, define: Define, ecs_client: Any) -> None:
    ecs_client.create_cluster(clusterName="default")
    family = define(web=web())
    ecs_client.create_service(serviceName="web", taskDefinition=family, desiredCount=2)
    kecs.wait_stable("web")
    arns = ecs_client.list_tasks(serviceName="web")["taskArns"]
    urls = {kecs.url(arn) for arn in arns}
    assert len(urls) == 2
    for url in urls:
        assert fetch(url)[0] == "web"


def test_an_awsvpc_task_has_an_address_and_an_interface(kecs: Kecs, define: Define) -> None:
    tasks = kecs.run_tasks(define("awsvpc", web=web()), count=2)
    for begun in tasks:
        [attachment] = begun["attachments"]
        assert attachment["status"] == "PRECREATED"
        assert [detail["name"] for detail in attachment["details"]] == ["subnetId"]
    urls = {kecs.url(task) for task in tasks}
    assert len(urls) == 2
    addresses = set()
    for task in tasks:
        seen = kecs.describe(task)
        assert bindings_of(seen) == []
        [attachment] = seen["attachments"]
        details = {detail["name"]: detail["value"] for detail in attachment["details"]}
        assert attachment["status"] == "ATTACHED"
        assert attachment["type"] == "ElasticNetworkInterface"
        assert seen["connectivityAt"]
        [interface] = seen.containers["web"]["networkInterfaces"]
        assert interface == {
            "attachmentId": attachment["id"],
            "privateIpv4Address": details["privateIPv4Address"],
        }
        addresses.add(details["privateIPv4Address"])
        assert fetch(kecs.url(task))[0] == "web"
    assert len(addresses) == 2


def test_the_interface_is_deleted_with_the_task(
    kecs: Kecs, define: Define, ecs_client: Any
) -> None:
    task = kecs.run_task(define("awsvpc", web=web()))
    kecs.url(task)
    ecs_client.stop_task(task=task.arn)
    stopped = kecs.wait_stopped(task)
    assert stopped["attachments"][0]["status"] == "DELETED"


def test_host_mode_has_the_containers_port(kecs: Kecs, define: Define) -> None:
    port = free_port()
    server = {"program": [WEB, str(port)], "portMappings": [{"containerPort": port}]}
    task = kecs.run_task(define("host", web=server))
    url = kecs.url(task)
    [binding] = bindings_of(kecs.describe(task))
    assert (binding["containerPort"], binding["hostPort"]) == (port, port)
    assert url == f"http://127.0.0.1:{port}"
    assert fetch(url)[0] == "web"


def test_no_network_no_bindings(kecs: Kecs, define: Define) -> None:
    task = kecs.run_task(define("none", web={"program": ["import time; time.sleep(600)"]}))
    running = kecs.wait_running(task)
    assert bindings_of(running) == []
    assert running["attachments"] == []


def test_a_range_of_ports(kecs: Kecs, define: Define) -> None:
    server = {
        "program": [LISTEN, "0.0.0.0", "8082"],
        "portMappings": [{"containerPortRange": "8081-8083"}],
    }
    task = kecs.run_task(define(web=server))
    url = kecs.url(task, port=8082)
    [binding] = bindings_of(kecs.describe(task))
    assert binding["containerPortRange"] == "8081-8083"
    first, last = map(int, binding["hostPortRange"].split("-"))
    assert last - first == 2
    assert not {"containerPort", "hostPort"} & binding.keys()
    assert url == f"http://127.0.0.1:{first + 1}"


def test_much_data_both_ways_and_an_end_in_one_direction(
    kecs: Kecs, define: Define, engine: str
) -> None:
    """The far side answers only once it has read all, which it knows from the end of what we send;
    the API server does not hand on an end, so there it is told how much to expect.
    """
    sent = hashlib.sha256(b"seed").digest() * (1 << 19)  # 16 MiB
    expected = len(sent) + 1 if engine == "process" else len(sent)
    task = kecs.run_task(define(web={**web(), "program": [DIGEST, str(expected)]}))
    host, _, port = kecs.url(task, scheme="tcp").removeprefix("tcp://").partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as peer:
        peer.sendall(sent)
        if engine == "process":
            peer.shutdown(socket.SHUT_WR)
        with peer.makefile("rb") as answer:
            size, digest = answer.readline().split()
            back = answer.read()
    assert int(size) == len(sent)
    assert digest.decode() == hashlib.sha256(sent).hexdigest()
    assert len(back) == len(sent)


def test_many_connections_at_once(kecs: Kecs, define: Define, engine: str) -> None:
    count = 100 if engine == "process" else 20
    task = kecs.run_task(define(web=web()))
    url = kecs.url(task)
    gate = threading.Barrier(10)

    def ask(number: int) -> Any:
        gate.wait(20)
        return fetch(f"{url}/{number}")

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(ask, range(count)))
    assert answers == [["web", f"/{number}"] for number in range(count)]


def test_what_a_task_sent_last_arrives(kecs: Kecs, define: Define) -> None:
    """Though it ends right after."""
    program = """
import os, socket
listener = socket.create_server((os.environ["KECS_HOST"], int(os.environ["KECS_PORT_8080"])))
print("listens", flush=True)
peer, _ = listener.accept()
peer.recv(1)
peer.sendall(bytes(1 << 20))
"""
    task = kecs.run_task(define(web={**web(), "program": [program]}))
    wait_for(lambda: "listens" in kecs.logs(task), "never listened")
    [binding] = bindings_of(kecs.wait_running(task))
    with socket.create_connection(("127.0.0.1", binding["hostPort"]), timeout=20) as peer:
        peer.sendall(b"x")
        received = 0
        while chunk := peer.recv(1 << 16):
            received += len(chunk)
    assert received == 1 << 20
    kecs.assert_stopped(task, exit_code=0)


def test_the_host_port_is_free_when_the_task_has_stopped(
    kecs: Kecs, define: Define, ecs_client: Any
) -> None:
    task = kecs.run_task(define(web=web()))
    kecs.url(task)
    [binding] = bindings_of(kecs.describe(task))
    ecs_client.stop_task(task=task.arn)
    assert bindings_of(kecs.wait_stopped(task)) == [binding]
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", binding["hostPort"]))


def test_a_host_port_is_given_once(kecs: Kecs, define: Define, ecs_client: Any) -> None:
    port = free_port()
    family = define(web=web({"containerPort": 8080, "hostPort": port}))
    task = kecs.run_task(family)
    answer = ecs_client.run_task(taskDefinition=family, count=2)
    assert answer["tasks"] == []
    assert [failure["reason"] for failure in answer["failures"]] == ["RESOURCE:PORTS"] * 2
    assert ":container-instance/default/" in answer["failures"][0]["arn"]
    ecs_client.stop_task(task=task.arn)
    kecs.wait_stopped(task)
    again = kecs.run_task(family)
    assert fetch(kecs.url(again))[0] == "web"


def test_a_service_says_that_a_host_port_is_taken(
    kecs: Kecs, define: Define, ecs_client: Any
) -> None:
    ecs_client.create_cluster(clusterName="default")
    family = define(web=web({"containerPort": 8080, "hostPort": free_port()}))
    ecs_client.create_service(serviceName="web", taskDefinition=family, desiredCount=2)
    wait_for(
        lambda: any(
            "is already using a port required by your task" in event["message"]
            for event in ecs_client.describe_services(services=["web"])["services"][0]["events"]
        ),
        "no event tells of the port",
    )
    [arn] = ecs_client.list_tasks(serviceName="web")["taskArns"]
    assert fetch(kecs.url(arn))[0] == "web"
    ecs_client.update_service(service="web", desiredCount=1)
    kecs.wait_stable("web")


def test_a_host_port_of_somebody_else(kecs: Kecs, define: Define) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        task = kecs.run_task(define(web=web({"containerPort": 8080, "hostPort": port})))
        stopped = kecs.assert_stopped(task, stop_code="TaskFailedToStart")
    reason = stopped.containers["web"]["reason"]
    assert reason.startswith("CannotStartContainerError: Error response from daemon: driver failed")
    assert reason.endswith(f"0.0.0.0:{port}: bind: address already in use")
    assert "exitCode" not in stopped.containers["web"]


def test_containers_reach_each_other(kecs: Kecs, define: Define, engine: str) -> None:
    """By the address that they are told; in a Pod by the name of a link, too."""
    client = """
import os, sys, time, urllib.request
host = (sys.argv[1:] or [os.environ["KECS_PEER_MY_WEB"]])[0]
url = "http://%s:8080/" % host
while True:
    try:
        print(urllib.request.urlopen(url, timeout=10).read().decode())
        break
    except OSError:
        time.sleep(0.05)
"""
    for words in ([], *([] if engine == "process" else [["web"], ["my-web"]])):
        side = {"program": [client, *words], "links": ["my-web:web"]}
        task = kecs.run_task(define(**{"my-web": web(), "client": side}))
        kecs.assert_stopped(task, exit_code=0, container="client")
        assert json.loads(kecs.logs(task, "client"))[0] == "my-web"


def test_datagrams(kecs: Kecs, define: Define, engine: str) -> None:
    program = """
import os, socket
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind((os.environ["KECS_HOST"], 8053))
print("listens", flush=True)
while True:
    data, peer = listener.recvfrom(100)
    listener.sendto(data.upper(), peer)
"""
    mapping = {"containerPort": 8053, "protocol": "udp"}
    task = kecs.run_task(define(dns={"program": [program], "portMappings": [mapping]}))
    wait_for(lambda: "listens" in kecs.logs(task), "never listened")
    [binding] = bindings_of(kecs.describe(task), "dns")
    assert (binding["containerPort"], binding["protocol"]) == (8053, "udp")
    if engine == "process":  # the API server forwards TCP alone
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(20)
            peer.sendto(b"hello", ("127.0.0.1", binding["hostPort"]))
            assert peer.recv(100) == b"HELLO"


def test_url_of_a_port_that_is_not_mapped(kecs: Kecs, define: Define) -> None:
    task = kecs.run_task(define(web={"program": [LISTEN, "127.0.0.1", "8091"]}))
    host, port = kecs.url(task, port=8091).removeprefix("http://").split(":")
    socket.create_connection((host, int(port)), timeout=20).close()


def test_url_of_what_has_stopped(kecs: Kecs, define: Define) -> None:
    program = "print('no such file: settings.toml', flush=True); raise SystemExit(4)"
    task = kecs.run_task(define(web={**web(), "program": [program]}))
    with pytest.raises(WaitError, match="has stopped with exit code 4") as raised:
        kecs.url(task)
    assert "no such file: settings.toml" in str(raised.value)


def test_a_url_must_be_clear(kecs: Kecs, define: Define) -> None:
    sleep = {"program": ["import time; time.sleep(600)"]}
    ports = [{"containerPort": 8080}, {"containerPort": 8081}]
    task = kecs.run_task(define(web={**sleep, "portMappings": ports}, side=dict(sleep)))
    for arguments, text in (
        ({"container": "nope"}, "the task has no container 'nope'; it has web, side"),
        ({"port": 9}, "the task has several containers, say which: web, side"),
        ({}, "say which port of the container web: it has 8080, 8081"),
        ({"container": "side"}, "say which port of the container side: it maps none"),
        ({"port": 70000}, "port is a number from 1 to 65535, not 70000"),
    ):
        with pytest.raises(AdminError, match=re.escape(text)):
            kecs.url(task, **arguments)


def test_two_that_listen_on_one_port(kecs: Kecs, define: Define, network: str) -> None:
    """Containers share a localhost, in a Pod and on this machine; the report says so."""
    port = str(free_port())
    server = {"program": [LISTEN, "0.0.0.0", port], "portMappings": [{"containerPort": int(port)}]}
    task = kecs.run_task(define(one=dict(server), two=dict(server)))
    with pytest.raises(AssertionError) as raised:
        kecs.assert_stopped(task, exit_code=0, container="one")
    shared = f"in the {network}, whose containers share one localhost"
    where = "on this machine" if network == "machine" else shared
    assert f": its port {port} is in use {where}" in str(raised.value)


def test_url_of_what_never_listens(kecs: Kecs, define: Define) -> None:
    program = "import time; time.sleep(600)"
    task = kecs.run_task(define(web={**web(), "program": [program]}))
    kecs.wait_running(task)
    with pytest.raises(WaitTimeout, match="cannot be reached"):
        kecs.url(task, timeout=0.5)
