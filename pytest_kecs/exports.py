"""Environment variables that lead AWS clients to an environment, and back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from collections.abc import MutableMapping
from pathlib import Path

from kecs_server.credentials import Credentials

# What would be joined with our keys or used instead of them. botocore still reads the old name of
# AWS_SESSION_TOKEN, AWS_SECURITY_TOKEN, and with AWS_CREDENTIAL_EXPIRATION takes keys for expired.
REMOVED_NAMES = (
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
)
# Said explicitly, not only taken away: ~/.aws/config may turn them on as well, and then endpoints
# from the environment are ignored or, for the other two, refused by botocore's rules.
_TURNED_OFF = (
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
)
_UNPROXIED_HOSTS = ("127.0.0.1", "localhost", "127.0.0.0/8")


def data_path() -> Path:
    """The folder for AWS_DATA_PATH: makes botocore's ECS waiters ask without pausing."""
    return Path(__file__).resolve().parent / "data"


def aws_variables(
    endpoint: str,
    credentials: Credentials,
    region: str,
    *,
    ca_file: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Variables under which AWS clients use `endpoint` with `credentials`.

    :param ca_file: what they trust, if they are to use TLS.

    Lists that exist in `environ` (default: the process's own) are extended, not replaced. Names in
    `REMOVED_NAMES` must be absent beside them.
    """
    existing = os.environ if environ is None else environ
    url = client_url(endpoint, ca_file)
    return {
        "AWS_ENDPOINT_URL_ECS": url,
        "AWS_ENDPOINT_URL_STS": url,
        **({"AWS_CA_BUNDLE": ca_file} if ca_file else {}),
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_DATA_PATH": _data_paths(existing),
        **dict.fromkeys(_TURNED_OFF, "false"),
        "NO_PROXY": _unproxied(existing, "NO_PROXY", "no_proxy"),
        "no_proxy": _unproxied(existing, "no_proxy", "NO_PROXY"),
    }


def client_url(endpoint: str, ca_file: str | None) -> str:
    """Where AWS clients find the environment: its port takes TLS beside plain HTTP, if at all."""
    return endpoint.replace("http://", "https://", 1) if ca_file else endpoint


def _data_paths(environ: Mapping[str, str]) -> str:
    ours = str(data_path())
    others = [path for path in environ.get("AWS_DATA_PATH", "").split(os.pathsep) if path]
    return os.pathsep.join([ours, *(path for path in others if path != ours)])


def _unproxied(environ: Mapping[str, str], name: str, other_name: str) -> str:
    value = environ.get(name) or environ.get(other_name) or ""
    hosts = [host.strip() for host in value.split(",") if host.strip()]
    return ",".join([*hosts, *(host for host in _UNPROXIED_HOSTS if host not in hosts)])


class Exporter:
    """Puts variables into an environment and later puts that back as it was.

    :param environ: usually `os.environ`.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._environ = environ
        self._originals: dict[str, str | None] = {}

    @property
    def applied(self) -> bool:
        return bool(self._originals)

    def apply(self, variables: Mapping[str, str]) -> None:
        """Set `variables` and take away `REMOVED_NAMES`.

        What was there at the first of several calls is what `restore` brings back.
        """
        for name in (*variables, *REMOVED_NAMES):
            self._originals.setdefault(name, self._environ.get(name))
        self._environ.update(variables)
        for name in REMOVED_NAMES:
            self._environ.pop(name, None)

    def restore(self) -> None:
        """Bring back the original value of each name that was touched, whatever it is by now."""
        for name, value in self._originals.items():
            if value is None:
                self._environ.pop(name, None)
            else:
                self._environ[name] = value
        self._originals.clear()
