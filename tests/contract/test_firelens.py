"""The log driver awsfirelens: lines go to the router of their task, which here writes to its own
log what it is sent.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import Any

import msgpack
import pytest

from pytest_kecs.kecs import Kecs

ROUTER = """
import os, socket, sys, threading, time
time.sleep(float(sys.argv[1]))
server = socket.create_server((os.environ["KECS_HOST"], int(os.environ["KECS_PORT_24224"])))
def serve(number, connection):
    while data := connection.recv(65536):
        os.write(1, f"{number} {data.hex()}\\n".encode())
    connection.close()
for number in range(100):
    threading.Thread(target=serve, args=(number, server.accept()[0]), daemon=True).start()
"""

SPEAK = """
import os, socket, time
while True:
    try:
        where = os.environ["FLUENT_HOST"], os.environ["FLUENT_PORT"]
        socket.create_connection(where).sendall(b"abc")
        break
    except ConnectionRefusedError:
        time.sleep(0.05)
time.sleep(1000)
"""

TO_ROUTER = {"logConfiguration": {"logDriver": "awsfirelens", "options": {"Name": "null"}}}


@pytest.fixture
def router(python: tuple[str, str]) -> dict[str, Any]:
    """A container that begins to listen a little after its start."""
    image, interpreter = python
    return {
        "image": image,
        "command": [interpreter, "-c", ROUTER, "0.3"],
        "firelensConfiguration": {"type": "fluentbit"},
    }


def messages(text: str) -> list[Any]:
    """What connections brought, one connection after the other."""
    connections: dict[str, msgpack.Unpacker] = {}
    for line in text.splitlines():
        number, data = line.split()
        unpacker = connections.setdefault(
            number, msgpack.Unpacker(unicode_errors="surrogateescape")
        )
        unpacker.feed(bytes.fromhex(data))
    return [message for unpacker in connections.values() for message in unpacker]


def test_a_router_has_every_line_before_it_stops(
    kecs: Kecs, ecs_client: Any, register: Any, router: dict[str, Any]
) -> None:
    app = {"command": "echo one; printf 'two \\303' >&2", **TO_ROUTER}
    quiet = {"command": "exec sleep 1000", "stopTimeout": 2}
    router["stopTimeout"] = 2
    task = kecs.run_task(
        register(app=app, other={**quiet, **TO_ROUTER}, router=router, quiet=quiet)
    )
    kecs.wait_stopped(task)
    (described,) = ecs_client.describe_tasks(tasks=[task.arn])["tasks"]
    runtime_ids = {each["name"]: each["runtimeId"] for each in described["containers"]}
    records = {}
    for tag, entries, options in messages(kecs.logs(task, "router")):
        assert tag == f"app-firelens-{task.id}"
        assert options == {"size": len(entries)}
        for moment, record in entries:
            assert moment.code == 0
            assert abs(int.from_bytes(moment.data[:4], "big") - time.time()) < 300
            records[record["log"]] = record
    assert {log: record["source"] for log, record in records.items()} == {
        "one": "stdout",
        "two \udcc3": "stderr",
    }
    assert records["one"] == {
        "log": "one",
        "source": "stdout",
        "container_id": runtime_ids["app"],
        "container_name": f"/ecs-app-1-app-{task.id[:20]}",
        "ecs_cluster": "default",
        "ecs_task_arn": task.arn,
        "ecs_task_definition": "app:1",
    }
    assert kecs.logs(task, "app") == "one\ntwo \ufffd"


def test_lines_come_while_they_are_written(
    kecs: Kecs, register: Any, router: dict[str, Any]
) -> None:
    app = {"command": "echo one; exec sleep 1000", **TO_ROUTER}
    task = kecs.run_task(register(app=app, router=router))
    (line,) = islice(kecs.logs(task, "router", follow=True), 1)
    show = 'cat "${KECS_FILE_FLUENT_BIT_ETC_FLUENT_BIT_CONF-/fluent-bit/etc/fluent-bit.conf}"'
    shown = kecs.exec(task, show, container="router")
    assert "[INPUT]\n    Name forward\n    Listen " in shown.output
    assert "[OUTPUT]\n    Name null\n    Match app-firelens*\n" in shown.output
    assert [entry[1]["log"] for entry in messages(line.text)[0][1]] == ["one"]


def test_programs_reach_the_router_by_themselves(
    kecs: Kecs, register: Any, router: dict[str, Any], python: tuple[str, str]
) -> None:
    image, interpreter = python
    speak = {"image": image, "command": [interpreter, "-c", SPEAK]}
    app = {"command": "exec sleep 1000", **TO_ROUTER}
    task = kecs.run_task(register(app=app, router=router, speak=speak))
    (line,) = islice(kecs.logs(task, "router", follow=True), 1)
    assert bytes.fromhex(line.text.split()[1]) == b"abc"
