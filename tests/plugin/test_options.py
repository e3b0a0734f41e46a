"""Options, ini keys, variables and marker arguments as a person meets them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PLAIN = "def test_plain(): pass"


def test_the_header_tells_engine_and_region_with_their_sources(inner: pytest.Pytester) -> None:
    inner.makepyfile(PLAIN)
    result = inner.runpytest_inprocess()
    result.stdout.fnmatch_lines(["kecs: engine process (default), region us-east-1 (default)*"])


def test_the_header_tells_what_won(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    inner.makepyfile(PLAIN)
    inner.makeini("[pytest]\nkecs_region = eu-west-3\nkecs_engine = kind\n")
    monkeypatch.setenv("PYTEST_KECS_REGION", "eu-west-2")
    result = inner.runpytest_inprocess("--kecs-engine=process")
    result.stdout.fnmatch_lines(
        ["kecs: engine process (option), region eu-west-2 (PYTEST_KECS_REGION)*"]
    )


def test_the_header_tells_what_else_could_be(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = inner.mkdir("programs")
    for name in ("kind", "docker"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("KUBECONFIG", str(programs / "config"))
    inner.makepyfile(PLAIN)
    inner.runpytest_inprocess().stdout.fnmatch_lines(
        ["*could also: kind (kind and docker are installed), kubernetes (by KUBECONFIG)"]
    )


def test_auto_takes_what_answers(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = inner.mkdir("programs")
    for name, status in (("kind", 0), ("docker", 1)):
        (programs / name).write_text(f"#!/bin/sh\nexit {status}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    inner.makepyfile(PLAIN)
    inner.runpytest_inprocess("--kecs-engine=auto").stdout.fnmatch_lines(
        ["kecs: engine process (auto: kind is installed, but docker does not answer)*"]
    )
    (programs / "docker").write_text("#!/bin/sh\nexit 0\n")
    inner.runpytest_inprocess("--kecs-engine=auto").stdout.fnmatch_lines(
        ["kecs: engine kind (auto: kind is installed and docker answers)*"]
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--kecs-engine=knd"], "*--kecs-engine: 'knd' cannot be used*did you mean 'kind'*"),
        (["--kecs-engine=external"], "*'external'*not in this version*"),
        (["--kecs-region=nowhere"], "*--kecs-region: 'nowhere' cannot be used*us-east-1*"),
        (["-o", "kecs_keep_cluster=perhaps"], "*ini key kecs_keep_cluster*perhaps*"),
        (["-o", "kecs_images=worker"], "*ini key kecs_images*pattern = command*"),
        (
            ["--kecs-engine=kubernetes", "--kecs-kubeconfig=missing.yaml"],
            "*--kecs-kubeconfig: there is no file*missing.yaml*",
        ),
        (
            ["--kecs-engine=kubernetes", "--kecs-kubeconfig=."],
            "*--kecs-kubeconfig: '*' is a folder, not a kubeconfig file*",
        ),
    ],
)
def test_a_wrong_value_ends_the_run_with_one_line(
    inner: pytest.Pytester, arguments: list[str], text: str
) -> None:
    inner.makepyfile(PLAIN)
    result = inner.runpytest_subprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {text}"])
    result.stderr.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize("flag", ["--kecs-kubeconfig", "--kecs-kind-image"])
def test_a_value_that_pytest_took_for_a_test_path_is_refused(
    pytester: pytest.Pytester, flag: str
) -> None:
    project = pytester.mkdir("project")
    (project / "pytest.ini").write_text("[pytest]\nkecs_region = eu-west-1\n")
    (project / "test_it.py").write_text(PLAIN)
    (project / "config").touch()
    (pytester.mkdir("elsewhere") / "config").touch()
    elsewhere = "../elsewhere/config"
    os.chdir(project)
    misled = pytester.runpytest_subprocess(flag, elsewhere)
    assert misled.ret == pytest.ExitCode.USAGE_ERROR
    misled.stderr.fnmatch_lines(
        [
            f"ERROR: write {flag}={elsewhere}, with an equals sign: "
            f"*, instead of {project} with {project / 'pytest.ini'}"
        ]
    )
    for arguments in ([f"{flag}={elsewhere}"], [flag, "config"]):
        result = pytester.runpytest_subprocess(*arguments)
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines([f"rootdir: {project}", "configfile: pytest.ini"])
    pytester.runpytest_subprocess(flag, "config", "-n1").assert_outcomes(passed=1)


def test_the_marker_is_registered(inner: pytest.Pytester) -> None:
    inner.makepyfile("import pytest\n@pytest.mark.kecs\ndef test_it(): pass")
    result = inner.runpytest_inprocess("--strict-markers", "--collect-only")
    assert result.ret == 0


def test_wrong_marker_arguments_fail_the_test_only(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import pytest

        @pytest.mark.kecs(acount="210987654321")
        def test_wrong(): pass

        def test_plain(): pass
        """
    )
    result = inner.runpytest_inprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*no argument 'acount'; did you mean 'account'?"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_showing_things_makes_no_environment(inner: pytest.Pytester, home: Path) -> None:
    for argument in ("--fixtures", "--markers", "--help", "--version"):
        assert inner.runpytest_inprocess(argument).ret == 0
    assert not home.exists() or not any(home.iterdir())


@pytest.mark.parametrize(
    "argument",
    ["--fixtures", "--fixtures-per-test", "--markers", "--help", "--setup-plan", "--collect-only"],
)
def test_clients_of_conftests_can_be_made_where_things_are_only_shown(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, argument: str
) -> None:
    monkeypatch.setenv("HOME", str(inner.path))
    inner.makeconftest("import boto3\nclient = boto3.client('ecs')")
    inner.makepyfile("from conftest import client\ndef test_ecs(ecs_client): pass")
    before = {name: value for name, value in os.environ.items() if "AWS" in name}
    result = inner.runpytest_subprocess(argument)
    assert result.ret == 0
    result.stderr.no_fnmatch_line("*Error*")
    inner.runpytest_inprocess(argument)
    assert {name: value for name, value in os.environ.items() if "AWS" in name} == before


def test_clients_of_conftests_reach_nobody_where_things_are_only_shown(
    inner: pytest.Pytester,
) -> None:
    inner.makeconftest("import boto3\nboto3.client('ecs').list_clusters()")
    result = inner.runpytest_subprocess("--fixtures")
    result.stderr.fnmatch_lines(["*Could not connect to the endpoint URL: *127.0.0.1:1/*"])


def test_a_wrong_setting_does_not_keep_help_from_being_shown(inner: pytest.Pytester) -> None:
    assert inner.runpytest_subprocess("--help", "--kecs-engine=knd").ret == 0


def test_showing_a_plan_starts_nothing(inner: pytest.Pytester) -> None:
    inner.makeconftest(
        """
        import os
        from pathlib import Path

        def pytest_sessionfinish():
            assert list(Path(os.environ["KECS_HOME"]).glob("*/server.log")) == []
        """
    )
    inner.makepyfile("def test_ecs(ecs_client): pass")
    assert inner.runpytest_subprocess("--setup-plan").ret == 0


def test_the_fixtures_are_described(inner: pytest.Pytester) -> None:
    result = inner.runpytest_inprocess("--fixtures")
    result.stdout.fnmatch_lines_random(
        [
            "ecs_client --*",
            "    A boto3 client of Amazon ECS*",
            "ecs_client_factory --*",
            "kecs --*",
        ]
    )


@pytest.mark.parametrize("without", ["terminal", "capture", "xdist", "logging", "junitxml"])
def test_it_works_without_other_plugins(inner: pytest.Pytester, without: str) -> None:
    inner.makepyfile(PLAIN)
    assert inner.runpytest_subprocess("-p", f"no:{without}").ret == 0


def test_where_windows_is_not_supported_other_tests_run(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        on_windows="import pytest_kecs.ownership as o\n"
        "class Windows:\n    platform = 'win32'\n    executable = o.sys.executable\n"
        "o.sys = Windows"
    )
    inner.makepyfile("def test_plain(): pass\ndef test_ecs(ecs_client): pass")
    inner.syspathinsert()
    result = inner.runpytest_subprocess("-p", "on_windows")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["EnvironmentStartError: *cannot run ECS environments on Windows*WSL*"]
    )


def test_a_folder_of_environments_that_others_can_read(inner: pytest.Pytester, home: Path) -> None:
    """The one error is that of the test; workers come and go without a traceback of ours."""
    inner.makepyfile("def test_ecs(ecs_client): pass")
    home.mkdir(exist_ok=True)
    home.chmod(0o755)
    result = inner.runpytest_subprocess("-n", "1")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*is open to other users (mode 0755)*chmod 700*"])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
