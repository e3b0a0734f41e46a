"""The table of settings: precedence, parsing, errors, reference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_kecs.settings import TABLE
from pytest_kecs.settings import Settings
from pytest_kecs.settings import reference_markdown
from pytest_kecs.settings import resolve


def resolved(
    options: dict[str, Any] | None = None,
    ini: dict[str, Any] | None = None,
    environ: dict[str, str] | None = None,
) -> Settings:
    return resolve((options or {}).get, (ini or {}).get, environ or {})


def message(raising: Callable[[], object]) -> str:
    with pytest.raises(pytest.UsageError) as caught:
        raising()
    return str(caught.value)


def test_everything_has_a_default() -> None:
    settings = resolved()
    assert settings.engine == "process"
    assert settings.region == "us-east-1"
    assert settings.images == {}
    assert set(settings.sources.values()) == {"default"}


def test_option_wins_over_variable_over_ini() -> None:
    options = {"kecs_region": "eu-west-1"}
    environ = {"PYTEST_KECS_REGION": "eu-west-2"}
    ini = {"kecs_region": "eu-west-3"}
    assert resolved(options, ini, environ).described("region") == "eu-west-1 (option)"
    assert resolved(None, ini, environ).described("region") == "eu-west-2 (PYTEST_KECS_REGION)"
    assert resolved(None, ini).described("region") == "eu-west-3 (ini)"


def test_a_falsy_value_that_was_given_wins() -> None:
    assert resolved({"kecs_log_lines": "0"}, {"kecs_log_lines": "5"}).log_lines == 0
    assert not resolved(
        None, {"kecs_keep_cluster": True}, {"PYTEST_KECS_KEEP_CLUSTER": "no"}
    ).keep_cluster


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("https://localhost.localstack.cloud:4566/", "https://localhost.localstack.cloud:4566"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("aws", "aws"),
    ],
)
def test_endpoints(given: str, value: str) -> None:
    assert resolved({"kecs_aws_endpoint": given}).aws_endpoint == value


@pytest.mark.parametrize("given", ["", "localhost:4566", "http://", "ftp://host", "http://a/b"])
def test_what_is_no_endpoint(given: str) -> None:
    text = message(lambda: resolved({"kecs_aws_endpoint": given}))
    assert "http://HOST:PORT (or https), or `aws`" in text


def test_what_tasks_reach() -> None:
    given = "5432 db.example:443\n6379"
    assert resolved({"kecs_netns_reach": given}).netns_reach == ("5432", "db.example:443", "6379")
    text = message(lambda: resolved({"kecs_netns_reach": "5432 db"}))
    assert "'db' is not PORT or NAME:PORT" in text
    text = message(lambda: resolved({"kecs_netns_reach": "5432 " * 1001}))
    assert "it names 1001 places, the most are 1000" in text


def test_images_come_from_lines() -> None:
    lines = ["*/worker:* = {python} -m app --x=1", "", "busybox*=sh -c true"]
    assert resolved(None, {"kecs_images": lines}).images == {
        "*/worker:*": "{python} -m app --x=1",
        "busybox*": "sh -c true",
    }


def test_a_path_may_begin_with_the_home_folder() -> None:
    settings = resolved({"kecs_kubeconfig": "~/config"})
    assert settings.kubeconfig == str(Path("~/config").expanduser())


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"kecs_engine": "proces"}, ["--kecs-engine", "'proces'", "kubernetes", "'process'?"]),
        ({"kecs_engine": "external"}, ["--kecs-engine", "not in this version"]),
        ({"kecs_region": "Frankfurt"}, ["--kecs-region", "us-east-1"]),
        ({"kecs_keep_for": "-1"}, ["--kecs-keep-for", "seconds above 0"]),
        ({"kecs_keep_for": "nan"}, ["--kecs-keep-for", "seconds above 0"]),
        ({"kecs_keep_for": "1h"}, ["--kecs-keep-for", "'1h'"]),
        ({"kecs_log_lines": "many"}, ["--kecs-log-lines", "whole number"]),
        ({"kecs_namespace": "My_Space"}, ["--kecs-namespace", "lower-case"]),
        ({"kecs_kind_image": ""}, ["--kecs-kind-image", "empty"]),
        (
            {"kecs_engine": "kubernetes", "kecs_kubeconfig": "/no/such/file"},
            ["--kecs-kubeconfig", "/no/such/file", "KUBECONFIG"],
        ),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(
    options: dict[str, str], parts: list[str]
) -> None:
    text = message(lambda: resolved(options))
    assert [part for part in parts if part not in text] == []


def test_errors_name_the_place_of_the_value() -> None:
    wrong = message(lambda: resolved(None, None, {"PYTEST_KECS_ENGINE": "knd"}))
    assert wrong.startswith("PYTEST_KECS_ENGINE: 'knd'")
    assert "did you mean 'kind'?" in wrong
    assert message(lambda: resolved(None, {"kecs_env": "erly"})).startswith("ini key kecs_env")
    assert "worker" in message(lambda: resolved(None, {"kecs_images": ["worker"]}))


def test_an_ini_value_that_pytest_refuses_is_a_usage_error() -> None:
    def ini(name: str) -> None:
        raise ValueError(f"invalid truth value for {name}")

    assert "ini key kecs_" in message(lambda: resolve(lambda _: None, ini, {}))


def test_the_reference_has_every_setting() -> None:
    text = reference_markdown()
    for row in TABLE:
        assert f"`{row.ini}`" in text
        assert f"`{row.variable}`" in text
        assert (row.flag in text) == row.on_command_line
