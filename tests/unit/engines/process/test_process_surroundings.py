"""What a container finds around itself: user, limits, standard streams, init, tmpfs."""

from __future__ import annotations

import grp
import json
import os
import pwd
import resource
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_driver import Driver
from engine_driver import Fifo
from engine_driver import container
from engine_driver import python
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import Tmpfs
from kecs_server.engines.base import Ulimit
from kecs_server.engines.process import users
from kecs_server.engines.process.engine import ProcessEngine
from kecs_server.engines.process.errors import RUNC
from kecs_server.engines.process.errors import LaunchError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
as_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may raise every limit")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

WHO = """
id -u; id -g; id -G; touch here "$TMPDIR/there"; echo text > /dev/stderr; pwd -P; echo "$HOME"
"""


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """One that other users can reach; those of pytest are closed to them."""
    with tempfile.TemporaryDirectory(prefix="kecs-test-") as name:
        yield Path(name)


@pytest.fixture
def roomy(environment_name: str, no_leaks: None, open_directory: Path) -> Iterator[Driver]:
    """An engine whose containers other users can reach."""
    engine = ProcessEngine(
        environment_name=environment_name,
        directory=open_directory / "environment",
        interpreter=sys.executable,
        rootdir="/",
    )
    driver = Driver(engine)
    engine.open(driver.observe, lambda phase: None)
    yield driver
    engine.close()


@as_root
@pytest.mark.parametrize(
    ("user", "uid", "gid"),
    [
        ("12345", 12345, 0),
        ("12345:54321", 12345, 54321),
        ("nobody", *pwd.getpwnam("nobody")[2:4]),
        ("nobody:12", pwd.getpwnam("nobody").pw_uid, 12),
        (f"12345:{grp.getgrgid(1).gr_name}", 12345, 1),
        ("0:12", 0, 12),
    ],
)
def test_user(roomy: Driver, user: str, uid: int, gid: int) -> None:
    task = roomy.start("/bin/sh", "-c", WHO, user=user)
    assert roomy.wait(ContainerStopped, task).exit_code == 0, roomy.logs(task)
    logs = roomy.logs(task)
    work = roomy.directory(task) / "app" / "work"
    real = os.path.realpath(work)
    assert logs.stdout.decode().splitlines() == [str(uid), str(gid), str(gid), real, str(work)]
    assert logs.stderr == b"text\n"  # by its name, not by the open file
    assert (work / "here").stat().st_uid == uid


@pytest.mark.parametrize("user", [None, pytest.param("12345", marks=as_root)])
def test_a_file_that_it_is_given(roomy: Driver, user: str | None) -> None:
    """At its path in the container's own root, and wherever else that starts; anew each time."""
    script = 'cat etc/a.conf "$KECS_FILE_ETC_A_CONF"; ! test -e gone; rm etc/a.conf; echo > gone'
    files = {"/etc/a.conf": "text\n"}
    spec = container("/bin/sh", "-c", script, user=user, files=files, restarts=True)
    task = roomy.provision(spec)
    for times in (1, 2):
        roomy.engine.start_container(task, "app")
        roomy.wait(ContainerStopped, task)
        assert roomy.logs(task).stdout == b"text\ntext\n" * times
        roomy.seen.clear()


@as_root
def test_user_in_a_working_directory_that_is_made(roomy: Driver) -> None:
    assert roomy.output("/bin/sh", "-c", "echo x > f; cat f", user="1", working_directory="/a/b")


@as_root
@pytest.mark.parametrize("name", ["work", "tmp", "tmpfs", ""])
def test_what_a_link_leads_to_is_not_given_away(
    roomy: Driver, open_directory: Path, name: str
) -> None:
    there = open_directory / "there"
    (there / "deep").mkdir(parents=True)
    there.chmod(0o700)
    script = f"cd ../..; rm -r app/{name}; ln -s '{there}' app{name and '/' + name}"
    fields = {"user": "12345", "tmpfs": (Tmpfs(path="/cache", size=1),)}
    task = roomy.provision(
        container("/bin/sh", "-c", script, name="other"), container("/bin/true", **fields)
    )
    roomy.engine.start_container(task, "other")
    assert roomy.wait(ContainerStopped, task, "other").exit_code == 0
    roomy.engine.start_container(task, "app")
    roomy.wait(ContainerStopped, task)
    found = [(path.stat().st_uid, path.stat().st_mode & 0o777) for path in (there, there / "deep")]
    assert found == [(0, 0o700), (0, 0o755)]


@as_root
@linux_only
def test_user_keeps_the_ties_to_the_supervisor(roomy: Driver) -> None:
    task = roomy.start("/bin/sleep", "1000", user="12345")
    pid = roomy.pid(task)
    os.kill(roomy.supervisor_pid(), 9)
    assert roomy.wait(ContainerStopped, task).exit_code is None
    assert not os.path.exists(f"/proc/{pid}")


@as_root
def test_commands_run_as_the_containers_user(roomy: Driver) -> None:
    task = roomy.start("/bin/sleep", "1000", user="12345:6")
    roomy.pid(task)
    result = roomy.engine.execute(task, "app", ["/usr/bin/id"], 10.0).result(30)
    assert result.output.startswith(b"uid=12345 gid=6")


@as_root
def test_program_that_the_user_may_not_execute(roomy: Driver, open_directory: Path) -> None:
    program = open_directory / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    stopped = roomy.run(str(program), user="12345")
    assert (stopped.exit_code, stopped.reason) == (
        None,
        RUNC.format(f'exec: "{program}": permission denied'),
    )


@as_root
def test_user_can_list_nothing_on_the_way(roomy: Driver, open_directory: Path) -> None:
    task = roomy.start("/bin/true", user="12345")
    roomy.wait(ContainerStopped, task)
    directory = roomy.directory(task)
    environment = open_directory / "environment"
    for folder in (environment, environment / "tasks", directory, directory / "app"):
        assert folder.stat().st_mode & 0o777 == 0o711


@as_root
def test_user_below_a_closed_folder(driver: Driver, tmp_path: Path) -> None:
    (tmp_path.parent).chmod(0o700)
    stopped = driver.run("true", user="12345")
    assert stopped.reason is not None
    assert "is closed to other users than root" in stopped.reason
    assert "KECS_HOME" in stopped.reason


@pytest.mark.parametrize(
    ("user", "text"),
    [
        ("no-such", "unable to find user no-such: no matching entries in passwd file"),
        ("no-such:0", "unable to find user no-such: no matching entries in passwd file"),
        ("0:no-such", "unable to find group no-such: no matching entries in group file"),
        ("4294967295", "uids and gids must be in range 0-2147483647"),
        ("0:4294967295", "uids and gids must be in range 0-2147483647"),
        ("-1", "uids and gids must be in range 0-2147483647"),
        ("a\0b", "unable to find user a\0b: no matching entries in passwd file"),
    ],
)
def test_unknown_user_whoever_asks(driver: Driver, user: str, text: str) -> None:
    stopped = driver.run("true", user=user)
    reason = f"CannotStartContainerError: Error response from daemon: {text}"
    assert (stopped.exit_code, stopped.reason) == (None, reason)


def test_only_root_becomes_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert users.find_user("nobody") is None
    with pytest.raises(LaunchError):
        users.find_user("no-such")


@pytest.mark.parametrize("user", [None, "", "0", "root", "0:0"])
def test_the_servers_own_user(user: str | None) -> None:
    assert users.find_user(user) is None


def test_ulimits(driver: Driver) -> None:
    code = """
        import json, resource
        print(json.dumps([resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))
                          for name in ("NOFILE", "CORE", "FSIZE")]))
    """
    limits = (
        Ulimit(name="nofile", soft=64, hard=128),
        Ulimit(name="core", soft=0, hard=0),
        Ulimit(name="fsize", soft=4096, hard=-1),
    )
    expected = [[64, 128], [0, 0], [4096, resource.RLIM_INFINITY]]
    assert json.loads(driver.output(*python(code), ulimits=limits)) == expected


@linux_only
def test_every_ulimit_of_docker(driver: Driver) -> None:
    names = [line.split()[1] for line in Path("/proc/self/limits").read_text().splitlines()[1:]]
    assert len(names) == 16
    known = "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime"
    wanted = [*known.split(), "sigpending", "stack"]
    keep = {
        name: getattr(resource, f"RLIMIT_{name.upper()}", 10) for name in wanted
    }  # 10: locks, which Python has no name for
    limits = tuple(
        Ulimit(name=name, soft=resource.prlimit(0, number)[0], hard=resource.prlimit(0, number)[1])
        for name, number in keep.items()
    )
    assert driver.run("true", ulimits=limits).exit_code == 0


@linux_only
def test_ulimit_above_what_is_allowed(driver: Driver) -> None:
    """For root too: no process may have more files than the kernel's limit."""
    most = int(Path("/proc/sys/fs/nr_open").read_text())
    stopped = driver.run("true", ulimits=(Ulimit(name="nofile", soft=1, hard=most + 1),))
    text = (
        "error during container init: error setting rlimits for ready process: "
        "error setting rlimit type 7: operation not permitted"
    )
    assert (stopped.exit_code, stopped.reason) == (None, RUNC.format(text))


@as_user
def test_ulimit_above_the_users_own(driver: Driver) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    stopped = driver.run("true", ulimits=(Ulimit(name="nofile", soft=1, hard=hard + 1),))
    assert stopped.reason is not None
    assert "operation not permitted" in stopped.reason


def test_commands_have_the_containers_limits(driver: Driver) -> None:
    task = driver.start("sleep", "1000", ulimits=(Ulimit(name="nofile", soft=33, hard=33),))
    driver.pid(task)
    result = driver.engine.execute(task, "app", ["sh", "-c", "ulimit -n"], 10.0).result(30)
    assert result.output == b"33\n"


def test_pseudo_terminal(driver: Driver) -> None:
    script = "test -t 0 && test -t 1 && test -t 2 && echo $TERM; echo error >&2; : > /dev/tty"
    assert driver.output("sh", "-c", script, pseudo_terminal=True) == "xterm\r\nerror\r\n"


def test_pseudo_terminal_with_much_output(driver: Driver) -> None:
    lines = driver.output("seq", "1", "200000", pseudo_terminal=True).split("\r\n")
    assert lines == [str(number) for number in range(1, 200001)] + [""]


def test_pseudo_terminal_is_given_back(driver: Driver) -> None:
    """The supervisor's files are as many afterwards, also after a program that never ran."""
    folder = f"/proc/{driver.supervisor_pid()}/fd"

    def count() -> int:
        return len(os.listdir(folder)) if sys.platform == "linux" else 0

    driver.run("true")
    before = count()
    for _ in range(5):
        driver.run("true", pseudo_terminal=True)
        driver.run("true", interactive=True)
        driver.run("true", pseudo_terminal=True, environment={"A": "\0"})
        driver.run("true", interactive=True, environment={"A": "\0"})
    driver.run("true")
    deadline = time.monotonic() + 20
    while abs(count() - before) > 4:  # the spare process may be under way
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_pseudo_terminal_of_a_container_that_is_stopped(driver: Driver) -> None:
    task = driver.start(pseudo_terminal=True)
    driver.pid(task)
    driver.engine.stop_containers(task, ["app"])
    assert driver.wait(ContainerStopped, task).exit_code == 143


def test_standard_input_is_empty_unless_interactive(driver: Driver) -> None:
    assert driver.output("cat") == ""


def test_interactive_keeps_standard_input_open(driver: Driver, fifo: Fifo) -> None:
    task = driver.start("sh", "-c", f"echo up > '{fifo.path}'; cat; exit 3", interactive=True)
    fifo.read_line()
    driver.pid(task)
    result = driver.engine.execute(task, "app", ["true"], 10.0).result(30)  # it runs still
    assert result.exit_code == 0
    driver.engine.stop_containers(task, ["app"])
    assert driver.wait(ContainerStopped, task).exit_code == 143


@linux_only
def test_init_reaps_what_the_program_does_not(driver: Driver, fifo: Fifo) -> None:
    """The orphan of a program that never waits: a zombie without init, gone with it."""
    code = """
        import os, signal, sys, time
        ends = os.pipe()
        if os.fork() == 0:
            if os.fork() == 0:
                os.close(ends[0])
                os.write(ends[1], b"%d" % os.getpid())
                os._exit(0)
            os._exit(0)
        os.close(ends[1])
        os.wait()
        pid = os.read(ends[0], 20)
        os.read(ends[0], 1)
        deadline = time.monotonic() + (10 if sys.argv[1] == "gone" else 0.5)
        while os.path.exists(f"/proc/{int(pid)}") and time.monotonic() < deadline:
            time.sleep(0.01)
        print("zombie" if os.path.exists(f"/proc/{int(pid)}") else "gone")
    """
    assert driver.output(*python(code, "zombie")) == "zombie\n"
    assert driver.output(*python(code, "gone"), init=True) == "gone\n"


@pytest.mark.parametrize("code", [0, 3, 255])
def test_init_ends_with_the_programs_code(driver: Driver, code: int) -> None:
    assert driver.run("sh", "-c", f"exit {code}", init=True).exit_code == code


def test_init_hands_signals_on(driver: Driver, fifo: Fifo) -> None:
    script = f"trap 'exit 9' TERM; echo up > '{fifo.path}'; while :; do sleep 0.05; done"
    task = driver.start("sh", "-c", script, init=True)
    fifo.read_line()
    driver.engine.stop_containers(task, ["app"])
    assert driver.wait(ContainerStopped, task).exit_code == 9
    killed = driver.run("sh", "-c", "kill -KILL $$", init=True)
    assert (killed.exit_code, killed.reason) == (137, None)


def test_init_of_a_program_that_cannot_be_executed(driver: Driver) -> None:
    stopped = driver.run("no-such", init=True)
    assert stopped.exit_code is None
    assert "ContainerStarted" not in driver.of(stopped.task_id)


@linux_only
def test_init_dies_with_all(driver: Driver, fifo: Fifo) -> None:
    task = driver.start("sh", "-c", f"exec 3>'{fifo.path}'; echo up >&3; sleep 1000", init=True)
    fifo.read_line()
    driver.remove(task)
    assert not fifo.is_held()


def test_tmpfs_is_a_directory_that_a_restart_finds_empty(driver: Driver) -> None:
    task = driver.provision(
        container(
            *("sh", "-c", "ls run/cache; echo x > run/cache/file; cat run/cache/file"),
            tmpfs=(Tmpfs(path="/run/cache", size=1),),
            restarts=True,
        )
    )
    for _ in range(2):
        driver.engine.start_container(task, "app")
        driver.wait(ContainerStopped, task)
        driver.seen.clear()
    assert driver.stdout(task) == b"x\nx\n"


@pytest.mark.parametrize("wanted", [None, "/no-such", "/run"])
def test_tmpfs_is_reached_by_its_variable(driver: Driver, wanted: str | None) -> None:
    """From wherever the container starts, as volumes are, and below its own directory."""
    script = 'cd "$KECS_TMPFS_RUN_CACHE" && pwd -P && cd "$HOME/run/cache" && pwd -P'
    tmpfs = (Tmpfs(path="/run/cache", size=1),)
    first, second = driver.output(
        "sh", "-c", script, tmpfs=tmpfs, working_directory=wanted
    ).splitlines()
    assert first == second
    assert first.endswith("/app/tmpfs/0")


def test_tmpfs_at_a_relative_path_is_refused(driver: Driver) -> None:
    stopped = driver.run("true", tmpfs=(Tmpfs(path="cache", size=1),))
    assert "invalid mount path: 'cache' mount path must be absolute" in (stopped.reason or "")


def test_tmpfs_at_the_root_is_refused(driver: Driver) -> None:
    stopped = driver.run("true", tmpfs=(Tmpfs(path="/..", size=1),))
    assert stopped.reason is not None
    assert stopped.reason.startswith("CannotCreateContainerError: ")
    assert "destination can't be '/'" in stopped.reason


def test_hostname_is_a_variable(driver: Driver) -> None:
    name = uuid.uuid4().hex
    assert driver.output("printenv", "HOSTNAME", hostname=name) == f"{name}\n"
