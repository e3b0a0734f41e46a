from __future__ import annotations

import errno
import json
import os
import signal
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_kecs import registry
from pytest_kecs.errors import EnvironmentStartError
from pytest_kecs.launcher import Launcher
from pytest_kecs.launcher import LaunchOptions

STAND_IN = str(Path(__file__).with_name("stand_in_server.py"))
NO_PROXIES = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KECS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def make_launcher(kind: str = "", **options: Any) -> Launcher:
    command = (sys.executable, "-P", STAND_IN, kind)
    return Launcher(LaunchOptions(**options), version="1.2.3", command=command)


@contextmanager
def bound(kind: str = "", **options: Any) -> Iterator[Launcher]:
    with make_launcher(kind, **options) as launcher:
        yield launcher


def ask(launcher: Launcher) -> dict[str, Any]:
    with NO_PROXIES.open(launcher.endpoint, timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


def server_of(launcher: Launcher) -> psutil.Process:
    record = registry.read(launcher.name)
    assert registry.is_alive(record)
    return psutil.Process(record.server_pid)


def test_binding_records_the_environment_and_starts_nothing() -> None:
    with bound(region="eu-west-1") as launcher:
        record = registry.read(launcher.name)
        assert (launcher.directory / "environment.json").stat().st_mode & 0o777 == 0o600
        assert launcher.directory.stat().st_mode & 0o777 == 0o700
        assert record.endpoint == launcher.endpoint
        assert record.run_secret == launcher.run_secret
        assert (record.region, record.version) == ("eu-west-1", "1.2.3")
        assert record.owner_pid == os.getpid()
        assert registry.has_owner(record)
        assert not registry.is_alive(record)
        assert not launcher.started
        assert launcher.failure() is None


def test_what_was_never_started_leaves_nothing(home: Path) -> None:
    threads = threading.enumerate()
    with bound() as launcher:
        launcher.activate_on_connect()
    assert list(home.iterdir()) == []
    with pytest.raises(urllib.error.URLError, match="refused"):
        ask(launcher)
    assert threading.enumerate() == threads


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(EnvironmentStartError, match=f"port {port} .* in use .* another port"):
            make_launcher(port=port).bind()


def test_a_home_that_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(record: registry.EnvironmentRecord) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(registry, "create", refuse)
    with pytest.raises(EnvironmentStartError, match=r"No space left .* KECS_HOME"):
        make_launcher().bind()


def test_a_number_that_is_no_port_is_refused() -> None:
    with pytest.raises(EnvironmentStartError, match="70000 is not a port"):
        make_launcher(port=70000).bind()


def test_the_first_connection_starts_the_server(home: Path) -> None:
    with bound() as launcher:
        launcher.activate_on_connect()
        assert ask(launcher)["settings"]["name"] == launcher.name
        assert launcher.started
        server = server_of(launcher)
        assert server.ppid() == os.getpid()
    assert not server.is_running()
    assert list(home.iterdir()) == []


def test_the_server_is_told_its_settings_and_is_in_a_session_of_its_own() -> None:
    with bound(engine="process", images={"a:*": "sleep 1"}, lease=5.0) as launcher:
        launcher.start()
        settings = ask(launcher)["settings"]
        assert os.getsid(server_of(launcher).pid) != os.getsid(0)
    assert settings["directory"] == str(launcher.directory)
    assert settings["secret"] == launcher.run_secret
    assert settings["owner_pid"] == os.getpid()
    assert settings["images"] == {"a:*": "sleep 1"}
    assert settings["lease"] == 5.0


def test_settings_larger_than_a_pipe_arrive() -> None:
    images = {f"image-{number}": "sleep 1000" for number in range(10_000)}
    with bound(images=images) as launcher:
        launcher.start()
        assert ask(launcher)["settings"]["images"] == images


def test_starting_twice_starts_once() -> None:
    with bound() as launcher:
        launcher.start()
        server = server_of(launcher)
        launcher.start()
        assert server_of(launcher) == server
        ask(launcher)


def test_the_owners_folder_and_warnings_do_not_reach_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("PYTHONPATH", "lib")
    with bound() as launcher:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", launcher.endpoint)
        launcher.start()
        environ = ask(launcher)["environ"]
    assert "PYTHONWARNINGS" not in environ
    assert str(tmp_path / "lib") in environ["PYTHONPATH"].split(os.pathsep)
    # Set after the port was bound: the server must not be led to itself.
    assert "AWS_ENDPOINT_URL_ECS" not in environ


def test_clients_of_a_server_that_dies_are_not_left_hanging() -> None:
    with bound("broken") as launcher:
        launcher.activate_on_connect()
        with pytest.raises(OSError, match=r"reset|closed|refused"):
            ask(launcher)
        launcher.wait()
        failure = launcher.failure()
    assert failure is not None
    assert "exit status 3" in failure
    assert failure.endswith("no cluster answers at 10.0.0.1")


def test_the_failure_is_still_known_after_the_end(home: Path) -> None:
    launcher = make_launcher("broken")
    launcher.bind()
    launcher.start()
    launcher.wait()
    launcher.stop()
    assert "no cluster answers" in str(launcher.failure())
    assert list(home.iterdir()) == []


def test_a_killed_server_is_a_failure(home: Path) -> None:
    with bound() as launcher:
        launcher.start()
        ask(launcher)
        server_of(launcher).kill()
        assert launcher.wait() == -signal.SIGKILL
        assert "was killed by SIGKILL" in str(launcher.failure())
    assert list(home.iterdir()) == []


def test_a_server_that_does_not_end_is_killed(home: Path) -> None:
    launcher = make_launcher("deaf")
    launcher.bind()
    launcher.start()
    ask(launcher)
    server = server_of(launcher)
    launcher.stop(timeout=0.2)
    assert not server.is_running()
    assert list(home.iterdir()) == []
    assert launcher.failure() is None


def test_a_command_that_cannot_be_run_is_an_error(tmp_path: Path) -> None:
    launcher = Launcher(LaunchOptions(), command=(str(tmp_path / "nothing"),))
    with launcher:
        with pytest.raises(EnvironmentStartError, match="could not be started"):
            launcher.start()
        assert "could not be started" in str(launcher.failure())
        with pytest.raises(urllib.error.URLError, match="refused"):
            ask(launcher)


def test_a_detached_server_goes_on() -> None:
    kept = {"test": "test_a.py::test_b", "access_key": "K", "secret_key": "S"}
    with bound() as launcher:
        launcher.start()
        ask(launcher)
        server = server_of(launcher)
        launcher.detach(lease_until=12.5, kept_realms=[kept])
    record = registry.read(launcher.name)
    assert registry.is_alive(record)
    assert (record.kept, record.lease_until, record.owner_pid) == (True, 12.5, None)
    assert record.kept_realms == (kept,)
    assert ask(launcher)["settings"]["name"] == launcher.name
    server.terminate()
    server.wait(30)
    assert not launcher.directory.exists()


def test_detaching_what_never_started_ends_it(home: Path) -> None:
    with bound() as launcher:
        launcher.detach()
        assert list(home.iterdir()) == []


def test_a_forked_process_neither_starts_nor_stops_the_environment() -> None:
    with bound() as launcher:
        launcher.activate_on_connect()
        child = os.fork()
        if child == 0:
            launcher.start()
            launcher.stop()
            launcher.detach()
            os._exit(1 if launcher.started else 0)
        assert os.waitpid(child, 0)[1] == 0
        assert launcher.directory.exists()
        assert not launcher.started
        assert ask(launcher)["settings"]["name"] == launcher.name


def test_a_forked_process_does_not_hold_the_socket() -> None:
    read, write = os.pipe()
    forked, has_forked = os.pipe()
    with bound() as launcher:
        launcher.activate_on_connect()
        child = os.fork()
        if child == 0:
            os.write(has_forked, b".")
            os.close(write)
            os.read(read, 1)
            os._exit(0)
        os.read(forked, 1)
        launcher.stop()
        with pytest.raises(urllib.error.URLError, match="refused"):
            ask(launcher)
    for descriptor in (write, read, forked, has_forked):
        os.close(descriptor)
    assert os.waitpid(child, 0)[1] == 0


def test_the_watching_thread_is_not_there_during_a_fork() -> None:
    with bound() as launcher:
        without = threading.active_count()
        launcher.activate_on_connect()
        assert threading.active_count() == without + 1
        launcher.before_fork()
        assert threading.active_count() == without
        launcher.after_fork_in_parent()
        assert threading.active_count() == without + 1


def test_fingerprints_tell_what_matters_apart() -> None:
    options = LaunchOptions(images={"a": "b"})
    assert options.fingerprint() == replace(options, port=1, lease=2.0).fingerprint()
    assert options.fingerprint() != replace(options, engine="kind").fingerprint()
    assert options.fingerprint() != replace(options, images={}).fingerprint()
