"""Access keys that an environment accepts, derived from its run secret.

The server keeps no list: a key carries a check of its own, and its secret follows from the run
secret. So a worker process can make its key before the server has even been started.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

_PREFIX = "KECS"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an AWS client signs with."""

    access_key: str
    secret_key: str


def new_run_secret() -> str:
    """A secret for one environment: 256 random bits as hexadecimal digits."""
    return secrets.token_hex(32)


def derive_credentials(run_secret: str, label: str) -> Credentials:
    """The credentials of `label` (a worker's name, say) in the environment of `run_secret`."""
    identity = _digits(run_secret, "identity", label)
    access_key = _PREFIX + identity + _digits(run_secret, "check", identity)
    return Credentials(access_key, _secret_of(run_secret, access_key))


def secret_of(run_secret: str, access_key: str) -> str | None:
    """The secret key of `access_key`, or None when this environment never gave such a key out."""
    identity, check = access_key[4:12], access_key[12:]
    expected = _digits(run_secret, "check", identity)
    if not access_key.startswith(_PREFIX) or not hmac.compare_digest(check, expected):
        return None
    return _secret_of(run_secret, access_key)


def _secret_of(run_secret: str, access_key: str) -> str:
    return base64.b64encode(_mac(run_secret, "secret", access_key)).decode()[:40]


def _digits(run_secret: str, purpose: str, text: str) -> str:
    return base64.b32encode(_mac(run_secret, purpose, text)[:5]).decode()


def _mac(run_secret: str, purpose: str, text: str) -> bytes:
    return hmac.digest(run_secret.encode(), f"{purpose}:{text}".encode(), hashlib.sha256)
