from __future__ import annotations

import re
import shlex
import signal
import socket
import stat
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import psutil
import pytest

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

ClientOf = Callable[[dict[str, str]], AbstractContextManager["ECSClient"]]
StartSleeper = Callable[["ECSClient"], psutil.Process]
SECONDS = 60


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_its_tasks(
    kecs: Any, client_of: ClientOf, start_sleeper: StartSleeper, ending: signal.Signals
) -> None:
    with kecs.serve() as served, client_of(served.variables) as client:
        sleeper = start_sleeper(client)
        served.process.send_signal(ending)
        _, errors = served.process.communicate(timeout=SECONDS)
    assert served.process.returncode == 0, errors
    assert errors == f"ending {served.name} ...\n"
    assert not sleeper.is_running()
    assert kecs.processes() == []
    assert kecs.left() == []


def test_a_background_job_of_a_script_can_be_interrupted(kecs: Any) -> None:
    # A shell that is not interactive has its background jobs ignore SIGINT.
    script = f"'{sys.executable}' -m pytest_kecs.cli serve & read go; kill -INT $!; wait $!"
    with kecs.start_shell(script) as shell:
        assert " is ready: " in shell.stdout.readline()
        _, errors = shell.communicate("go\n", timeout=SECONDS)
    assert shell.returncode == 0
    assert errors.startswith("ending kecs-")
    assert kecs.left() == []


def test_what_it_prints_is_enough_to_use_it(kecs: Any) -> None:
    with kecs.serve("--region", "eu-west-1") as served:
        shown = kecs("env", served.name)
        lines = [line.strip() for line in served.announcement.splitlines()]
        assert shown.returncode == 0
        assert set(shown.stdout.splitlines()) <= set(lines)
        assert f'eval "$(kecs env {served.name})"' in lines
        assert f'ecs = "{served.endpoint}"' in lines
        script = "import boto3; print(boto3.client('ecs').list_clusters()['clusterArns'])"
        used = kecs.shell(f"{shown.stdout}\n'{sys.executable}' -c \"{script}\"")
        assert (used.stdout, used.stderr) == ("[]\n", "")


def test_port_and_images_are_used(kecs: Any, client_of: ClientOf) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        kecs.serve("--port", str(port), "--image", "ok:*={python} -c 'exit(4)'") as served,
        client_of(served.variables) as client,
    ):
        assert served.endpoint == f"http://127.0.0.1:{port}"
        client.create_cluster()
        container = {"name": "app", "image": "ok:1", "memory": 64}
        client.register_task_definition(family="ok", containerDefinitions=[container])
        task = client.run_task(taskDefinition="ok")["tasks"][0]["taskArn"]
        client.get_waiter("tasks_stopped").wait(tasks=[task], WaiterConfig={"Delay": 0})
        (stopped,) = client.describe_tasks(tasks=[task])["tasks"]
        assert stopped["containers"][0]["exitCode"] == 4


def test_a_port_in_use_is_one_line(kecs: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ended = kecs("serve", "--port", port)
    assert ended.returncode == 1
    assert re.fullmatch(rf"kecs: error: port {port} on 127.0.0.1 is in use .*\n", ended.stderr)
    assert ended.stdout == ""
    assert kecs.left() == []


def test_the_env_file_is_there_while_it_serves(
    kecs: Any, client_of: ClientOf, tmp_path: Path
) -> None:
    path = tmp_path / "kecs.env"
    with kecs.serve("--write-env", str(path)) as served:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        lines = path.read_text().splitlines()
        assert served.name in lines[0]
        # As a shell reads them, which is also how dotenv libraries do.
        variables = dict(shlex.split(line)[0].split("=", 1) for line in lines[1:])
        assert variables == served.variables
        with client_of(variables) as client:
            assert client.list_clusters()["clusterArns"] == []
    assert served.process.returncode == 0
    assert not path.exists()
    assert [entry.name for entry in tmp_path.iterdir() if entry.name != "home"] == []


def test_an_env_file_that_was_left_behind_is_replaced(kecs: Any, tmp_path: Path) -> None:
    path = tmp_path / "kecs.env"
    with kecs.serve("--write-env", str(path)) as served:
        left_behind = path.read_text()
    path.write_text(left_behind)
    with kecs.serve("--write-env", str(path)) as served:
        assert served.name in path.read_text()


def test_the_servers_death_is_said(
    kecs: Any, client_of: ClientOf, start_sleeper: StartSleeper
) -> None:
    with kecs.serve() as served, client_of(served.variables) as client:
        sleeper = start_sleeper(client)
        kecs.server(served.name).kill()
        _, errors = served.process.communicate(timeout=SECONDS)
    assert served.process.returncode == 1
    assert "was killed by SIGKILL" in errors
    assert "Traceback" not in errors
    assert not sleeper.is_running()
    assert kecs.left() == []


def test_a_cluster_that_cannot_be_reached_is_said(kecs: Any, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text("nothing: here\n")
    ended = kecs("serve", "--engine", "kubernetes", "--kubeconfig", str(kubeconfig))
    assert ended.returncode == 1
    assert str(kubeconfig) in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    assert kecs.left() == []
