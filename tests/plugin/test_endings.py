"""However a run ends, no process of its environment is left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest
from inner_runs import Processes
from inner_runs import Run
from inner_runs import Start
from inner_runs import assert_gone
from inner_runs import run

WAITING = """
    import pytest
    from tasks import shell

    SCRIPT = "trap '' TERM; setsid sleep 600 & sleep 600 & wait"

    @pytest.mark.parametrize("number", range(2))
    def test_waits(ecs_client, kecs, number):
        shell(ecs_client, "stubborn", SCRIPT)
        task = kecs.run_task("stubborn")
        kecs.wait_running(task)
        with open(f"ready-{number}", "w") as ready:
            ready.write("now")
        kecs.wait_stopped(task, timeout=60)
"""


def started(start: Start, folder: Path, *arguments: str, tests: int = 1) -> Run:
    """A run whose first tests are in the middle of their calls."""
    pipes = [folder / f"ready-{number}" for number in range(tests)]
    for pipe in pipes:
        os.mkfifo(pipe)
    inner = start("-p", "no:faulthandler", *arguments)
    for pipe in pipes:
        # Opening waits until the test opens its end.
        assert pipe.read_text() == "now"
    return inner


@pytest.mark.parametrize("arguments", [[], ["-n2"]], ids=["alone", "xdist"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_after_a_signal(
    inner: pytest.Pytester,
    start: Start,
    processes: Processes,
    home: Path,
    arguments: list[str],
    number: signal.Signals,
) -> None:
    inner.makepyfile(WAITING)
    running = started(start, inner.path, *arguments, tests=2 if arguments else 1)
    family = processes.now()
    assert len(family) >= 4  # server, supervisor, shell, sleep, sleep in a session of its own
    running.popen.send_signal(number)
    running.popen.wait(30)
    assert_gone(family)
    assert processes.now() == []
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("engine", ["auto", "kind"])
def test_a_docker_that_hangs_does_not_hold_up_an_interruption(
    inner: pytest.Pytester,
    start: Start,
    processes: Processes,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
) -> None:
    programs = inner.path / "bin"
    programs.mkdir()
    asked = programs / "asked"
    os.mkfifo(asked)
    for name, script in (("docker", f"echo now > '{asked}'; exec sleep 600"), ("kind", "exit 0")):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    inner.makepyfile("def test_ecs(ecs_client): pass")
    running = start(f"--kecs-engine={engine}")
    # Opening waits until docker is asked.
    assert asked.read_text() == "now\n"
    running.popen.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in running.rest()
    assert processes.now() == []
    assert not home.exists() or list(home.iterdir()) == []


def test_nothing_is_left_after_a_normal_end(
    inner: pytest.Pytester, processes: Processes, home: Path
) -> None:
    inner.makepyfile(
        """
        from tasks import shell

        def test_leaves_tasks(ecs_client, kecs):
            shell(ecs_client, "stubborn", "trap '' TERM; setsid sleep 600 & sleep 600")
            kecs.wait_running(kecs.run_task("stubborn"))

        def test_fails(ecs_client, kecs):
            shell(ecs_client, "stubborn", "trap '' TERM; sleep 600 & sleep 600")
            kecs.wait_running(kecs.run_task("stubborn"))
            assert 0
        """
    )
    result = run(inner)
    result.assert_outcomes(passed=1, failed=1)
    assert processes.now() == []
    assert list(home.iterdir()) == []


def test_a_tests_tasks_are_gone_when_the_next_begins(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import psutil
        from tasks import register

        LEFT = []

        def test_first(ecs_client, kecs):
            register(ecs_client, "sleeper", "sleep", "600.123")
            kecs.wait_running(kecs.run_task("sleeper"))
            children = psutil.Process().children(recursive=True)
            LEFT.extend(child for child in children if "600.123" in child.cmdline())
            assert len(LEFT) == 1

        def test_second(ecs_client):
            assert not LEFT[0].is_running()
        """
    )
    run(inner).assert_outcomes(passed=2)


def test_a_crashed_worker_takes_nothing_with_it(
    inner: pytest.Pytester, processes: Processes, home: Path
) -> None:
    inner.makepyfile(
        """
        import os

        import pytest
        from tasks import shell

        def test_a_crash(ecs_client, kecs):
            shell(ecs_client, "stubborn", "trap '' TERM; sleep 600")
            kecs.wait_running(kecs.run_task("stubborn"))
            os._exit(1)

        @pytest.mark.parametrize("number", range(4))
        def test_others(ecs_client, kecs, number):
            shell(ecs_client, "worker", f"exit {number}")
            kecs.assert_stopped(kecs.run_task("worker"), exit_code=number)
        """
    )
    result = run(inner, "-n2")
    result.assert_outcomes(passed=4, failed=1)
    assert processes.now() == []
    assert list(home.iterdir()) == []


def test_nothing_is_left_when_the_server_is_killed(
    inner: pytest.Pytester, start: Start, processes: Processes, home: Path
) -> None:
    inner.makepyfile(WAITING)
    running = started(start, inner.path, "-k", "0")
    family = processes.now()
    [server] = [process for process in family if process.cmdline()[-1] == "kecs_server"]
    server.kill()
    assert "was killed by SIGKILL" in running.rest()
    assert_gone([process for process in family if process != server])
    assert processes.now() == []
    assert list(home.iterdir()) == []


def test_a_run_leaves_no_trace_of_itself(inner: pytest.Pytester, home: Path) -> None:
    inner.makepyfile("def test_it(ecs_client): ecs_client.list_clusters()")
    before = {process.pid for process in psutil.process_iter()}
    run(inner).assert_outcomes(passed=1)
    children = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
    assert children == []
    assert list(home.iterdir()) == []


def test_the_next_run_removes_what_a_killed_one_left(
    inner: pytest.Pytester, start: Start, home: Path
) -> None:
    inner.makepyfile(
        test_killed="""
        import os
        import signal

        def test_before_any_server():
            os.kill(os.getpid(), signal.SIGKILL)
        """,
        test_next="def test_it(ecs_client): ecs_client.list_clusters()",
    )
    start("test_killed.py").rest()
    assert len(list(home.iterdir())) == 1
    run(inner, "test_next.py").assert_outcomes(passed=1)
    assert list(home.iterdir()) == []
