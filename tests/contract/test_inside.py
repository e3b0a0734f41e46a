"""What a container learns about itself (ecs-facts 17)."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

import pytest
from steps import wait_for

from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.documented

ASK = """
import json, os, sys, time, urllib.error, urllib.request
def ask(path, base="ECS_CONTAINER_METADATA_URI_V4", method="GET", body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(os.environ[base] + path, data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return {"status": error.code, "body": error.read().decode()}
def say(value):
    print(json.dumps(value), flush=True)
"""


def run(kecs: Kecs, register: Any, python: Any, script: str, **more: Any) -> Any:
    """Run the script in a task; what it said, one JSON value for each line."""
    image, interpreter = python
    app = {"image": image, "command": [interpreter, "-c", ASK + script], **more.pop("app", {})}
    task = kecs.run_task(register("inside", task=more.pop("task", None), app=app), **more)
    kecs.assert_stopped(task, exit_code=0)
    return task, [json.loads(line) for line in kecs.logs(task, "app", "stdout").splitlines()]


def test_the_container(kecs: Kecs, register: Any, python: Any) -> None:
    app = {"dockerLabels": {"team": "x"}, "cpu": 10, "memory": 96}
    script = """
say(ask(''))
later = ask('')
while 'StartedAt' not in later: later = ask('')  # the agent has heard that it runs
say(later)
"""
    task, [seen, later] = run(kecs, register, python, script, app=app)
    assert seen["KnownStatus"] == later["KnownStatus"] == "RUNNING"
    assert seen["DockerId"] == later["DockerId"]
    [network] = later["Networks"]
    assert network["NetworkMode"] == "bridge"
    [address] = network["IPv4Addresses"]
    assert not ipaddress.ip_address(address).is_unspecified
    assert seen["Name"] == "app"
    assert seen["Image"] == python[0]
    assert re.fullmatch("sha256:[0-9a-f]{64}", later["ImageID"])
    assert seen["ContainerARN"] == task["containers"][0]["containerArn"]
    assert seen["DesiredStatus"] == "RUNNING"
    assert seen["Type"] == "NORMAL"
    assert seen["Limits"] == {"CPU": 10, "Memory": 96}
    assert seen["Labels"]["team"] == "x"
    assert seen["Labels"]["com.amazonaws.ecs.task-arn"] == task.arn
    assert seen["Labels"]["com.amazonaws.ecs.container-name"] == "app"
    assert "ExitCode" not in seen
    assert "RestartCount" not in seen


def test_the_task(kecs: Kecs, register: Any, python: Any) -> None:
    script = "say(ask('/task')); say(ask('/taskWithTags'))"
    task, [plain, tagged] = run(
        kecs, register, python, script, tags=[{"key": "owner", "value": "me"}]
    )
    assert plain["TaskARN"] == task.arn
    assert plain["KnownStatus"] == "RUNNING"
    assert [each["KnownStatus"] for each in plain["Containers"]] == ["RUNNING"]
    assert plain["Family"] == "inside"
    assert plain["Revision"] == "1"
    assert [each["Name"] for each in plain["Containers"]] == ["app"]
    assert "TaskTags" not in plain
    assert tagged["TaskTags"] == {"owner": "me"}


def test_who_asks_too_often(kecs: Kecs, register: Any, python: Any) -> None:
    script = """
answers = [ask('')]
while 'status' not in answers[-1]: answers.append(ask(''))
say([len(answers), answers[-1]])
"""
    _, [[asked, refused]] = run(kecs, register, python, script)
    assert asked > 60
    assert refused == {"status": 429, "body": "You have reached maximum request limit."}


def test_the_clock_of_a_task_on_fargate(kecs: Kecs, register: Any, python: Any) -> None:
    task = {
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
    }
    _, [seen] = run(kecs, register, python, "say(ask('/task'))", task=task)
    assert seen["ClockDrift"]["ClockSynchronizationStatus"] in ("SYNCHRONIZED", "NOT_SYNCHRONIZED")


def test_a_task_runs_when_all_of_it_does(kecs: Kecs, register: Any, python: Any) -> None:
    image, interpreter = python
    tell = [interpreter, "-c", ASK + "say(ask('/task'))"]
    after = [{"containerName": "first", "condition": "SUCCESS"}]
    family = register(
        "two",
        first={"image": image, "command": tell, "essential": False},
        second={"image": image, "command": tell, "dependsOn": after},
    )
    task = kecs.run_task(family)
    assert kecs.wait_stopped(task).exit_codes == {"first": 0, "second": 0}
    first, second = (json.loads(kecs.logs(task, name, "stdout")) for name in ("first", "second"))
    known = {each["Name"]: each["KnownStatus"] for each in first["Containers"]}
    assert (first["KnownStatus"], known["first"]) == ("NONE", "RUNNING")
    assert known["second"] in ("NONE", "PULLED")
    known = {each["Name"]: each["KnownStatus"] for each in second["Containers"]}
    assert (second["KnownStatus"], known) == ("RUNNING", {"first": "STOPPED", "second": "RUNNING"})


def test_statistics(kecs: Kecs, register: Any, python: Any) -> None:
    script = """
x = b'x' * (30 * 2**20)
while (ask('/stats') or {'memory_stats': {'usage': 0}})['memory_stats']['usage'] < 30 * 2**20:
    time.sleep(0.2)
for _ in range(2): say(ask('/stats'))
say(ask('/task/stats'))
"""
    _, [first, second, of_task] = run(kecs, register, python, script, app={"memory": 128})
    assert first["memory_stats"]["usage"] > 30 * 2**20
    assert first["memory_stats"]["limit"] == 128 * 2**20
    assert second["preread"] == first["read"] <= second["read"]
    used = second["cpu_stats"]["cpu_usage"]["total_usage"]
    assert used >= second["precpu_stats"]["cpu_usage"]["total_usage"] > 0
    assert {key: each["name"] for key, each in of_task.items()} == {first["id"]: "app"}


def test_what_a_task_on_fargate_stores(kecs: Kecs, register: Any, python: Any) -> None:
    """kubelet counts every few seconds."""
    script = """
open('file', 'wb').write(bytes(5 * 2**20))
while (ask('/task').get('EphemeralStorageMetrics') or {'Utilized': 0})['Utilized'] < 5:
    time.sleep(0.2)
say(ask('/task'))
"""
    sizes = {"cpu": "256", "memory": "512", "ephemeralStorage": {"sizeInGiB": 21}}
    fargate = {"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], **sizes}
    image, interpreter = python
    app = {"image": image, "command": [interpreter, "-c", ASK + script]}
    task = kecs.run_task(register("stores", fargate, app=app))
    kecs.assert_stopped(task, exit_code=0)
    stored = json.loads(kecs.logs(task, stream="stdout"))["EphemeralStorageMetrics"]
    assert (5 <= stored["Utilized"] < 500, stored["Reserved"]) == (True, 21 * 1024)


def test_credentials_of_the_tasks_role(kecs: Kecs, register: Any, python: Any) -> None:
    role = "arn:aws:iam::123456789012:role/worker"
    script = """
name = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
if name not in os.environ:
    os.environ[name] = "http://169.254.170.2" + os.environ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
say(ask("", name))
say(ask("x", name))
"""
    _, [credentials, unknown] = run(kecs, register, python, script, task={"taskRoleArn": role})
    assert credentials["RoleArn"] == role
    assert {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"} <= credentials.keys()
    assert unknown["status"] == 400
    assert json.loads(unknown["body"])["code"] == "InvalidIdInRequest"


def test_no_role_no_credentials(kecs: Kecs, register: Any, python: Any) -> None:
    _, [names] = run(kecs, register, python, "say(list(os.environ))")
    assert not [name for name in names if "CREDENTIALS" in name]


def test_an_unknown_container(kecs: Kecs, register: Any, python: Any) -> None:
    _, [seen] = run(kecs, register, python, "say(ask('0'))")
    assert seen["status"] == 404


@pytest.mark.parametrize(
    "wrong", [{}, {"ProtectionEnabled": "yes"}, {"ProtectionEnabled": True, "ExpiresInMinutes": 0}]
)
def test_protection_that_is_refused(
    kecs: Kecs, register: Any, python: Any, wrong: dict[str, Any]
) -> None:
    script = f"say(ask('/task-protection/v1/state', 'ECS_AGENT_URI', 'PUT', {wrong!r}))"
    _, [seen] = run(kecs, register, python, script)
    assert seen["status"] == 400


def test_a_protected_task_survives_scale_in(
    kecs: Kecs, register: Any, python: Any, ecs_client: Any
) -> None:
    image, interpreter = python
    script = """
put = {'failure': 'the agent may not have heard yet that the container runs'}
while 'failure' in put:
    put = ask('/task-protection/v1/state', 'ECS_AGENT_URI', 'PUT', {'ProtectionEnabled': True})
    time.sleep(0.1)  # More than 40 requests a second would be refused.
say(put)
say(ask('/task-protection/v1/state', 'ECS_AGENT_URI'))
time.sleep(600)
"""
    idle = [interpreter, "-c", "import time; time.sleep(600)"]
    app = {"image": image, "command": idle, "stopTimeout": 2}
    family = register("keeper", app=app)
    cluster = kecs.run_task(family)["clusterArn"]
    register("keeper", app={**app, "command": [interpreter, "-c", ASK + script]})
    ecs_client.create_service(
        cluster=cluster, serviceName="keeper", taskDefinition="keeper:2", desiredCount=1
    )
    service = kecs.assert_service_stable("keeper", cluster=cluster)
    [arn] = ecs_client.list_tasks(cluster=cluster, serviceName="keeper")["taskArns"]
    wait_for(lambda: len(kecs.logs(arn).splitlines()) == 2, "the task never said a word")
    put, got = map(json.loads, kecs.logs(arn).splitlines())
    assert put == got
    assert got["protection"]["ProtectionEnabled"] is True
    assert got["protection"]["TaskArn"] == arn
    seen = ecs_client.get_task_protection(cluster=cluster, tasks=[arn])
    assert seen["protectedTasks"][0]["protectionEnabled"] is True
    ecs_client.update_service(cluster=cluster, service="keeper", desiredCount=0)
    assert kecs.exec(arn, [interpreter, "-c", "pass"]).exit_code == 0
    assert kecs.describe(arn).last_status == "RUNNING"
    kecs.advance_clock(121 * 60)
    kecs.assert_stopped(arn, stop_code="ServiceSchedulerInitiated")
    assert service["desiredCount"] == 1


def test_fault_injection_as_the_agent_has_it(
    kecs: Kecs, register: Any, python: Any, network: str
) -> None:
    """A latency is for networks of tasks of their own; where the agent's tools failed, it says no
    more than this.
    """
    latency = {"DelayMilliseconds": 1, "JitterMilliseconds": 0, "Sources": ["10.0.0.1"]}
    path = "'/fault/v1/network-latency/start', 'ECS_AGENT_URI', 'POST'"
    _, [seen] = run(kecs, register, python, f"say(ask({path}, {{}}))")
    assert seen["status"] == 400
    assert "required parameter DelayMilliseconds is missing" in seen["body"]
    ask = f"say(ask({path}, {latency}))"
    task, [seen] = run(kecs, register, python, ask)
    assert seen["status"] == 400
    assert f"enableFaultInjection is not enabled for task: {task.arn}" in seen["body"]
    _, [seen] = run(kecs, register, python, ask, task={"enableFaultInjection": True})
    assert "bridge mode is not supported. Please use either host or awsvpc mode." in seen["body"]
    given = {"enableFaultInjection": True, "networkMode": "awsvpc"}
    again = f"{ask}\nsay(ask({path}, {latency})['status'])"
    _, [seen, status] = run(kecs, register, python, again, task=given)
    assert status == 429
    if network == "task":
        assert seen == {"Status": "running"}
    else:
        assert (seen["status"], json.loads(seen["body"])) == (500, {"Error": "internal error"})
