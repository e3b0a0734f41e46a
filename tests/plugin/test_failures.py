"""What the report of a failed test shows of the environment."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from inner_runs import Processes
from inner_runs import run

FAILING = """
    import unittest

    import boto3
    import pytest
    from tasks import shell

    def start(ecs_client, kecs):
        print("the test's own")
        shell(ecs_client, "worker", "echo said this; echo and that >&2; exit 3")
        ecs_client.create_cluster()
        ecs_client.create_service(serviceName="idle", taskDefinition="worker", desiredCount=0)
        kecs.wait_stable("idle")
        kecs.wait_stopped(kecs.run_task("worker"))

    def test_in_call(ecs_client, kecs):
        start(ecs_client, kecs)
        assert 0

    def test_without_traceback(ecs_client, kecs):
        start(ecs_client, kecs)
        pytest.fail("in one line", pytrace=False)

    class TestCase(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def started(self, ecs_client, kecs):
            start(ecs_client, kecs)

        def test_of_unittest(self):
            self.fail()

    @pytest.fixture
    def broken_before(ecs_client, kecs):
        start(ecs_client, kecs)
        assert 0

    def test_in_setup(broken_before): pass

    def test_with_unknown_fixture(ecs_client, kecs, request):
        start(ecs_client, kecs)
        request.getfixturevalue("unknown")

    @pytest.fixture
    def broken_after(ecs_client, kecs):
        yield
        start(ecs_client, kecs)
        assert 0

    def test_in_teardown(broken_after): pass

    def test_passes(ecs_client, kecs):
        start(ecs_client, kecs)

    def test_skips(ecs_client, kecs):
        start(ecs_client, kecs)
        pytest.skip()

    @pytest.mark.xfail
    def test_fails_as_expected(ecs_client, kecs):
        start(ecs_client, kecs)
        assert 0
"""
PHASES = {
    "test_in_call": "call",
    "test_without_traceback": "call",
    "test_of_unittest": "call",
    "test_in_setup": "setup",
    "test_with_unknown_fixture": "call",
    "test_in_teardown": "teardown",
}
SHOWN = [
    "*kecs tasks ({when})*",
    "*worker:1*STOPPED*EssentialContainerExited*app: exit 3*",
    "*reason: Essential container in task exited*",
    "*kecs logs ({when})*",
    "*said this*",
    "*and that*",
    "*kecs service events ({when})*",
    "*service idle ACTIVE: desired 0*",
    "*kecs timeline ({when})*",
    "*+*ms  call*RegisterTaskDefinition*",
    "*+*ms  task*RUNNING*",
]


@pytest.mark.parametrize("on_ci", ["", "true"], ids=["by-hand", "on-ci"])
@pytest.mark.parametrize("arguments", [[], ["-n2"]], ids=["alone", "xdist"])
def test_each_failure_is_explained_once(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, arguments: list[str], on_ci: str
) -> None:
    # pytest's summary is longer on CI.
    monkeypatch.setenv("CI", on_ci)
    monkeypatch.delenv("BUILD_NUMBER", raising=False)
    inner.makepyfile(FAILING)
    result = run(inner, "--junitxml=report.xml", *arguments)
    result.assert_outcomes(passed=2, failed=4, errors=2, skipped=1, xfailed=1)
    for when in PHASES.values():
        result.stdout.fnmatch_lines([line.format(when=when) for line in SHOWN])
    assert result.stdout.str().count("kecs tasks (") == len(PHASES)
    assert result.stdout.str().count("kecs timeline (") == len(PHASES)
    texts = _junit_texts(inner.path / "report.xml")
    assert set(texts) == set(PHASES)
    for name, when in PHASES.items():
        pytest.LineMatcher(texts[name].splitlines()).fnmatch_lines(
            [line.format(when=when) for line in SHOWN]
        )
        assert texts[name].count("kecs tasks (") == 1


def _junit_texts(path: Path) -> dict[str, str]:
    """The texts of failures and errors by test."""
    return {
        case.attrib["name"]: "".join(element.text or "" for element in case.iter(kind))
        for kind in ("failure", "error")
        for case in ElementTree.parse(path).iter("testcase")
        if case.find(kind) is not None
    }


@pytest.mark.parametrize("style", ["no", "line", "short", "native"])
def test_the_style_of_tracebacks_is_kept_to(inner: pytest.Pytester, style: str) -> None:
    inner.makepyfile(FAILING)
    result = run(inner, f"--tb={style}", "--show-capture=no", "-k", "test_in_call")
    result.assert_outcomes(failed=1, deselected=8)
    assert result.stdout.str().count("kecs tasks (") == (0 if style == "no" else 1)
    result.stdout.no_fnmatch_line("the test's own")


def test_an_error_is_shown_at_the_call_that_the_test_made(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        from tasks import shell

        def test_it(ecs_client, kecs):
            shell(ecs_client, "worker", "exit 0")
            kecs.exec(kecs.wait_stopped(kecs.run_task("worker")), "true")
        """
    )
    shown = run(inner).stdout
    shown.fnmatch_lines([">*kecs.exec(*", "E  *AdminError: *", "", "test_*.py:5: AdminError"])
    shown.no_fnmatch_line("*pytest_kecs/admin.py*")


def test_assertions_explain_themselves_and_nothing_is_told_twice(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.delenv("CI", raising=False)  # where pytest cuts nothing off
    inner.makepyfile(
        """
        from tasks import register
        from tasks import shell

        def test_plain(ecs_client, kecs):
            shell(ecs_client, "worker", "exit 137")
            task = kecs.wait_stopped(kecs.run_task("worker"))
            assert task.last_status == "RUNNING"

        def test_too_early(ecs_client, kecs):
            register(ecs_client, "sleeper", "sleep", "600")
            assert kecs.run_task("sleeper")["lastStatus"] == "RUNNING"

        def test_of_ours(ecs_client, kecs):
            shell(ecs_client, "worker", "echo last words; exit 4")
            kecs.assert_exit_code(kecs.wait_stopped(kecs.run_task("worker")), 0)

        def test_other_texts(ecs_client):
            assert "STOPPED" == "RUNNING"

        def test_refused(ecs_client, kecs):
            kecs.run_task("unknown")

        def test_waiter(ecs_client, kecs):
            shell(ecs_client, "worker", "exit 4")
            task = kecs.wait_stopped(kecs.run_task("worker"))
            ecs_client.get_waiter("tasks_running").wait(tasks=[task.arn])
        """
    )
    result = run(inner, "-vv", "--junitxml=report.xml")
    result.assert_outcomes(failed=6)
    result.stdout.no_fnmatch_line("*botocore/*")
    result.stdout.fnmatch_lines(
        [
            "E *assert 'STOPPED' == 'RUNNING'",
            "E *worker:1 *STOPPED *EssentialContainerExited *app: exit 137 (SIGKILL)",
            "E *reason: Essential container in task exited",
            "E *assert 'P*ING' == 'RUNNING'",
            "E *hint: a Task does not change; *, kecs.assert_running(task) waits",
            "E *task * (worker:1) did not end as asked: *app had the exit code 4, not 0",
            "E *last words",
            "E *+* ms *task *STOPPED",
            "*kecs timeline (call)*",
            "E *assert 'STOPPED' == 'RUNNING'",
            "E *- RUNNING",
            '>*kecs.run_task("unknown")',
            "E *ClientException: *Unable to describe task definition.",
            ">*wait(tasks=*",
            "E *WaiterError: *STOPPED*",
            "*worker:1 *STOPPED *app: exit 4",
        ]
    )
    text = _junit_texts(inner.path / "report.xml")["test_of_ours"]
    assert text.count("app stdout") == text.count("app: exit 4") == 1
    assert text.count("kecs timeline (") == 1


def test_log_lines_can_be_chosen(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        from tasks import shell

        def test_it(ecs_client, kecs):
            shell(ecs_client, "worker", "seq 100")
            kecs.wait_stopped(kecs.run_task("worker"))
            assert 0
        """
    )
    few = run(inner, "--kecs-log-lines=2").stdout
    few.fnmatch_lines(["    99", "    100"], consecutive=True)
    few.no_fnmatch_line("    98")
    run(inner, "--kecs-log-lines=50").stdout.fnmatch_lines(["    51", "*", "    100"])
    run(inner, "--kecs-log-lines=0").stdout.no_fnmatch_line("*kecs logs*")


def test_a_server_that_is_killed_is_told(inner: pytest.Pytester, processes: Processes) -> None:
    inner.makepyfile(
        """
        import os
        import signal

        import psutil
        import pytest
        from botocore.exceptions import ClientError
        from tasks import register

        def test_kills_it(ecs_client, kecs):
            register(ecs_client, "sleeper", "sleep", "600")
            kecs.wait_running(kecs.run_task("sleeper"))
            children = psutil.Process().children(recursive=True)
            [server] = [c for c in children if c.cmdline()[-1] == "kecs_server"]
            server.kill()
            # Not the server itself: its exit status is for the plugin to collect.
            psutil.wait_procs([c for c in children if c != server], timeout=20)
            kecs.run_task("sleeper")

        def test_comes_after(ecs_client): pass

        def test_plain(): pass
        """
    )
    result = run(inner, "-o", "faulthandler_timeout=60")
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*EnvironmentStartError: the kecs server was killed by SIGKILL*",
            "*kecs server (call)*",
            "*the kecs server was killed by SIGKILL, unasked*",
        ]
    )
    assert processes.now() == []


def test_errors_of_the_server_are_shown_to_the_test_that_met_them(
    inner: pytest.Pytester,
) -> None:
    program = inner.path / "broken_server"
    script = inner.path / "broken_server.py"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{script}' \"$@\"\n")
    script.write_text(
        "import sys\n"
        "from kecs_server.__main__ import main\n"
        "from kecs_server.scheduler import services\n"
        "def reconcile(*_): raise ZeroDivisionError('broken scheduler')\n"
        "services.reconcile = reconcile\n"
        "sys.exit(main())\n"
    )
    program.chmod(0o755)
    use_server_command(inner, str(program))
    inner.makepyfile(
        """
        import pytest
        from tasks import register

        def test_meets_it(ecs_client, kecs):
            register(ecs_client, "worker", "true")
            ecs_client.create_cluster()
            ecs_client.create_service(serviceName="web", taskDefinition="worker", desiredCount=1)
            with pytest.raises(AssertionError):
                kecs.wait_stable("web", timeout=1)
            assert 0

        def test_comes_after(ecs_client):
            assert 0
        """
    )
    result = run(inner, "-p", "other_server")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["*kecs server errors (call)*", "ERROR *scheduler*", "*ZeroDivisionError: broken scheduler"]
    )
    assert result.stdout.str().count("kecs server errors") == 1


def use_server_command(inner: pytest.Pytester, program: str) -> None:
    """Let the plugin `-p other_server` start `program` in the server's place."""
    inner.makepyfile(
        other_server=f"""
        import pytest_kecs.launcher
        pytest_kecs.launcher.Launcher.__init__.__kwdefaults__["command"] = [{program!r}]
        """
    )
    inner.syspathinsert()


def test_a_server_that_cannot_start_is_told_to_every_test(
    inner: pytest.Pytester, home: Path
) -> None:
    use_server_command(inner, "/no/such/python")
    inner.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(2))
        def test_ecs(ecs_client, number): pass

        def test_plain(): pass
        """
    )
    result = run(inner, "-p", "other_server")
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(["*EnvironmentStartError: *could not be started*/no/such/python*"])
    assert list(home.iterdir()) == []


def test_a_server_that_ends_at_once_is_told(inner: pytest.Pytester, home: Path) -> None:
    program = inner.path / "python"
    program.write_text("#!/bin/sh\necho this python is broken >&2\nexit 7\n")
    program.chmod(0o755)
    use_server_command(inner, str(program))
    inner.makepyfile("def test_ecs(ecs_client): pass")
    for arguments in ([], ["-n1"]):
        result = run(inner, "-p", "other_server", *arguments)
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*EnvironmentStartError: *", "*this python is broken*"])
    assert list(home.iterdir()) == []


def test_a_home_that_is_open_to_others_is_told_to_tests_that_need_it(
    inner: pytest.Pytester, home: Path
) -> None:
    home.mkdir(mode=0o755)
    inner.makepyfile("def test_ecs(ecs_client): pass\ndef test_plain(): pass")
    result = run(inner)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["EnvironmentStartError: * is open to other users *"])
    result.stderr.no_fnmatch_line("*Traceback*")


def test_engines_that_cannot_start_say_why(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    inner.makepyfile(
        """
        import pytest

        @pytest.mark.kecs(engine="kind")
        def test_kind(ecs_client): pass

        def test_process(ecs_client):
            assert ecs_client.list_clusters()["clusterArns"] == []
        """
    )
    result = run(inner)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*EnvironmentStartError: *kind*"])
