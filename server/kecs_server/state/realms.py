"""Which realm an access key stands for.

Every key has a base realm, made at its first use, and for the length of a test a realm of the
test's own. Keys given out for other accounts, and for realms that are kept, stand for their realm
alone.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace

from kecs_server.credentials import Credentials
from kecs_server.credentials import derive_credentials
from kecs_server.credentials import secret_of
from kecs_server.domain.images import Images
from kecs_server.errors import UnrecognizedClientException
from kecs_server.settings import DEFAULT_ACCOUNT
from kecs_server.state.realm import Realm


@dataclass(frozen=True, slots=True, kw_only=True)
class RealmRequest:
    """A realm to be made; `images` are added to the environment's own, of which it has whatever is
    None.
    """

    name: str
    account: str = DEFAULT_ACCOUNT
    engine: str | None = None
    aws_endpoint: str | None = None
    netns: bool | None = None
    manual_clock: bool = False
    images: Images


@dataclass(frozen=True, slots=True)
class Access:
    """What a key opens: an account of a realm. `principal`: an ARN; None is the account's root."""

    realm: Realm
    account: str
    principal: str | None = None


@dataclass(frozen=True, slots=True)
class _Key:
    base: Access | None
    test: Access | None = None

    @property
    def current(self) -> Access | None:
        return self.test or self.base


class Realms:
    """Thread-safe. `make` makes a realm, `end` ends one and returns when its tasks are gone."""

    def __init__(
        self,
        run_secret: str,
        make: Callable[[RealmRequest], Realm],
        end: Callable[[Realm], None],
    ) -> None:
        self._run_secret = run_secret
        self._make = make
        self._end = end
        self._keys: dict[str, _Key] = {}
        self._lock = threading.Lock()

    def secret_of(self, access_key: str) -> str | None:
        """The secret of a key that opens something, None of any other."""
        key = self._keys.get(access_key)
        is_retired = key is not None and key.current is None
        if is_retired or not access_key.isascii():
            return None
        return secret_of(self._run_secret, access_key)

    def access(self, access_key: str) -> Access:
        """What a key that has a secret opens now.

        :raises UnrecognizedClientException: its realm has ended meanwhile.
        """
        with self._lock:
            return self._current(access_key)

    def begin(self, access_key: str, request: RealmRequest) -> Realm:
        """Give the key a fresh realm until `end`; one that it has from before is ended."""
        self.end(access_key)
        with self._lock:
            base = self._key(access_key)
            realm = self._make(request)
            self._keys[access_key] = replace(base, test=Access(realm, request.account))
            return realm

    def end(self, access_key: str) -> None:
        """Take the key's test realm away and end it, if there is one."""
        access = self._take_test(access_key)
        if access is not None:
            self._retire(access.realm)
            self._end(access.realm)

    def keep(self, access_key: str) -> Credentials | None:
        """Take the key's test realm away, but let it go on: the returned key opens it."""
        access = self._take_test(access_key)
        return self._give_out(access) if access is not None else None

    def new_key(self, access_key: str, account: str) -> Credentials:
        """Another key for the realm that the key stands for now, showing `account`."""
        with self._lock:
            realm = self._current(access_key).realm
        return self._give_out(Access(realm, account))

    def role_key(self, access: Access, label: str) -> Credentials:
        """The key of a role in a realm, always the same for the same `label`."""
        credentials = derive_credentials(self._run_secret, label)
        with self._lock:
            self._keys.setdefault(credentials.access_key, _Key(access))
        return credentials

    def all(self) -> Iterator[Realm]:
        """Every realm that goes on, once."""
        with self._lock:
            keys = list(self._keys.values())
        accesses = [access for key in keys for access in (key.base, key.test) if access]
        return iter(dict.fromkeys(access.realm for access in accesses))

    def _current(self, access_key: str) -> Access:
        current = self._key(access_key).current
        if current is None:
            raise UnrecognizedClientException
        return current

    def _key(self, access_key: str) -> _Key:
        if access_key not in self._keys:
            realm = self._make(RealmRequest(name="outside of tests", images={}))
            self._keys[access_key] = _Key(Access(realm, DEFAULT_ACCOUNT))
        return self._keys[access_key]

    def _take_test(self, access_key: str) -> Access | None:
        with self._lock:
            key = self._keys.get(access_key)
            if key is None or key.test is None:
                return None
            self._keys[access_key] = replace(key, test=None)
            return key.test

    def _give_out(self, access: Access) -> Credentials:
        credentials = derive_credentials(self._run_secret, secrets.token_hex(16))
        with self._lock:
            self._keys[credentials.access_key] = _Key(access)
        return credentials

    def _retire(self, realm: Realm) -> None:
        """Keys that were given out for the realm open nothing any more."""
        with self._lock:
            for name, key in self._keys.items():
                if key.base is not None and key.base.realm is realm:
                    self._keys[name] = _Key(None)
