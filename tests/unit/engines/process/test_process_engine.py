"""What a container is and gets, from start to discard."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from engine_driver import Driver
from engine_driver import container
from engine_driver import python
from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import EngineError
from kecs_server.engines.base import TaskLost
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.process.engine import ProcessEngine
from kecs_server.engines.process.link import BOOT
from kecs_server.engines.process.link import ROOT
from written import Written

RUNC = (
    "CannotStartContainerError: Error response from daemon: failed to create task for container: "
    "failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: "
)


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_exit_code(driver: Driver, code: int) -> None:
    stopped = driver.run("sh", "-c", f"exit {code}")
    assert (stopped.exit_code, stopped.reason) == (code, None)


@pytest.mark.parametrize("name", ["TERM", "KILL", "SEGV", "USR1"])
def test_signal_is_128_and_its_number(driver: Driver, name: str) -> None:
    number = getattr(signal, f"SIG{name}")
    assert driver.run("sh", "-c", f"kill -{name} $$").exit_code == 128 + number


def test_observations_of_a_task_come_in_order(driver: Driver) -> None:
    task = driver.start("true")
    driver.wait(ContainerStopped, task)
    driver.remove(task)
    assert driver.of(task) == [
        "Provisioned",
        "PullStarted",
        "PullStopped",
        "ContainerStarted",
        "ContainerStopped",
        "Removed",
    ]


def test_entry_point_and_command_are_one_argv(driver: Driver) -> None:
    task = driver.start("a b", "", "$HOME", "ü\n", entry_point=("printf", "[%s]"))
    assert driver.wait(ContainerStopped, task).exit_code == 0
    assert driver.stdout(task).decode() == "[a b][][$HOME][ü\n]"


def test_without_command_it_idles_until_stopped(driver: Driver) -> None:
    task = driver.start()
    driver.pid(task)
    driver.engine.stop_containers(task, ["app"])
    assert driver.wait(ContainerStopped, task).exit_code == 143


def test_environment_is_exact(
    driver: Driver, environment_name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TEST_SECRET", "must not be seen")
    given = {"A": "=x=\n$HOME `x` \\", "EMPTY": "", "UNICODE": "grüß 日本 😀"}
    task = driver.start("env", "-0", environment={**given, "KECS_ENVIRONMENT": "another"})
    driver.wait(ContainerStopped, task)
    seen = dict(entry.split("=", 1) for entry in driver.stdout(task).decode().split("\0") if entry)
    directory = driver.engine._directory / task / "app"
    path = seen.pop("PATH")
    seen.pop("LANG", None)
    assert seen == {
        **given,
        "HOME": str(directory / "work"),
        "TMPDIR": str(directory / "tmp"),
        "KECS_ENVIRONMENT": environment_name,
        "PYTHONPATH": str(tmp_path / "rootdir"),
    }
    assert path == f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    assert os.path.isdir(directory / "tmp")


def test_definition_may_replace_path_and_home(driver: Driver) -> None:
    task = driver.start(
        "/bin/sh", "-c", 'echo "$PATH $HOME"', environment={"PATH": "/x", "HOME": "/y"}
    )
    driver.wait(ContainerStopped, task)
    assert driver.stdout(task) == b"/x /y\n"


def test_python_is_the_running_one(driver: Driver) -> None:
    name = os.path.basename(sys.executable)
    task = driver.start(name, "-c", "import sys; print(sys.prefix)")
    assert driver.wait(ContainerStopped, task).exit_code == 0
    assert driver.stdout(task).decode().strip() == sys.prefix


def test_commands_are_looked_up_in_the_containers_path(driver: Driver, tmp_path: Path) -> None:
    tool = tmp_path / "kecs-test-tool"
    tool.write_text("#!/bin/sh\nexit 7\n")
    tool.chmod(0o755)
    assert driver.run("kecs-test-tool", environment={"PATH": str(tmp_path)}).exit_code == 7
    assert driver.run("./kecs-test-tool", working_directory=str(tmp_path)).exit_code == 7


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("no-such-command", 'exec: "no-such-command": executable file not found in $PATH'),
        ("/no/such", 'exec: "/no/such": stat /no/such: no such file or directory'),
        ("./no-such", 'exec: "./no-such": stat ./no-such: no such file or directory'),
        ("/etc/passwd", 'exec: "/etc/passwd": permission denied'),
        ("/etc/passwd/x", 'exec: "/etc/passwd/x": stat /etc/passwd/x: not a directory'),
        ("/tmp", 'exec: "/tmp": is a directory'),
        ("", 'exec: "": executable file not found in $PATH'),
    ],
)
def test_command_that_cannot_be_executed(driver: Driver, command: str, text: str) -> None:
    stopped = driver.run(command, "argument")
    assert (stopped.exit_code, stopped.reason) == (None, f"{RUNC}{text}: unknown")
    assert "ContainerStarted" not in driver.of(stopped.task_id)
    assert driver.logs(stopped.task_id) == Written()


@pytest.mark.parametrize(
    "fields",
    [{"environment": {"": "x"}}, {"environment": {"A": "\0"}}, {"environment": {"A": "\ud800"}}],
)
def test_what_no_process_can_have(driver: Driver, fields: dict[str, dict[str, str]]) -> None:
    stopped = driver.run("true", **fields)
    assert (stopped.exit_code, stopped.reason) == (None, f"{RUNC}exec: invalid argument: unknown")


def test_arguments_with_nul_or_lone_surrogate(driver: Driver) -> None:
    for command in (("a\0b",), ("/a\0b",), ("\ud800",), ("/\ud800",), ("echo", "\ud800")):
        stopped = driver.run(*command)
        assert stopped.exit_code is None
        assert stopped.reason is not None
        assert stopped.reason.startswith(RUNC)


def test_script_without_interpreter_line_fails_as_under_runc(
    driver: Driver, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text("exit 0\n")
    script.chmod(0o755)
    stopped = driver.run(str(script))
    assert (stopped.exit_code, stopped.reason) == (255, None)
    logs = driver.logs(stopped.task_id)
    assert logs.stderr.decode() == f"exec {script}: exec format error\n"


def test_working_directory_that_exists_is_used(driver: Driver, tmp_path: Path) -> None:
    task = driver.start("pwd", "-P", working_directory=str(tmp_path))
    driver.wait(ContainerStopped, task)
    assert driver.stdout(task).decode().strip() == os.path.realpath(tmp_path)


def test_relative_working_directory_is_looked_for_in_rootdir(
    driver: Driver, tmp_path: Path
) -> None:
    (tmp_path / "rootdir" / "sub").mkdir()
    task = driver.start("pwd", "-P", working_directory="sub")
    driver.wait(ContainerStopped, task)
    assert driver.stdout(task).decode().strip() == os.path.realpath(tmp_path / "rootdir" / "sub")


@pytest.mark.parametrize(
    "wanted", ["/no-such/app", "app/x", "../../../no-such", "/../../no-such", None]
)
def test_working_directory_is_made_within_the_task(driver: Driver, wanted: str | None) -> None:
    task = driver.start("pwd", "-P", working_directory=wanted)
    driver.wait(ContainerStopped, task)
    work = os.path.realpath(driver.engine._directory / task / "app" / "work")
    expected = os.path.normpath(work + os.path.normpath(f"/{wanted or ''}"))
    assert driver.stdout(task).decode().strip() == expected


@pytest.mark.parametrize("wanted", [".", "..", "../../..", "a/.."])
def test_a_relative_working_directory_that_is_the_root(driver: Driver, wanted: str) -> None:
    """The container's own, never the project's folder."""
    task = driver.start("pwd", "-P", working_directory=wanted)
    driver.wait(ContainerStopped, task)
    work = os.path.realpath(driver.directory(task) / "app" / "work")
    assert driver.stdout(task).decode().strip() == work


def test_a_runtime_id_has_fargates_form(driver: Driver) -> None:
    task = driver.start("sleep", "1000")
    started = driver.wait(ContainerStarted, task)
    assert re.fullmatch(task + "-[0-9]{10}", started.runtime_id)


def test_working_directory_that_is_a_file(driver: Driver) -> None:
    stopped = driver.run("true", working_directory="/etc/passwd")
    text = 'chdir to cwd ("/etc/passwd") set in config.json failed: not a directory'
    assert stopped.reason == f"{RUNC}{text}: unknown"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no such image", "CannotPullContainerError: no such image"),
        ("CannotPullImageManifestError: unknown", "CannotPullImageManifestError: unknown"),
    ],
)
def test_pull_error(driver: Driver, text: str, reason: str) -> None:
    stopped = driver.run("true", pull_error=text)
    assert (stopped.exit_code, stopped.reason) == (None, reason)
    assert driver.of(stopped.task_id) == [
        "Provisioned",
        "PullStarted",
        "PullStopped",
        "ContainerStopped",
    ]


def test_output_is_kept_as_it_was_written(driver: Driver) -> None:
    code = "import os; os.write(1, bytes(range(256))); os.write(2, b'no newline')"
    task = driver.start(*python(code))
    driver.wait(ContainerStopped, task)
    assert driver.logs(task) == Written(stdout=bytes(range(256)), stderr=b"no newline")


def test_logs_are_kept_until_discarded(driver: Driver) -> None:
    task = driver.start("echo", "hello")
    driver.wait(ContainerStopped, task)
    driver.engine.discard(task)  # not removed yet: ignored
    driver.remove(task)
    assert driver.stdout(task) == b"hello\n"
    directory = driver.engine._directory / task
    assert directory.exists()
    driver.engine.discard(task)
    assert not directory.exists()
    with pytest.raises(KeyError):
        driver.logs(task)


def test_logs_of_the_unknown(driver: Driver) -> None:
    task = driver.provision(container("true"))
    assert driver.logs(task) == Written()
    for unknown in ((task, "other"), ("0" * 32, "app")):
        with pytest.raises(KeyError):
            driver.logs(*unknown)


def test_starts_with_clean_signals_files_and_session(driver: Driver, no_leaks: None) -> None:
    code = """
        import json, os, signal
        ignored = [n for n in signal.valid_signals() if signal.getsignal(n) == signal.SIG_IGN]
        print(json.dumps({
            "ignored": sorted(set(ignored) - {signal.SIGPIPE, signal.SIGXFSZ}),  # Python's own
            "blocked": list(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
            "fds": [fd for fd in range(100) if os.path.exists(f"/dev/fd/{fd}")],
            "leads": os.getpid() == os.getsid(0) == os.getpgrp(),
            "stdin": os.read(0, 1).decode(),
            "umask": os.umask(0),
        }))
    """
    task = driver.start(*python(code))
    driver.wait(ContainerStopped, task)
    assert json.loads(driver.stdout(task)) == {
        "ignored": [],
        "blocked": [],
        "fds": [0, 1, 2],
        "leads": True,
        "stdin": "",
        "umask": 0o022,
    }


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_sigpipe_is_not_ignored(driver: Driver) -> None:
    task = driver.start("grep", "-E", "Sig(Ign|Blk)", "/proc/self/status")
    driver.wait(ContainerStopped, task)
    values = [line.split()[1] for line in driver.stdout(task).decode().splitlines()]
    # 32 and 33 are the C library's own: nobody can set them, so they stay as they were inherited.
    settable = ~(1 << 31 | 1 << 32)
    assert [int(value, 16) & settable for value in values] == [0, 0]


def test_idle_container_holds_nothing_open(driver: Driver) -> None:
    pid = driver.pid(driver.start())
    assert sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"]


def test_two_containers_are_independent(driver: Driver) -> None:
    task = driver.provision(
        container("sh", "-c", "exit 4", name="one"), container("sleep", "1000", name="two")
    )
    driver.engine.start_container(task, "one")
    driver.engine.start_container(task, "two")
    driver.pid(task, "two")
    assert driver.wait(ContainerStopped, task, "one").exit_code == 4
    driver.engine.stop_containers(task, ["one", "two"])
    assert driver.wait(ContainerStopped, task, "two").exit_code == 143
    assert driver.of(task).count("ContainerStopped") == 2


def test_many_at_once(driver: Driver) -> None:
    tasks = [driver.start("sh", "-c", f"echo {n}; exit {n}") for n in range(200)]
    for n, task in enumerate(tasks):
        assert driver.wait(ContainerStopped, task).exit_code == n
        assert driver.stdout(task) == b"%d\n" % n
        kinds = driver.of(task)
        assert kinds.index("ContainerStarted") < kinds.index("ContainerStopped")
        assert len(kinds) == len(set(kinds))


def test_commands_return_at_once_when_the_supervisor_does_not_read(driver: Driver) -> None:
    os.kill(driver.supervisor_pid(), signal.SIGSTOP)
    environment = {f"V{n}": "x" * 100_000 for n in range(10)}
    try:
        tasks = [driver.start("true", environment=environment) for _ in range(10)]
    finally:
        os.kill(driver.supervisor_pid(), signal.SIGCONT)
    for task in tasks:
        assert driver.wait(ContainerStopped, task).exit_code == 0


def test_repeated_and_unknown_commands_are_ignored(driver: Driver) -> None:
    engine = driver.engine
    engine.start_container("0" * 32, "app")
    engine.stop_containers("0" * 32, ["app"])
    engine.remove("0" * 32)
    engine.discard("0" * 32)
    task = driver.provision(container("sleep", "1000"))
    engine.start_container(task, "other")
    engine.stop_containers(task, ["app", "other"])
    engine.start_container(task, "app")
    engine.start_container(task, "app")
    driver.wait(ContainerStarted, task)
    engine.remove(task)
    engine.remove(task)
    engine.start_container(task, "app")
    driver.remove(task)
    kinds = driver.of(task)
    assert len(kinds) == len(set(kinds))
    engine.discard(task)
    engine.discard(task)


def test_names_do_not_lead_out_of_the_directory(driver: Driver) -> None:
    spec = TaskSpec(
        task_id="1" * 32,
        task_arn="arn",
        family="family",
        containers=(container("true", name="../../outside"),),
    )
    driver.engine.provision(spec)
    assert "not a name" in driver.wait(TaskLost, spec.task_id).reason
    driver.engine.start_container(spec.task_id, "../../outside")
    stopped = driver.wait(ContainerStopped, spec.task_id, "../../outside")
    assert stopped.exit_code is None
    driver.remove(spec.task_id)


def test_close_is_idempotent_and_ends_everything(driver: Driver) -> None:
    tasks = [driver.start("sleep", "1000"), driver.start(), driver.provision(container("true"))]
    driver.engine.close()
    driver.engine.close()
    for task in tasks:
        assert driver.of(task)[-1] == "Removed"
    driver.engine.provision(
        TaskSpec(task_id="2" * 32, task_arn="arn", family="family", containers=())
    )
    assert driver.of("2" * 32) == []


def test_directory_that_cannot_be_made(no_leaks: None, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    engine = ProcessEngine(
        environment_name="kecs-x",
        directory=tmp_path / "file",
        interpreter=sys.executable,
        rootdir=str(tmp_path),
    )
    with pytest.raises(EngineError, match="could not start"):
        engine.open(lambda observation: None, lambda phase: None)


@pytest.mark.parametrize(
    ("module", "others"),
    [
        ("supervisor", ["cgroups", "forking", "isolating", "kernel", "leader", "output"]),
        ("netns", ["isolating", "netlink", "nftables"]),
    ],
)
def test_processes_of_their_own_need_no_package(module: str, others: list[str]) -> None:
    code = BOOT.replace("sys.exit", "print(*sys.modules); sys.exit")
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT), module, "-1", "100"],
        capture_output=True,
        text=True,
    )
    modules = set(result.stdout.split())
    ours = {name for name in modules if name.startswith("kecs_server")}
    assert {name.partition(".")[0] for name in modules - ours} <= sys.stdlib_module_names | {
        "__main__"
    }
    assert ours == {
        "kecs_server",
        "kecs_server.engines",
        "kecs_server.engines.open_files",
        "kecs_server.engines.process",
        *(f"kecs_server.engines.process.{name}" for name in (module, *others)),
    }
