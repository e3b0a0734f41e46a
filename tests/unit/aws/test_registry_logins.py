"""What the secret of a private registry must be."""

from __future__ import annotations

import pytest
from kecs_server.aws.errors import ResourceError
from kecs_server.aws.secrets import parse_login
from kecs_server.domain.references import RegistryLogin


def test_user_and_password() -> None:
    assert parse_login('{"username": "me", "password": "x", "more": 1}') == RegistryLogin("me", "x")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "authorization data: empty secrets value"),
        ("me:x", "authorization data: unable to unmarshal secret value, invalid schema"),
        ('["me", "x"]', "authorization data: unable to unmarshal secret value, invalid schema"),
        ('{"username": 1}', "authorization data: unable to unmarshal secret value, invalid schema"),
        ("{}", "username: AuthorizationData is malformed, empty field"),
        ('{"username": "me"}', "password: AuthorizationData is malformed, empty field"),
    ],
)
def test_what_is_none(value: str, problem: str) -> None:
    with pytest.raises(ResourceError, match="unable to pull secrets or registry auth") as caught:
        parse_login(value)
    assert str(caught.value).endswith(f"asm fetching {problem}")
