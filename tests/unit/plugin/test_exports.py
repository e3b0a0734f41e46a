from __future__ import annotations

import os
from pathlib import Path
from urllib.request import getproxies_environment
from urllib.request import proxy_bypass_environment

import botocore.session
import pytest
from kecs_server.credentials import Credentials

from pytest_kecs.exports import REMOVED_NAMES
from pytest_kecs.exports import Exporter
from pytest_kecs.exports import aws_variables
from pytest_kecs.exports import data_path

ENDPOINT = "http://127.0.0.1:4567"
CREDENTIALS = Credentials("KECSAAAA", "secret/+")


def variables(environ: dict[str, str] | None = None) -> dict[str, str]:
    return aws_variables(ENDPOINT, CREDENTIALS, "eu-north-1", environ=environ or {})


def test_clients_are_led_to_the_endpoint() -> None:
    made = variables()
    assert made["AWS_ENDPOINT_URL_ECS"] == made["AWS_ENDPOINT_URL_STS"] == ENDPOINT
    assert made["AWS_REGION"] == made["AWS_DEFAULT_REGION"] == "eu-north-1"
    assert made["AWS_ACCESS_KEY_ID"] == "KECSAAAA"
    assert made["AWS_SECRET_ACCESS_KEY"] == "secret/+"


def test_lists_are_extended_once() -> None:
    existing = {"AWS_DATA_PATH": "/mine", "NO_PROXY": "corp.example"}
    made = variables(existing)
    assert made["AWS_DATA_PATH"].split(os.pathsep) == [str(data_path()), "/mine"]
    assert made["NO_PROXY"] == "corp.example,127.0.0.1,localhost,127.0.0.0/8"
    # urllib lets the lower-case name win, so the hosts of the other one must be in it.
    assert made["no_proxy"] == "corp.example,127.0.0.1,localhost,127.0.0.0/8"
    assert variables({**existing, **made}) == made


def test_loopback_is_not_sent_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "corp.example")
    for name, value in aws_variables(ENDPOINT, CREDENTIALS, "us-east-1").items():
        monkeypatch.setenv(name, value)
    proxies = getproxies_environment()
    assert proxy_bypass_environment("127.0.0.1:4567", proxies)
    assert proxy_bypass_environment("corp.example", proxies)
    assert not proxy_bypass_environment("example.org", proxies)


HOSTILE_CONFIG = """\
[default]
region = ap-south-1
ignore_configured_endpoint_urls = true
use_fips_endpoint = true
use_dualstack_endpoint = true
aws_session_token = stale
"""


def test_botocore_uses_them_whatever_the_user_has_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(HOSTILE_CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(config))
    for name in ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE"):
        monkeypatch.setenv(name, "stale")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    exporter = Exporter(os.environ)
    exporter.apply(variables())
    try:
        session = botocore.session.Session()
        client = session.create_client("ecs")
        signed_with = session.get_credentials()
        assert client.meta.endpoint_url == ENDPOINT
        assert client.meta.region_name == "eu-north-1"
        assert (signed_with.access_key, signed_with.token) == ("KECSAAAA", None)
        # Endpoint rules are only applied when a request is made.
        params = client._resolve_endpoint_ruleset(
            client.meta.service_model.operation_model("ListClusters"), {}, {"client_region": "x"}
        )
        assert params[0] == ENDPOINT
        client.close()
    finally:
        exporter.restore()


def test_all_nine_waiters_ask_without_pausing_and_as_often_as_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_DATA_PATH", raising=False)
    original = _waiters()
    monkeypatch.setenv("AWS_DATA_PATH", variables()["AWS_DATA_PATH"])
    fast = _waiters()
    assert len(fast) == 9
    assert {name: {**waiter, "delay": 0.01} for name, waiter in original.items()} == fast


def _waiters() -> dict[str, dict[str, object]]:
    loader = botocore.session.Session().get_component("data_loader")
    waiters: dict[str, dict[str, object]] = loader.load_service_model("ecs", "waiters-2")["waiters"]
    return waiters


def test_what_was_there_comes_back() -> None:
    before = {"AWS_PROFILE": "work", "AWS_REGION": "ap-south-1", "HOME": "/home/me"}
    environ = dict(before)
    exporter = Exporter(environ)
    exporter.apply(variables(environ))
    assert environ["AWS_REGION"] == "eu-north-1"
    assert not set(REMOVED_NAMES) & set(environ)
    exporter.restore()
    assert environ == before


def test_applying_and_restoring_twice_changes_nothing_more() -> None:
    before = {"AWS_ACCESS_KEY_ID": "mine"}
    environ = dict(before)
    exporter = Exporter(environ)
    exporter.restore()
    exporter.apply(variables(environ))
    exporter.apply(variables(environ))
    assert exporter.applied
    exporter.restore()
    exporter.restore()
    assert not exporter.applied
    assert environ == before


def test_what_the_code_under_test_changed_is_put_back_too() -> None:
    before = {"AWS_ACCESS_KEY_ID": "mine"}
    environ = dict(before)
    exporter = Exporter(environ)
    exporter.apply(variables(environ))
    environ["AWS_ACCESS_KEY_ID"] = "theirs"
    environ["AWS_SESSION_TOKEN"] = "theirs"
    environ["OTHER"] = "stays"
    exporter.restore()
    assert environ == {**before, "OTHER": "stays"}
