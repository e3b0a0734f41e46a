"""Commands beside a container's first process, containers that start again, ports."""

from __future__ import annotations

import socket
from threading import Thread
from time import monotonic

import pytest
from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import ContainerStopped
from kind_driver import Driver
from kind_driver import Lab
from test_kind_order import POLITE
from test_kind_order import wait_for_output
from test_kind_tasks import shell

IDLE = "exec sleep 1000"


def connected(driver: Driver, task: str, container: str, port: int) -> socket.socket:
    """A connection to a container that has just started, as soon as somebody listens."""
    while True:
        try:
            connection = driver.engine.connect(task, container, port)
        except ConnectionRefusedError as error:
            if "nothing listens" not in str(error):
                raise
        else:
            connection.settimeout(30)
            return connection


def test_a_command_has_what_its_container_has(driver: Driver, image: str) -> None:
    app = shell(
        "My_App", IDLE, image, environment={"WORD": "a $b"}, working_directory="/tmp", user="99"
    )
    task = driver.run(app)

    assert driver.execute(task, "My_App", 'echo "$WORD"; pwd; id -u') == (0, b"a $b\n/tmp\n99\n")
    code, both = driver.execute(task, "My_App", r"printf '\377'; echo no >&2; exit 3")
    assert code == 3
    assert sorted(both) == sorted(b"\xffno\n")
    assert driver.execute(task, "My_App", "kill -9 $$")[0] == 137
    large = driver.execute(task, "My_App", "head -c 3000000 /dev/zero")
    assert large == (0, b"\0" * 3_000_000)


def test_a_command_that_cannot_run(driver: Driver, image: str) -> None:
    task = driver.run(shell("app", IDLE, image), shell("done", "exit 0", image))
    driver.stopped(task, "done")

    missing = driver.engine.execute(task, "app", ["no-such"], 10).result(20)

    assert missing.exit_code == 127
    assert b"no-such" in missing.output
    denied = driver.engine.execute(task, "app", ["/etc/hostname"], 10).result(20)
    assert (denied.exit_code, b"permission denied" in denied.output) == (126, True)
    for where in ((task, "done"), (task, "nobody"), ("0" * 32, "app")):
        ended = driver.engine.execute(*where, ["true"], 10).result(1)
        assert (ended.exit_code, ended.output) == (None, b"the container does not run")


def test_a_command_that_takes_too_long(driver: Driver, image: str) -> None:
    """On kind it is killed with its children; another one that runs beside it is not."""
    task = driver.run(shell("app", IDLE, image))
    longer = driver.engine.execute(task, "app", ["sh", "-c", "sleep 12; exit 5"], 30)
    driver.execute(task, "app", "sleep 3")
    begin = monotonic()

    late = driver.execute(task, "app", "echo begun; sleep 2345 & sleep 2346; true", timeout=1)

    assert late == (None, b"begun\n")
    assert 1 <= monotonic() - begin < 5
    _, processes = driver.execute(task, "app", "ps")
    assert (b"sleep 234" in processes) is (driver.engine.name != "kind")
    assert longer.result(30).exit_code == 5


def test_a_command_ends_with_its_container(driver: Driver, image: str) -> None:
    task = driver.run(shell("app", POLITE, image))
    wait_for_output(driver, task, "app")
    command = driver.engine.execute(task, "app", ["sleep", "1000"], 60)

    driver.engine.stop_containers(task, ["app"])

    assert driver.stopped(task, "app").exit_code == 9
    assert command.result(20).exit_code == 137


def test_many_commands_at_once(driver: Driver, image: str) -> None:
    task = driver.run(shell("app", IDLE, image))

    ends = [
        driver.engine.execute(task, "app", ["sh", "-c", f"sleep 0.2; exit {code}"], 60)
        for code in range(30)
    ]

    assert [end.result(60).exit_code for end in ends] == list(range(30))


def test_a_container_starts_again_until_its_copies_are_used_up(driver: Driver, image: str) -> None:
    app = shell("app", "echo life; exit 3", image, restarts=True)
    task = driver.start(app, shell("side", IDLE, image))

    def stops() -> list[ContainerStopped]:
        return [
            each
            for each in driver.seen(task)
            if isinstance(each, ContainerStopped) and each.container == "app"
        ]

    for life in range(1, 7):
        driver.wait(task, ContainerStopped, lambda _, life=life: len(stops()) == life)  # type: ignore[misc]
        driver.engine.start_container(task, "app")
    driver.wait(task, ContainerStopped, lambda _: len(stops()) == 7)

    assert [each.exit_code for each in stops()] == [3] * 6 + [None]
    assert "can start a container again 5 times" in str(stops()[-1].reason)
    starts = [e for e in driver.seen(task) if isinstance(e, ContainerStarted)]
    assert len({each.runtime_id for each in starts if each.container == "app"}) == 6
    assert driver.logs(task, "app").stdout == b"life\n" * 6
    driver.remove(task)
    assert driver.logs(task, "app").stdout == b"life\n" * 6


def test_a_container_that_started_again_is_the_one_that_is_meant(
    driver: Driver, image: str
) -> None:
    script = "[ -e /tmp/second ] || echo first; " + POLITE
    task = driver.run(shell("app", script, image, restarts=True), shell("side", IDLE, image))
    assert driver.execute(task, "app", "kill -TERM 1")[0] in (0, 137, None)
    first = driver.stopped(task, "app")
    driver.engine.start_container(task, "app")
    driver.wait(
        task,
        ContainerStarted,
        lambda seen: seen.container == "app" and driver.at(seen) > driver.at(first),
    )

    while driver.logs(task, "app").stdout.count(b"ready") < 2:
        pass
    assert driver.execute(task, "app", "exit 4")[0] == 4
    driver.engine.stop_containers(task, ["app"])

    last = driver.wait(
        task,
        ContainerStopped,
        lambda seen: seen.container == "app" and driver.at(seen) > driver.at(first),
    )
    assert (first.exit_code, last.exit_code) == (9, 9)


def test_a_port_of_a_pod_that_is_still_pending(driver: Driver, image: str, lab: Lab) -> None:
    server = ContainerSpec(name="web", image=image, command=("httpd", "-f", "-p", "8080"),
                           working_directory="/etc")  # fmt: skip
    task = driver.provision(server, shell("held", "true", image))
    driver.engine.start_container(task, "web")
    driver.started(task, "web")
    assert lab.pod(driver, task)["status"]["phase"] == "Pending"

    with connected(driver, task, "web", 8080) as connection:
        connection.sendall(b"GET /hostname HTTP/1.0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")  # and leave the rest unread
    for attempt in (driver.engine.connect, driver.engine.locate):
        with pytest.raises(ConnectionRefusedError, match="nothing listens on port 8081"):
            attempt(task, "web", 8081)
        with pytest.raises(ConnectionRefusedError, match="does not run"):
            attempt(task, "nobody", 8080)
    with pytest.raises(OSError, match="TCP"):
        driver.engine.connect(task, "web", 8080, "udp")


def test_a_port_of_another_container_on_kind(kind: Driver, image: str) -> None:
    server = ContainerSpec(name="web", image=image, command=("httpd", "-f", "-p", "8080"))
    task = kind.run(server, shell("other", IDLE, image))

    with pytest.raises(ConnectionRefusedError, match="another container of the Pod listens"):
        connected(kind, task, "other", 8080)
    kind.remove_all()


def test_much_through_a_port_in_both_directions(driver: Driver, image: str) -> None:
    """More than fits anywhere on the way."""
    task = driver.run(shell("echo", "exec nc -ll -p 9000 -e cat", image))
    data = bytes(range(256)) * 40_000

    with connected(driver, task, "echo", 9000) as connection:
        sender = Thread(target=connection.sendall, args=(data,))
        sender.start()
        back = bytearray()
        while len(back) < len(data):
            back += connection.recv(1 << 16)
        sender.join()

    assert bytes(back) == data


def test_a_port_of_a_container_that_ends(driver: Driver, image: str) -> None:
    task = driver.run(shell("app", "exec nc -ll -p 9000 -e cat", image, stop_timeout=1))

    with connected(driver, task, "app", 9000) as connection:
        connection.sendall(b"hello")
        assert connection.recv(100) == b"hello"
        driver.engine.stop_containers(task, ["app"])
        assert connection.recv(100) == b""
