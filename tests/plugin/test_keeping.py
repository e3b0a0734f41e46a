"""`--kecs-keep-cluster`: what is kept, how it is looked into, joined and ended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from inner_runs import Processes
from inner_runs import Start
from inner_runs import assert_gone
from inner_runs import run

from pytest_kecs import registry

SUITE = """
    from tasks import register

    def test_passes(ecs_client, kecs):
        register(ecs_client, "sleeper", "sleep", "600")
        kecs.wait_running(kecs.run_task("sleeper"))

    def test_fails(ecs_client, kecs):
        register(ecs_client, "sleeper", "sleep", "600")
        kecs.wait_running(kecs.run_task("sleeper"))
        assert 0

    def test_passes_too(ecs_client, kecs):
        assert ecs_client.list_clusters()["clusterArns"] == []
"""
KEEP = "--kecs-keep-cluster"


@pytest.fixture
def processes(processes: Processes) -> Iterator[Processes]:
    """Ends what was kept as a person would."""
    yield processes
    kept = processes.now()
    command("stop", "--all")
    assert_gone(kept)


def command(*arguments: str) -> str:
    """What the command `kecs` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest_kecs.cli", *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def list_tasks(record: registry.EnvironmentRecord, test: str) -> list[str]:
    """The running tasks of a kept test, seen with what `kecs env` prints."""
    exports = command("env", record.name, "--test", test)
    variables = dict(re.findall(r"export (\w+)='?([^'\n]*)'?", exports))
    script = "import boto3; print(*boto3.client('ecs').list_tasks()['taskArns'])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **variables},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split()


@pytest.mark.parametrize("arguments", [[], ["-n2"]], ids=["alone", "xdist"])
def test_the_realms_of_failed_tests_are_kept(
    inner: pytest.Pytester, processes: Processes, arguments: list[str]
) -> None:
    inner.makepyfile(test_it=SUITE)
    result = run(inner, KEEP, *arguments)
    result.assert_outcomes(passed=2, failed=1)
    [record] = registry.read_all()
    result.stdout.fnmatch_lines(
        [
            "*kecs: environment kept*",
            f"{record.name} (engine process) is kept until *:*",
            "*test_it.py::test_fails (failed): its tasks run on*",
            f'*eval "$(kecs env {record.name} --test test_it.py::test_fails)"',
            "*aws ecs list-tasks",
            f"To see it in a browser (good once): {record.endpoint}/_kecs/ui[?]token=*",
            "*--kecs-keep-cluster*",
            f"*kecs stop {record.name}",
        ]
    )
    result.stdout.no_fnmatch_line("*::test_passes*its tasks run on*")
    assert record.kept
    assert record.lease_until is not None
    assert [realm["test"] for realm in record.kept_realms] == ["test_it.py::test_fails"]
    assert len(list_tasks(record, "test_it.py::test_fails")) == 1


def test_without_failures_the_last_test_is_kept(
    inner: pytest.Pytester, processes: Processes
) -> None:
    inner.makepyfile(test_it=SUITE)
    result = run(inner, KEEP, "-k", "test_passes and not too")
    result.stdout.fnmatch_lines(["*test_it.py::test_passes (the last test): its tasks run on*"])
    [record] = registry.read_all()
    assert len(list_tasks(record, "test_it.py::test_passes")) == 1


def test_the_next_run_joins(inner: pytest.Pytester, processes: Processes) -> None:
    inner.makepyfile(test_it=SUITE)
    run(inner, KEEP)
    [first] = registry.read_all()
    for arguments in ([], ["-n2"]):
        result = run(inner, KEEP, *arguments)
        result.assert_outcomes(passed=2, failed=1)
        result.stdout.fnmatch_lines([f"kecs: joined the kept environment {first.name}"])
        [joined] = registry.read_all()
        assert joined.name == first.name
        assert joined.server_pid == first.server_pid
        assert joined.kept
        # The test was kept once more; its earlier realm is not needed any longer.
        assert [realm["test"] for realm in joined.kept_realms] == ["test_it.py::test_fails"]
        assert len(list_tasks(joined, "test_it.py::test_fails")) == 1


def test_other_settings_are_not_joined(inner: pytest.Pytester, processes: Processes) -> None:
    inner.makepyfile(test_it=SUITE)
    run(inner, KEEP)
    [first] = registry.read_all()
    result = run(inner, KEEP, "--kecs-region=eu-west-1")
    result.stdout.fnmatch_lines([f"kecs: the kept environment {first.name} *other settings*"])
    assert {record.server_pid for record in registry.read_all()} > {first.server_pid}


def test_a_run_without_the_flag_leaves_the_kept_one_alone(
    inner: pytest.Pytester, processes: Processes
) -> None:
    inner.makepyfile(test_it=SUITE)
    run(inner, KEEP)
    [first] = registry.read_all()
    run(inner).assert_outcomes(passed=2, failed=1)
    assert registry.read_all() == [first]


def test_a_kept_environment_ends_with_its_lease(
    inner: pytest.Pytester, processes: Processes, home: Path
) -> None:
    inner.makepyfile(test_it=SUITE)
    run(inner, KEEP, "--kecs-keep-for=0.5")
    assert_gone(processes.now())
    assert list(home.iterdir()) == []


def test_nothing_is_kept_where_nothing_was_started(
    inner: pytest.Pytester, processes: Processes, home: Path
) -> None:
    inner.makepyfile("def test_plain(): pass")
    result = run(inner, KEEP)
    result.stdout.no_fnmatch_line("*environment kept*")
    assert list(home.iterdir()) == []


def test_what_is_interrupted_is_kept(
    inner: pytest.Pytester, start: Start, processes: Processes
) -> None:
    inner.makepyfile(
        test_it="""
        from tasks import register

        def test_waits(ecs_client, kecs):
            register(ecs_client, "sleeper", "sleep", "600")
            kecs.wait_running(task := kecs.run_task("sleeper"))
            with open("ready", "w") as ready:
                ready.write("now")
            kecs.wait_stopped(task, timeout=60)

        def test_never_run(): pass
        """
    )
    pipe = inner.path / "ready"
    os.mkfifo(pipe)
    running = start(KEEP, "--kecs-artifacts=art")
    assert pipe.read_text() == "now"
    running.popen.send_signal(signal.SIGINT)
    shown = running.rest()
    assert "test_it.py::test_waits (interrupted): its tasks run on" in shown
    folder = inner.path / "art" / "test_it.py-test_waits"
    assert f"{folder}/index.html" in shown
    assert json.loads((folder / "test.json").read_text())["test"]["outcome"] == "interrupted"
    [record] = registry.read_all()
    assert len(list_tasks(record, "test_it.py::test_waits")) == 1
