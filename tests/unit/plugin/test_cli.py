from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import kecs_server.prune
import pytest

from pytest_kecs import registry
from pytest_kecs.cli import main
from pytest_kecs.registry import EnvironmentRecord


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KECS_HOME", str(tmp_path / "home"))
    for name in ("AWS_ENDPOINT_URL_ECS", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def make_record(**members: Any) -> EnvironmentRecord:
    name = registry.new_name()
    facts: dict[str, Any] = {
        "name": name,
        "directory": str(registry.home() / name),
        "endpoint": "http://127.0.0.1:1",
        "run_secret": "topsecret",
        "engine": "process",
        "region": "eu-west-1",
        "version": "1",
        "rootdir": "/project",
        "fingerprint": "f",
    }
    record = EnvironmentRecord(**{**facts, **members})
    registry.create(record)
    return record


def this_process(role: str) -> dict[str, Any]:
    return {f"{role}_pid": os.getpid(), f"{role}_started": registry.process_started(os.getpid())}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["serve", "--engine", "proces"], "no engine 'proces'; did you mean 'process'?"),
        (["serve", "--engine", "K8S"], "The engines are process, kind, kubernetes"),
        (["serve", "--port", "70000"], "'70000' is not a port"),
        (["serve", "--port", "x"], "'x' is not a port"),
        (["run", "--region", "us east", "true"], "'us east' is not a region"),
        (["serve", "--image", "worker"], "is not PATTERN=ARGV"),
        (["serve", "--image", "worker="], "is not PATTERN=ARGV"),
        (["serve", "--image", "w='x"], "No closing quotation"),
        (["serve", "--context", "c"], "--context is for --engine kubernetes, not for process"),
        (["serve", "--kind-image", "i"], "--kind-image is for --engine kind, not for process"),
        (["run"], "there is no command to run"),
        (["run", "--"], "there is no command to run"),
        (["stop"], "NAME --all is required"),
        (["prune", "--context", "c"], "--context needs --kubeconfig"),
        (["prune", "--kubeconfig", "/nowhere/config"], "no kubeconfig '/nowhere/config'"),
        (["reset"], "AWS_ENDPOINT_URL_ECS is not set"),
        ([], "required: COMMAND"),
        (["serv"], "'serv'"),
    ],
)
def test_wrong_use_gives_one_line_and_status_2(
    arguments: list[str], text: str, capfd: pytest.CaptureFixture[str], home: Path
) -> None:
    try:
        status = main(arguments)
    except SystemExit as exit_:
        status = int(str(exit_.code))
    printed = capfd.readouterr()
    assert status == 2
    assert text in printed.err
    assert printed.err.startswith("kecs")
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert not home.exists() or list(home.iterdir()) == []


def test_a_missing_kubeconfig_is_said_before_anything_starts(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["serve", "--engine", "kubernetes", "--kubeconfig", "/nowhere/config"]) == 2
    assert "there is no file '/nowhere/config'" in capfd.readouterr().err


def test_an_env_file_in_no_folder_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--write-env", str(tmp_path / "no" / ".env")]) == 2
    assert "there is no folder" in capfd.readouterr().err


def test_a_file_of_the_users_is_not_overwritten(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / ".env"
    path.write_text("MINE=1\n")
    assert main(["serve", "--write-env", str(path)]) == 2
    assert "would be overwritten" in capfd.readouterr().err
    assert path.read_text() == "MINE=1\n"


def test_list_shows_each_state(capfd: pytest.CaptureFixture[str]) -> None:
    kept = ({"test": "test_a.py::test_b", "access_key": "A", "secret_key": "S"},)
    running = make_record(kept=True, kept_realms=kept, lease_until=2e12, **this_process("server"))
    idle = make_record(engine="kind", **this_process("owner"))
    dead = make_record()
    assert main(["list"]) == 0
    shown = capfd.readouterr().out
    lines = {line.split()[0]: line for line in shown.splitlines() if line}
    assert "running" in lines[running.name]
    assert "test_a.py::test_b" in lines[running.name]
    assert " d more" in lines[running.name]
    assert "idle" in lines[idle.name]
    assert "kind" in lines[idle.name]
    assert f"process {os.getpid()}" in lines[idle.name]
    assert "dead" in lines[dead.name]
    assert "`kecs prune` removes" in shown


def test_list_as_json_has_no_secrets(capfd: pytest.CaptureFixture[str]) -> None:
    kept = ({"test": "t", "access_key": "A", "secret_key": "othersecret"},)
    record = make_record(kept_realms=kept, **this_process("server"))
    assert main(["list", "--json"]) == 0
    text = capfd.readouterr().out
    assert "secret" not in text
    (facts,) = json.loads(text)
    assert (facts["name"], facts["state"], facts["tests"]) == (record.name, "running", ["t"])


def test_list_without_environments(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert capfd.readouterr().out == "There are no environments.\n"
    assert main(["list", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == []


def test_env_is_evaluated_by_a_shell(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DATA_PATH", "/with space/and 'quote'; exit 9")
    record = make_record(**this_process("server"))
    assert main(["env", record.name]) == 0
    script = capfd.readouterr().out + "env"
    environ = {"PATH": os.environ["PATH"], "AWS_SESSION_TOKEN": "stale"}
    run = subprocess.run(
        ["sh", "-c", script], env=environ, capture_output=True, text=True, check=True
    )
    shown = dict(line.split("=", 1) for line in run.stdout.splitlines())
    assert shown["AWS_ENDPOINT_URL_ECS"] == record.endpoint
    assert shown["AWS_REGION"] == "eu-west-1"
    assert shown["AWS_DATA_PATH"].endswith("/with space/and 'quote'; exit 9")
    assert "AWS_SESSION_TOKEN" not in shown


def test_env_of_a_kept_test(capfd: pytest.CaptureFixture[str]) -> None:
    test = "tests/test_a.py::test_b[x y]"
    kept = ({"test": test, "access_key": "KECSKEPT", "secret_key": "S"},)
    record = make_record(kept_realms=kept, **this_process("server"))
    assert main(["env", record.name, "--test", test]) == 0
    assert "export AWS_ACCESS_KEY_ID=KECSKEPT" in capfd.readouterr().out.splitlines()
    assert main(["env", record.name, "--test", "test_b"]) == 1
    assert f"did you mean {test!r}" in capfd.readouterr().err


def test_env_of_a_test_where_none_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    record = make_record(**this_process("server"))
    assert main(["env", record.name, "--test", "t"]) == 1
    assert "it keeps none" in capfd.readouterr().err


def test_env_of_a_dead_environment(capfd: pytest.CaptureFixture[str]) -> None:
    record = make_record()
    assert main(["env", record.name]) == 1
    assert "kecs prune" in capfd.readouterr().err


@pytest.mark.parametrize("command", ["env", "stop"])
def test_an_unknown_name_is_said(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    record = make_record()
    assert main([command, "kecs-000000"]) == 1
    error = capfd.readouterr().err
    assert "'kecs-000000'" in error
    assert record.name in error


def test_stopping_what_has_not_started_names_its_owner(capfd: pytest.CaptureFixture[str]) -> None:
    record = make_record(**this_process("owner"))
    assert main(["stop", record.name]) == 1
    assert f"process {os.getpid()}" in capfd.readouterr().err
    assert main(["stop", "--all"]) == 0
    assert registry.read(record.name) == record


def test_prune_removes_the_dead_and_says_so(capfd: pytest.CaptureFixture[str], home: Path) -> None:
    record = make_record()
    assert main(["prune"]) == 0
    assert record.name in capfd.readouterr().out
    assert list(home.iterdir()) == []
    assert main(["prune", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"done": []}


def test_prune_fails_when_something_stays(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(kecs_server.prune, "delete_tree", refuse)
    record = make_record()
    assert main(["prune"]) == 1
    said = capfd.readouterr()
    text = f"{record.name}: {record.directory} could not be deleted: [Errno 13]"
    assert said.err.startswith(f"kecs: error: {text}")
    assert said.out == ""


def test_reset_does_not_send_a_foreign_key_anywhere(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    assert main(["reset"]) == 2
    assert "nothing was sent" in capfd.readouterr().err


def test_reset_of_an_environment_that_is_gone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KECSAAAA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    assert main(["reset"]) == 1
    assert "is not there" in capfd.readouterr().err


def test_a_reader_that_has_gone_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        run = subprocess.run(
            [sys.executable, "-m", "pytest_kecs.cli", "list"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (run.returncode, run.stderr) == (1, "")


def test_help_needs_little() -> None:
    code = "import sys, pytest_kecs.cli; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"pytest", "botocore", "boto3", "flask", "psutil", "kubernetes", "http.client"}
    assert not heavy & set(run.stdout.split())


def test_the_dotenv_lines_are_read_back_by_a_shell() -> None:
    from pytest_kecs.cli_serve import _dotenv_line

    for value in ("plain/+", "with space", 'a "b"'):
        assert shlex.split(_dotenv_line(("NAME", value))) == [f"NAME={value}"]


def test_commands_show_their_help(capfd: pytest.CaptureFixture[str]) -> None:
    for command in ("serve", "run", "list", "env", "stop", "prune", "reset"):
        with pytest.raises(SystemExit) as exit_:
            main([command, "--help"])
        assert exit_.value.code == 0
        assert f"usage: kecs {command}" in capfd.readouterr().out
