"""References of task definitions, what they are registered under, and environment files."""

from __future__ import annotations

from typing import Any

import pytest
from kecs_server.domain.env_file import parse_env_file
from kecs_server.domain.references import Resources
from kecs_server.domain.references import parse_secret
from kecs_server.state.registered import Registered

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret"
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter"


def value(registered: Registered, value_from: str) -> str | None:
    reference = parse_secret(value_from)
    secret = registered.secret(reference)
    return secret.value(reference.stage, reference.version) if secret else None


@pytest.mark.parametrize(
    ("registered", "wanted"),
    [
        ("db", f"{SECRET}:db-AbCdEf"),
        ("db", f"{SECRET}:db"),
        ("db", f"{SECRET}:db:key:AWSCURRENT:"),
        ("db-AbCdEf", f"{SECRET}:db-AbCdEf"),
        (f"{SECRET}:db", f"{SECRET}:db-AbCdEf"),
        (f"{SECRET}:db-AbCdEf", f"{SECRET}:db"),
        (f"{SECRET}:db-AbCdEf", f"{SECRET}:db-AbCdEf::AWSCURRENT:"),
        ("/a/b", "/a/b"),
        ("/a/b", f"{PARAMETER}/a/b"),
        ("a", f"{PARAMETER}/a"),
        ("/a", f"{PARAMETER}/a"),
        (f"{PARAMETER}/a/b", "/a/b"),
        (f"{PARAMETER}/a", "a"),
        (f"{PARAMETER}/a", f"{PARAMETER}/a:1"),
    ],
)
def test_what_a_reference_finds(registered: str, wanted: str) -> None:
    found = Registered()
    found.set_secret(registered, "it", None, None)
    assert value(found, wanted) == "it"


@pytest.mark.parametrize(
    ("registered", "wanted"),
    [
        ("db", f"{SECRET}:other-AbCdEf"),
        (f"{SECRET}:db-AbCdEf", f"{SECRET}:db-GhIjKl"),
        (f"{SECRET}:db", f"{SECRET.replace('us-east-1', 'eu-west-1')}:db"),
        (f"{SECRET}:db", f"{SECRET.replace('1234', '4321')}:db"),
        (f"{SECRET}:db", "db"),
        (f"{PARAMETER}/db", f"{SECRET}:db"),
        ("a", "/a"),
        ("a", "a:2"),
    ],
)
def test_what_a_reference_does_not_find(registered: str, wanted: str) -> None:
    found = Registered()
    found.set_secret(registered, "it", None, None)
    assert value(found, wanted) is None


def test_the_nearest_name_is_found() -> None:
    found = Registered()
    found.set_secret("db", "by name", None, None)
    found.set_secret(f"{SECRET}:db", "by partial ARN", None, None)
    assert value(found, f"{SECRET}:db") == "by partial ARN"
    assert value(found, f"{SECRET}:db-AbCdEf") == "by name"


def test_the_parts_of_a_reference() -> None:
    reference = parse_secret(f"{SECRET}:db-AbCdEf:key:STAGE:version")
    assert reference.id == f"{SECRET}:db-AbCdEf"
    assert (reference.json_key, reference.stage, reference.version) == ("key", "STAGE", "version")
    assert parse_secret(f"{SECRET}:db:::").json_key is None
    assert parse_secret("/a:3").version == "3"


def test_both_stage_and_version_must_fit() -> None:
    found = Registered()
    found.set_secret("s", "one", "BLUE", "v1")
    found.set_secret("s", "two", "GREEN", "v2")
    assert value(found, f"{SECRET}:s-AbCdEf::BLUE:v1") == "one"
    assert value(found, f"{SECRET}:s-AbCdEf::BLUE:v2") is None
    assert value(found, f"{SECRET}:s-AbCdEf") is None


@pytest.mark.parametrize(
    ("name", "given", "part"),
    [
        ("", "x", "by a name"),
        ("arn:aws:s3:::bucket/key", "x", "by a name"),
        (f"{SECRET}:db:key::", "x", "json-key"),
        ("db", 3, "a text"),
        ("db", "a\0b", "NUL"),
    ],
)
def test_what_cannot_be_registered(name: str, given: Any, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        Registered().set_secret(name, given, None, None)


@pytest.mark.parametrize(
    ("arn", "text", "part"),
    [
        ("bucket/key.env", "A=1", "S3 object"),
        ("arn:aws:s3:::bucket", "A=1", "S3 object"),
        ("arn:aws:s3:::bucket/key.env", None, "a text"),
        ("arn:aws:s3:::bucket/key.env", "A=\0", "NUL"),
    ],
)
def test_what_is_no_environment_file(arn: str, text: Any, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        Registered().put_env_file(arn, text)


def test_the_lines_of_an_environment_file() -> None:
    text = 'A=1\n#B=2\n C = 3 \nD\n=E\nF=\nG=a=b\nA=last\nH=#no comment\nI="q"\r\n'
    assert parse_env_file(text) == {
        "A": "last",
        " C ": " 3 ",
        "G": "a=b",
        "H": "#no comment",
        "I": '"q"',
    }


def test_lines_of_secrets_are_masked() -> None:
    resources = Resources(
        secrets={"app": {"A": "topsecret", "B": "top", "C": "12", "D": "line one\nline two"}},
        log_options={"app": {"splunk-token": "t0ken"}},
        files={"app": {"E": "shown"}},
    )
    output = b"topsecret top 12 line two t0ken shown"
    assert resources.masked(output) == b"**** **** 12 **** **** shown"
    assert "topsecret" not in repr(resources)


def test_the_longest_secret() -> None:
    found = Registered()
    found.set_secret("a", "x" * 65536, None, None)
    for value in ("x" * 65537, "\u00e4" * 32769):
        with pytest.raises(ValueError, match="at most 65536 bytes"):
            found.set_secret("a", value, None, None)
