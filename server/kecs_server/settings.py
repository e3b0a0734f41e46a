"""What a server is told at its start: one JSON object on standard input."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from typing import Any

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "us-east-1"
ENGINES = ("process", "kind", "kubernetes")
TLS_FILE = "server.pem"
"""A private key and a chain of certificates."""

MOST_PLACES = 1000
"""What `netns_reach` names at most: each is an open file of the server for each task."""

REAL_AWS = "aws"
"""In place of an endpoint's URL: AWS itself, each service at its own address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Settings of one environment.

    name: of the environment, unique on this machine (`kecs-` and six hexadecimal digits).
    directory: the environment's own folder (mode 0700); the server removes it at its end.
    listen_fd: file descriptor of the bound, listening socket.
    secret: run secret, see `kecs_server.credentials`.
    engine: one of `ENGINES`; what realms get that ask for none.
    owner_pid: the environment ends when this process does; None: it ends when told, or at the
        end of its lease.
    lease: seconds that the environment may live without an owner; None: for ever.
    images: pattern -> stand-in, as `domain.images.parse_stand_in` takes it.
    interpreter, rootdir: what `{python}` and `{rootdir}` mean in stand-ins.
    kubeconfig, context, namespace: of a cluster that exists already (engine kubernetes).
    kind_image: node image for the engine kind; None: kind's own default.
    aws_endpoint: URL of what has the rest of AWS, or `REAL_AWS`; None: nothing has. What realms
        get that ask for none.
    tls: clients may speak TLS, on the same port, with `TLS_FILE` of the directory.
    strict_time: compare the dates of signatures with the clock.
    pid1: a process that does not handle SIGTERM is not sent it (engine process).
    netns: tasks have networks of their own, but for those in host mode (engine process). What
        realms get that do not say.
    netns_reach: what they reach of the world outside, see `domain.ways_out.parse_place`.
    cgroup: below it tasks get memory cgroups (engine process); None: what they use is watched.
    """

    name: str
    directory: str
    listen_fd: int
    secret: str
    engine: str = "process"
    region: str = DEFAULT_REGION
    owner_pid: int | None = None
    lease: float | None = None
    images: Mapping[str, Any] = field(default_factory=dict)
    interpreter: str = ""
    rootdir: str = ""
    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    kind_image: str | None = None
    aws_endpoint: str | None = None
    tls: bool = False
    strict_time: bool = False
    pid1: bool = False
    netns: bool = False
    netns_reach: Sequence[str] = ()
    cgroup: str | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ServerSettings:
        """:raises TypeError, ValueError: the text is not what `to_json` makes."""
        return cls(**json.loads(text))


def is_reachable(text: str) -> bool:
    """Whether it can be in the setting `netns_reach`: `PORT` or `NAME:PORT`."""
    found = re.fullmatch(r"([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*:)?([0-9]{1,5})", text)
    return found is not None and 0 < int(found[2]) < 1 << 16


def is_aws_endpoint(text: str) -> bool:
    """Whether it can be the setting `aws_endpoint`: `http://HOST[:PORT]`, https, or `REAL_AWS`."""
    url = r"https?://([A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?"
    return text == REAL_AWS or re.fullmatch(url, text) is not None
