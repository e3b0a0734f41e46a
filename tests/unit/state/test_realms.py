"""What keys open, before, in and after a test."""

from __future__ import annotations

import pytest
from kecs_server.credentials import Credentials
from kecs_server.credentials import derive_credentials
from kecs_server.credentials import new_run_secret
from kecs_server.errors import UnrecognizedClientException
from kecs_server.state.realm import Realm
from kecs_server.state.realms import RealmRequest
from kecs_server.state.realms import Realms


class World:
    """Realms with a record of what was ended."""

    def __init__(self) -> None:
        self.secret = new_run_secret()
        self.ended: list[str] = []
        self.realms = Realms(self.secret, self._make, lambda realm: self.ended.append(realm.name))

    def _make(self, request: RealmRequest) -> Realm:
        return Realm(
            id=request.name, name=request.name, engine="process", images={}, wake=lambda realm: None
        )

    def key(self, label: str = "x") -> Credentials:
        return derive_credentials(self.secret, label)

    def begin(self, name: str, label: str = "x") -> None:
        self.realms.begin(self.key(label).access_key, RealmRequest(name=name, images={}))

    def name_behind(self, key: Credentials) -> str:
        return self.realms.access(key.access_key).realm.name


@pytest.fixture
def world() -> World:
    return World()


def test_secrets(world: World) -> None:
    key = world.key()
    assert world.realms.secret_of(key.access_key) == key.secret_key
    assert (len(key.access_key), len(key.secret_key)) == (20, 40)
    for unknown in ("", "KECS", "AKIA" + key.access_key[4:], key.access_key[:-1] + "1", "ü" * 20):
        assert world.realms.secret_of(unknown) is None
    assert World().realms.secret_of(key.access_key) is None


def test_a_test_has_its_own_realm(world: World) -> None:
    key = world.key()
    assert world.name_behind(key) == "outside of tests"
    world.begin("one")
    assert world.name_behind(key) == "one"
    world.realms.end(key.access_key)
    assert (world.name_behind(key), world.ended) == ("outside of tests", ["one"])


def test_the_next_test_ends_the_last_ones(world: World) -> None:
    world.begin("one")
    world.begin("two")
    assert (world.name_behind(world.key()), world.ended) == ("two", ["one"])


def test_keys_do_not_share(world: World) -> None:
    world.begin("one", "gw0")
    world.begin("two", "gw1")
    assert world.name_behind(world.key("gw0")) == "one"
    assert world.name_behind(world.key("gw1")) == "two"


def test_another_account_of_the_same_realm(world: World) -> None:
    world.begin("one")
    other = world.realms.new_key(world.key().access_key, "9" * 12)
    access = world.realms.access(other.access_key)
    assert (access.realm.name, access.account) == ("one", "9" * 12)
    world.realms.end(world.key().access_key)
    # Its realm is gone, and it must not open another.
    assert world.realms.secret_of(other.access_key) is None
    with pytest.raises(UnrecognizedClientException):
        world.realms.access(other.access_key)


def test_a_kept_realm_goes_on_under_its_key(world: World) -> None:
    world.begin("one")
    kept = world.realms.keep(world.key().access_key)
    assert kept is not None
    world.begin("two")
    assert world.name_behind(kept) == "one"
    assert world.name_behind(world.key()) == "two"
    assert world.ended == []
    assert sorted(realm.name for realm in world.realms.all()) == ["one", "outside of tests", "two"]
    assert world.realms.keep(kept.access_key) is None
