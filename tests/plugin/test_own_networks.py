"""`netns`: tasks of the process engine with networks of their own, where the system has that."""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from inner_runs import Processes
from inner_runs import assert_gone
from inner_runs import run

from pytest_kecs.kecs import Kecs
from pytest_kecs.task import Task
from pytest_kecs.waiting import WaitTimeout

pytestmark = pytest.mark.kecs(engine="process", netns=True)

# Listens where it is told, tells every peer who it is and where, with what it was sent.
SERVE = """
import json, os, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
listener = socket.create_server((sys.argv[1], 8080), family=family)
print("listens", flush=True)
while True:
    peer, _ = listener.accept()
    who = [os.environ["NAME"], os.readlink("/proc/self/ns/net"), os.getuid()]
    peer.sendall(json.dumps(who).encode())
    peer.close()
"""
ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20) as peer:
    print(peer.makefile().read())
"""
IDLE = "import time; time.sleep(600)"

ipv6 = pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="no IPv6 here")

Define = Callable[..., str]


@pytest.fixture(autouse=True, scope="module")
def _networks() -> None:
    from kecs_server.engines.base import EngineError
    from kecs_server.engines.process.namespaces import Namespaces

    try:
        Namespaces({}).close()
    except EngineError as error:
        pytest.skip(str(error))


@pytest.fixture
def define(ecs_client: Any) -> Define:
    """Register a definition of Python programs with arguments; returns its family."""

    def define(mode: str = "awsvpc", /, task: Any = None, **containers: Any) -> str:
        definitions = []
        for name, given in containers.items():
            program, *arguments = given.pop("program")
            environment = [{"name": "NAME", "value": name}, *given.pop("environment", ())]
            definitions.append(
                {
                    "name": name,
                    "image": "python",
                    "memory": 64,
                    "command": [sys.executable, "-c", program, *arguments],
                    "environment": environment,
                    "stopTimeout": 2,
                    **given,
                }
            )
        ecs_client.register_task_definition(
            family="net", networkMode=mode, containerDefinitions=definitions, **(task or {})
        )
        return "net"

    return define


def serve(address: str = "0.0.0.0", **more: Any) -> dict[str, Any]:
    return {"program": [SERVE, address], "portMappings": [{"containerPort": 8080}], **more}


def ask(url: str, timeout: float = 20) -> Any:
    host, _, port = url.rpartition("/")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=timeout) as peer:
        return json.loads(peer.makefile().read())


def run_inside(kecs: Kecs, task: Task, container: str, program: str, *arguments: str) -> str:
    result = kecs.exec(task, [sys.executable, "-c", program, *arguments], container=container)
    assert result.exit_code == 0, result.output
    return str(result.output)


@pytest.mark.parametrize("mode", ["awsvpc", "bridge"])
@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", pytest.param("::", marks=ipv6)])
def test_tasks_listen_on_one_port_side_by_side(
    kecs: Kecs, define: Define, mode: str, address: str
) -> None:
    tasks = kecs.run_tasks(define(mode, web=serve(address)), count=2)
    urls = [kecs.url(task) for task in tasks]
    seen = {tuple(ask(url)) for url in urls}
    assert {(name, uid) for name, _, uid in seen} == {("web", os.getuid())}
    networks = {network for _, network, _ in seen}
    assert len(networks | {os.readlink("/proc/self/ns/net")}) == 3
    for task, url in zip(tasks, urls, strict=True):
        web = kecs.describe(task).containers["web"]
        if mode == "awsvpc":
            [interface] = web["networkInterfaces"]
            assert url == f"http://{interface['privateIpv4Address']}:8080"
        else:
            [binding] = web["networkBindings"]
            assert url == f"http://127.0.0.1:{binding['hostPort']}"


def test_a_host_port_that_is_the_containers_too(kecs: Kecs, define: Define) -> None:
    """Though the server holds that of the machine, the program listens everywhere."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mapping = {"containerPort": port, "hostPort": port}
    web = {"program": [SERVE.replace("8080", str(port)), "0.0.0.0"], "portMappings": [mapping]}
    task = kecs.run_task(define("bridge", web=web))
    assert kecs.url(task) == f"http://127.0.0.1:{port}"
    assert ask(kecs.url(task))[0] == "web"


def test_containers_of_a_task_share_a_localhost(kecs: Kecs, define: Define) -> None:
    """In bridge mode too, where links are names of it; health checks run there as well."""
    check = (
        f"'{sys.executable}' -c 'import socket; socket.create_connection((\"localhost\", 8080))'"
    )
    web = serve("127.0.0.1", healthCheck={"command": ["CMD-SHELL", check]})
    side = {
        "program": [IDLE],
        "links": ["web:shop"],
        "extraHosts": [{"hostname": "extra", "ipAddress": "10.9.9.9"}],
    }
    task = kecs.run_task(define("bridge", web=web, side=side))
    kecs.assert_healthy(task)
    for host in ("localhost", "shop", "web"):
        assert json.loads(run_inside(kecs, task, "side", ASK, host, "8080"))[0] == "web"
    resolve = "import socket; print(socket.gethostbyname('extra'))"
    assert run_inside(kecs, task, "side", resolve).strip() == "10.9.9.9"
    with pytest.raises(WaitTimeout, match="is not of the container"):
        kecs.url(task, container="side", port=8080, timeout=0.3)


def test_two_containers_on_one_port_are_told_so(kecs: Kecs, define: Define) -> None:
    task = kecs.run_task(define("bridge", one=serve(), two=serve()))
    with pytest.raises(AssertionError) as raised:
        kecs.assert_stopped(task, exit_code=0, container="one")
    assert ": its port 8080 is in use in the task, whose containers share one" in str(raised.value)


def test_a_port_that_is_not_mapped(kecs: Kecs, define: Define) -> None:
    task = kecs.run_task(define(web=serve("127.0.0.1", portMappings=[])))
    url = kecs.url(task, port=8080)
    assert url.startswith("http://127.0.0.1:")
    assert ask(url)[0] == "web"


@pytest.mark.parametrize("is_secret", [False, True], ids=["environment", "secrets"])
def test_the_machines_services_are_reached_by_name(
    kecs: Kecs, define: Define, *, is_secret: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as database:
        port = str(database.getsockname()[1])
        kecs.set_secret("db-port", port)
        environment = [{"name": "DB_HOST", "value": "host.kecs.internal"}]
        secrets = []
        if is_secret:
            secrets = [{"name": "DB_PORT", "valueFrom": "db-port"}]
        else:
            environment.append({"name": "DB_PORT", "value": port})
        program = "import os; import socket; socket.create_connection((os.environ['DB_HOST'], "
        program += "int(os.environ['DB_PORT']))).sendall(b'hello')"
        app = {"program": [program], "environment": environment, "secrets": secrets}
        role = {"executionRoleArn": "arn:aws:iam::123456789012:role/execution"}
        task = kecs.run_task(define(app=app, task=role))
        database.settimeout(20)
        with database.accept()[0] as peer:
            assert peer.recv(5) == b"hello"
        kecs.assert_stopped(task, exit_code=0)
        # Nobody has named it in this one: its localhost is not the machine's.
        task = kecs.run_task(define(app={"program": [ASK, "127.0.0.1", port]}))
        kecs.assert_stopped(task, exit_code=1)
        assert "Connection refused" in kecs.logs(task)


def test_a_task_finds_its_agent_and_role(kecs: Kecs, define: Define) -> None:
    """As an unmodified SDK does, though the agent's port is the task's own at every address."""
    program = """
import boto3, json, os, socket, urllib.request
own = socket.create_server(("0.0.0.0", 80))
base = os.environ["ECS_CONTAINER_METADATA_URI_V4"]
with urllib.request.urlopen(base + "/task", timeout=20) as answer:
    task = json.load(answer)
print(json.dumps([
    base, task["TaskARN"], task["Containers"][0]["Networks"][0]["IPv4Addresses"],
    boto3.client("sts").get_caller_identity()["Arn"],
    boto3.client("ecs").list_tasks()["taskArns"],
]))
"""
    role = {"taskRoleArn": "arn:aws:iam::123456789012:role/app"}
    task = kecs.run_task(define("awsvpc", role, app={"program": [program], "memory": 256}))
    stopped = kecs.assert_stopped(task, exit_code=0)
    base, arn, addresses, caller, arns = json.loads(kecs.logs(task))
    assert base.startswith("http://169.254.170.2/v4/")
    assert arn == task.arn
    [interface] = stopped.containers["app"]["networkInterfaces"]
    assert addresses == [interface["privateIpv4Address"]]
    assert caller.startswith("arn:aws:sts::123456789012:assumed-role/app/")
    assert arns == [task.arn]


def test_a_task_disturbs_its_network(kecs: Kecs, define: Define) -> None:
    """By its agent, which it reaches all the while; who reaches the task is disturbed, too."""
    program = """
import json, os, sys, urllib.request
for path, body in json.loads(sys.argv[1]):
    url = f"{os.environ['ECS_AGENT_URI']}/fault/v1/network-{path}"
    request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
    print(json.load(urllib.request.urlopen(request, timeout=20))["Status"])
"""
    task = kecs.run_task(define("awsvpc", {"enableFaultInjection": True}, web=serve()))
    url = kecs.url(task)
    all_there_is = {"Sources": ["0.0.0.0/0"]}
    latency = {"DelayMilliseconds": 300, "JitterMilliseconds": 0, **all_there_is}
    hole = {"Port": 8080, "Protocol": "tcp", "TrafficType": "ingress"}

    def disturb(*requests: Any) -> list[str]:
        return run_inside(kecs, task, "web", program, json.dumps(requests)).split()

    asked = [("latency/start", latency), ("packet-loss/status", {}), ("latency/status", {})]
    assert disturb(*asked) == ["running", "not-running", "running"]
    began = time.monotonic()
    ask(url)
    assert time.monotonic() - began >= 0.3
    loss = {"LossPercent": 100, **all_there_is}
    asked = [("latency/stop", {}), ("packet-loss/start", loss), ("blackhole-port/start", hole)]
    assert disturb(*asked) == ["stopped", "running", "running"]
    with pytest.raises(TimeoutError):
        ask(url, timeout=0.3)
    assert disturb(("blackhole-port/stop", hole), ("packet-loss/stop", {})) == ["stopped"] * 2
    assert ask(url)[0] == "web"


def test_host_mode_has_the_machines_network(kecs: Kecs, define: Define) -> None:
    task = kecs.run_task(define("host", app={"program": [IDLE]}))
    kecs.wait_running(task)
    read = "import os; print(os.readlink('/proc/self/ns/net'))"
    assert run_inside(kecs, task, "app", read).strip() == os.readlink("/proc/self/ns/net")


def test_mode_none_has_no_way_in_or_out(kecs: Kecs, define: Define) -> None:
    task = kecs.run_task(define("none", app={**serve("127.0.0.1"), "portMappings": []}))
    kecs.wait_running(task)
    with pytest.raises(WaitTimeout, match="nothing leads into a task whose network mode is none"):
        kecs.url(task, port=8080, timeout=0.3)
    program = """
import os, socket
assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9", os.environ
assert not [name for name in os.environ if name.startswith("ECS_")]
for address in ("169.254.170.2", "10.0.2.2", "192.0.2.1"):
    try:
        socket.create_connection((address, 80), timeout=20)
    except OSError as error:
        print(error.strerror)
"""
    assert run_inside(kecs, task, "app", program).split("\n")[:3] == ["Network is unreachable"] * 3


def test_the_rest_of_a_container_stays_as_it_is(kecs: Kecs, define: Define) -> None:
    script = """
: > mine
echo $(id -u) $(id -g) $(stat -c %u mine) $(ulimit -n)
pwd
cat /proc/sys/net/ipv4/ip_unprivileged_port_start
exit 7
"""
    app = {
        "program": [""],
        "command": ["sh", "-c", script],
        "workingDirectory": "/app",
        "ulimits": [{"name": "nofile", "softLimit": 99, "hardLimit": 100}],
    }
    if os.getuid() == 0:
        app["user"] = "12345:12346"
    task = kecs.run_task(define(app=app))
    kecs.assert_stopped(task, exit_code=7)
    first, folder, first_port = kecs.logs(task).splitlines()
    uid, gid, owner, limit = first.split()
    expected = (12345, 12346) if os.getuid() == 0 else (os.getuid(), os.getgid())
    assert (int(uid), int(gid), int(owner)) == (*expected, expected[0])
    assert folder.endswith("/app/work/app")
    assert (limit, first_port) == ("99", "0")


def test_a_container_that_uses_too_much_memory(kecs: Kecs, define: Define) -> None:
    program = "data = bytearray(200 << 20); import time; time.sleep(600)"
    task = kecs.run_task(define(app={"program": [program]}))
    stopped = kecs.assert_stopped(task, exit_code=137)
    assert "OutOfMemoryError" in stopped.containers["app"]["reason"]


def test_netns_is_a_switch(pytester: pytest.Pytester) -> None:
    """For a whole run by option, variable or ini key; and what it reaches."""
    with socket.create_server(("127.0.0.1", 0)) as service:
        port = service.getsockname()[1]
        pytester.makeini(f"[pytest]\nkecs_netns = true\nkecs_netns_reach = {port}\n")
        pytester.makepyfile(
            f"""
            import os, pytest, sys

            ASK = "import os, socket; socket.create_connection(('host.kecs.internal', {port})); "
            READ = "print(os.readlink('/proc/self/ns/net'))"

            def run(ecs_client, kecs, *command):
                ecs_client.register_task_definition(
                    family="app",
                    containerDefinitions=[
                        {{"name": "app", "image": "i", "memory": 64, "command": list(command)}}
                    ],
                )
                task = kecs.run_task("app")
                kecs.assert_stopped(task, exit_code=0)
                return kecs.logs(task).strip()

            def test_own(ecs_client, kecs):
                found = run(ecs_client, kecs, sys.executable, "-c", ASK + READ)
                assert found != os.readlink("/proc/self/ns/net")

            @pytest.mark.kecs(netns=False)
            def test_shared(ecs_client, kecs):
                found = run(ecs_client, kecs, sys.executable, "-c", "import os; " + READ)
                assert found == os.readlink("/proc/self/ns/net")
            """
        )
        run(pytester).assert_outcomes(passed=2)


@pytest.fixture
def few_files() -> Iterator[None]:
    """A low soft limit on open files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_more_ports_than_the_soft_limit_of_files(
    few_files: None, pytester: pytest.Pytester
) -> None:
    """The server raises its own; containers have what they would have had."""
    pytester.makepyfile(
        """
        def test_many(ecs_client, kecs):
            ecs_client.register_task_definition(
                family="app",
                networkMode="bridge",
                containerDefinitions=[
                    {
                        "name": "app",
                        "image": "i",
                        "memory": 64,
                        "command": ["sleep", "600"],
                        "portMappings": [{"containerPortRange": "8000-8400"}],
                    }
                ],
            )
            task = kecs.run_task("app")
            kecs.wait_running(task)
            assert kecs.exec(task, ["sh", "-c", "ulimit -Sn"]).output.strip() == "300"
        """
    )
    run(pytester, "--kecs-netns").assert_outcomes(passed=1)


def test_nothing_is_left_when_the_server_is_killed(
    pytester: pytest.Pytester, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither processes nor networks: those who were in one of them are gone.

    The numbers of networks say nothing afterwards: the kernel gives them to new ones.
    """
    monkeypatch.setenv("PYTEST_KECS_NETNS", "true")
    pytester.makepyfile(
        """
        import os, signal, psutil

        def test_killed(ecs_client, kecs):
            ecs_client.register_task_definition(
                family="app",
                containerDefinitions=[
                    {"name": "app", "image": "i", "memory": 64, "command": ["sleep", "600"]}
                ],
            )
            kecs.wait_running(kecs.run_task("app"))
            own = [p for p in psutil.Process().children(recursive=True)]
            networks = {os.readlink(f"/proc/{p.pid}/ns/net") for p in own}
            networks.remove(os.readlink("/proc/self/ns/net"))
            assert len(networks) == 2  # the task's, and where its maker waits
            with open("inside", "w") as file:
                for process in psutil.process_iter():
                    try:
                        if os.readlink(f"/proc/{process.pid}/ns/net") in networks:
                            print(process.pid, process.create_time(), file=file)
                    except (OSError, psutil.NoSuchProcess):
                        pass
            [server] = [p for p in own if "kecs_server" in p.cmdline()]
            [supervisor] = [p for p in own if "supervisor" in p.cmdline()]
            supervisor.kill()
            server.kill()
            psutil.wait_procs(own, timeout=20)
            assert 0
        """
    )
    run(pytester).assert_outcomes(failed=1)
    assert_gone(processes.now())
    inside = (pytester.path / "inside").read_text().splitlines()
    assert len(inside) >= 2
    assert_gone([process for each in inside for process in same(*each.split())])


def same(pid: str, create_time: str) -> list[psutil.Process]:
    """The process that had this number then, if it is there."""
    try:
        process = psutil.Process(int(pid))
        return [process] if process.create_time() == float(create_time) else []
    except psutil.NoSuchProcess:
        return []
