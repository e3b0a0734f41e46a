from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import psutil

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

ClientOf = Callable[[dict[str, str]], AbstractContextManager["ECSClient"]]
StartSleeper = Callable[["ECSClient"], psutil.Process]
SECONDS = 60
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, user: c}}]
users: [{name: c, user: {token: t}}]
"""


def test_list_and_env_show_what_is_served(kecs: Any) -> None:
    with kecs.serve() as served:
        (facts,) = json.loads(kecs("list", "--json").stdout)
        assert (facts["name"], facts["endpoint"]) == (served.name, served.endpoint)
        assert (facts["state"], facts["owner_pid"]) == ("running", served.process.pid)
        table = kecs("list").stdout.splitlines()
        assert len(table) == 2
        assert table[1].split()[:4] == [served.name, "process", "running", served.endpoint]
        variables = json.loads(kecs("env", served.name, "--json").stdout)["set"]
        assert variables == served.variables


def test_stop_ends_tasks_and_the_command_that_serves(
    kecs: Any, client_of: ClientOf, start_sleeper: StartSleeper
) -> None:
    with kecs.serve() as served, client_of(served.variables) as client:
        sleeper = start_sleeper(client)
        stopped = kecs("stop", served.name)
        assert (stopped.returncode, stopped.stdout) == (0, f"stopped {served.name}\n")
        assert not sleeper.is_running()
        assert kecs.left() == []
        _, errors = served.process.communicate(timeout=SECONDS)
    assert served.process.returncode == 0
    assert errors == f"{served.name} was stopped\n"
    assert kecs("stop", served.name).returncode == 1


def test_stop_all(kecs: Any) -> None:
    with kecs.serve() as one, kecs.serve() as two:
        stopped = json.loads(kecs("stop", "--all", "--json").stdout)["stopped"]
        assert set(stopped) == {one.name, two.name}
        one.process.communicate(timeout=SECONDS)
        two.process.communicate(timeout=SECONDS)
    assert kecs.left() == []
    assert kecs("stop", "--all").stdout == "There was nothing to stop.\n"


def test_prune_after_everything_was_killed(
    kecs: Any, client_of: ClientOf, start_sleeper: StartSleeper
) -> None:
    with kecs.serve() as served, client_of(served.variables) as client:
        sleeper = start_sleeper(client)
        server = kecs.server(served.name)
        everything = [*kecs.processes(), *kecs.children(server.pid)]
        assert sleeper in everything
        # All but the container: first whatever would end it.
        for process in everything:
            if process != sleeper:
                process.suspend()
        for process in everything:
            if process != sleeper:
                process.kill()
        served.process.communicate(timeout=SECONDS)
    psutil.wait_procs([process for process in everything if process != sleeper], SECONDS)
    assert sleeper.is_running()
    assert kecs.left() == [served.name]
    assert "dead" in kecs("list").stdout
    pruned = kecs("prune")
    assert pruned.returncode == 0
    assert served.name in pruned.stdout
    psutil.wait_procs([sleeper], SECONDS)
    assert not sleeper.is_running()
    assert kecs.left() == []
    assert kecs("prune").stdout == "There is nothing to remove.\n"


def test_a_server_deletes_folders_that_may_not_be_changed(kecs: Any) -> None:
    with kecs.serve() as served:
        locked = kecs.home / served.name / "locked"
        (locked / "deep").mkdir(parents=True)
        locked.chmod(0o555)
    assert kecs.left() == []


def test_prune_leaves_what_is_served_alone(kecs: Any, client_of: ClientOf) -> None:
    with kecs.serve() as served, client_of(served.variables) as client:
        assert kecs("prune").stdout == "There is nothing to remove.\n"
        assert client.list_clusters()["clusterArns"] == []


def test_prune_of_a_cluster_that_does_not_answer(kecs: Any, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(KUBECONFIG)
    pruned = kecs("prune", "--kubeconfig", str(kubeconfig))
    assert pruned.returncode == 1
    assert pruned.stderr.startswith("kecs: error: ")
    assert pruned.stderr.count("\n") == 1
    assert "https://127.0.0.1:1" in pruned.stderr
    assert pruned.stdout == ""


def test_reset_empties_the_account(
    kecs: Any, client_of: ClientOf, start_sleeper: StartSleeper
) -> None:
    with kecs.serve() as served, client_of(served.variables) as client:
        sleeper = start_sleeper(client)
        reset = kecs("reset", **served.variables)
        assert (reset.returncode, reset.stderr) == (0, "")
        assert "1 tasks" in reset.stdout
        assert not sleeper.is_running()
        assert client.list_clusters()["clusterArns"] == []
        assert client.list_task_definitions()["taskDefinitionArns"] == []
        assert kecs("reset", **served.variables).stdout == "The account was empty.\n"


def test_reset_with_a_key_of_another_environment(kecs: Any) -> None:
    with kecs.serve() as one, kecs.serve() as two:
        endpoint = {"AWS_ENDPOINT_URL_ECS": two.endpoint}
        reset = kecs("reset", **{**one.variables, **endpoint})
    assert reset.returncode == 1
    assert reset.stderr.startswith("kecs: error: ")
    assert reset.stderr.count("\n") == 1
