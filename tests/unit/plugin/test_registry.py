from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_kecs import registry
from pytest_kecs.errors import EnvironmentNotFound
from pytest_kecs.errors import UnsafeHome
from pytest_kecs.registry import EnvironmentRecord


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KECS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def make_record(**members: object) -> EnvironmentRecord:
    name = registry.new_name()
    record = EnvironmentRecord(
        name=name,
        directory=str(registry.home() / name),
        endpoint="http://127.0.0.1:1",
        run_secret="00",
        engine="process",
        region="us-east-1",
        version="1",
        rootdir="/project",
        fingerprint="f",
    )
    record = replace(record, **members)  # type: ignore[arg-type]
    registry.create(record)
    return record


def this_process() -> dict[str, object]:
    return {"owner_pid": os.getpid(), "owner_started": registry.process_started(os.getpid())}


def test_the_home_is_for_its_user_alone(home: Path) -> None:
    assert registry.home() == home
    assert home.stat().st_mode & 0o777 == 0o700


def test_without_kecs_home_it_is_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KECS_HOME")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert registry.home() == tmp_path / f"kecs-{os.getuid()}"


def test_a_home_that_others_can_look_into_is_refused(home: Path) -> None:
    home.mkdir(mode=0o755)
    with pytest.raises(UnsafeHome, match=r"mode 0755.*chmod 700"):
        registry.home()


def test_a_home_that_others_can_only_pass_through_is_taken(home: Path) -> None:
    home.mkdir(mode=0o711)
    assert registry.home() == home


def test_a_link_in_the_temporary_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KECS_HOME")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / f"kecs-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeHome, match="is a link"):
        registry.home()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to somebody else")
def test_a_home_of_somebody_else_is_refused(home: Path) -> None:
    home.mkdir(mode=0o700)
    os.chown(home, 12345, -1)
    with pytest.raises(UnsafeHome, match="user id 12345"):
        registry.home()


def test_a_home_that_cannot_be_made_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("KECS_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(UnsafeHome, match="cannot be made"):
        registry.home()


def test_a_record_is_read_as_it_was_written() -> None:
    kept = ({"test": "t", "access_key": "a", "secret_key": "s"},)
    record = make_record(kept=True, kept_realms=kept, lease_until=3.5, **this_process())
    assert registry.read(record.name) == record
    assert registry.read_all() == [record]


def test_a_record_does_not_show_its_secrets() -> None:
    assert "topsecret" not in repr(make_record(run_secret="topsecret"))


def test_a_written_record_replaces_the_old_one_and_leaves_no_other_file() -> None:
    record = make_record()
    registry.write(replace(record, server_pid=7))
    assert registry.read(record.name).server_pid == 7
    assert [path.name for path in Path(record.directory).iterdir()] == ["environment.json"]


def test_writing_does_not_bring_back_an_ended_environment() -> None:
    record = make_record()
    registry.remove(record.name)
    with pytest.raises(FileNotFoundError):
        registry.write(record)
    assert registry.read_all() == []


def test_records_of_other_versions_are_read() -> None:
    record = make_record()
    path = Path(record.directory) / "environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "colour": "green"}))
    assert registry.read(record.name) == record


@pytest.mark.parametrize("name", ["kecs-ffffff", "../home", "nothing"])
def test_an_unknown_name_tells_the_known_ones(name: str) -> None:
    record = make_record()
    with pytest.raises(EnvironmentNotFound, match=record.name):
        registry.read(name)


def test_a_process_is_told_by_its_number_and_start() -> None:
    started = registry.process_started(os.getpid())
    assert started is not None
    assert registry.is_process(os.getpid(), started)
    assert not registry.is_process(os.getpid(), started - 60)
    assert not registry.is_process(None, None)


def test_a_process_that_was_not_waited_for_is_dead() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert registry.process_started(child) is None
    os.waitpid(child, 0)


def test_pruning_leaves_the_living_alone() -> None:
    owned = make_record(**this_process())
    serving = make_record(
        server_pid=os.getpid(), server_started=registry.process_started(os.getpid())
    )
    assert registry.prune() == ([], [])
    assert {record.name for record in registry.read_all()} == {owned.name, serving.name}


def test_pruning_removes_the_dead(home: Path) -> None:
    dead = make_record(owner_pid=os.getpid(), owner_started=1.0, server_pid=None)
    removed, _ = registry.prune()
    assert dead.name in "\n".join(removed)
    assert list(home.iterdir()) == []


def test_pruning_removes_a_folder_that_lost_its_record(home: Path) -> None:
    record = make_record()
    (Path(record.directory) / "environment.json").unlink()
    registry.prune()
    assert list(home.iterdir()) == []


def test_pruning_deletes_a_kind_cluster_that_a_single_test_began_to_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = tmp_path / "kind"
    kind.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/called"\n')
    kind.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    record = make_record(engine="process")
    Path(record.directory, "kind-cluster").touch()
    assert f"{record.name}: deleted its kind cluster" in registry.prune()[0]
    assert f"delete cluster --name {record.name}" in (tmp_path / "called").read_text()


def test_pruning_leaves_what_it_cannot_read() -> None:
    record = make_record()
    (Path(record.directory) / "environment.json").write_text("{")
    assert registry.prune() == ([], [])
    assert Path(record.directory).exists()


def test_two_runs_do_not_prune_the_same() -> None:
    record = make_record()
    descriptor = os.open(record.directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert registry.prune() == ([], [])
    finally:
        os.close(descriptor)
    assert len(registry.prune()[0]) > 0


def test_importing_is_cheap() -> None:
    code = "import sys, pytest_kecs.registry; print('psutil' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
