"""What a test registers to be found under the references of its task definitions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kecs_server.domain.arns import is_function_arn
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.discovery import is_host
from kecs_server.domain.env_file import parse_env_file
from kecs_server.domain.references import SecretReference
from kecs_server.domain.references import parse_secret
from kecs_server.domain.registration.environment import is_object_arn

Structure = dict[str, Any]

CURRENT = "AWSCURRENT"
PREVIOUS = "AWSPREVIOUS"
MAX_SECRET = 65536
"""Bytes of a secret's value, as Secrets Manager has it."""

ALARM_STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")

_SERVICES = ("secretsmanager", "ssm")


@dataclass(frozen=True, slots=True)
class HookEvent:
    """A call of a hook's function that the test is to make, and what is to be told of it."""

    id: str
    arn: str
    event: Structure
    answer: Callable[[object], None]
    fail: Callable[[str], None]


class Secret:
    """The versions of a secret or parameter, and which of them each stage names."""

    def __init__(self) -> None:
        self._versions: dict[str, str] = {}
        self._stages: dict[str, str] = {}

    def put(self, value: str, stage: str, version: str | None) -> None:
        """Add a version, as PutSecretValue does: it takes the stage from the one that had it."""
        version = version or str(len(self._versions) + 1)
        former = self._stages.get(stage)
        if stage == CURRENT and former not in (None, version):
            self._stages[PREVIOUS] = former
        self._versions[version] = value
        self._stages[stage] = version

    def value(self, stage: str | None, version: str | None) -> str | None:
        """Of the version that both name, of the current one if neither is given; else None."""
        named = self._stages.get(stage or CURRENT) if stage or version is None else version
        if named is None or version not in (None, named):
            return None
        return self._versions.get(named)


class Registered:
    """Secrets by the names and ARNs under which they were registered, environment files by ARN,
    states of CloudWatch alarms by name, who answers for hooks of deployments, names of Cloud Map.
    """

    def __init__(self) -> None:
        self._secrets: dict[str, Secret] = {}
        self._files: dict[str, Mapping[str, str]] = {}
        self._alarms: dict[str, str] = {}
        self._seen_alarms: dict[str, str] = {}
        self.hooks: dict[str, str | None] = {}
        """URLs by the ARNs that they answer for; None: the test answers."""
        self._registries: dict[str, str] = {}
        self._seen_registries: dict[str, str] = {}
        self._hook_events: deque[HookEvent] = deque()
        self._asked: dict[str, HookEvent] = {}

    def set_secret(self, name: str, value: Any, stage: str | None, version: str | None) -> None:
        """:raises ValueError: no name, or a value that cannot be a variable's."""
        reference = parse_secret(name)
        is_whole = reference.id == name and name != ""
        if not is_whole or (reference.arn and reference.arn.service not in _SERVICES):
            raise ValueError(
                "a secret is registered by a name, or by the ARN of a secret of Secrets Manager or "
                f"of a parameter of SSM, without json-key, stage and version; not by {name!r}"
            )
        if not isinstance(value, str) or "\0" in value:
            raise ValueError("the value of a secret is a text without NUL")
        if len(value.encode()) > MAX_SECRET:
            raise ValueError(f"the value of a secret has at most {MAX_SECRET} bytes")
        secret = self._secrets.setdefault(reference.id, Secret())
        secret.put(value, stage or CURRENT, version)

    def put_env_file(self, arn: str, text: Any) -> None:
        """:raises ValueError: not the ARN of an S3 object, or no text."""
        if not is_object_arn(arn):
            raise ValueError(
                "an environment file is registered by the ARN of its S3 object "
                f"(arn:aws:s3:::bucket/key.env), not by {arn!r}"
            )
        if not isinstance(text, str):
            raise ValueError("an environment file is a text")
        self._files[arn] = parse_env_file(text)

    def set_alarm(self, name: str, state: Any) -> None:
        """:raises ValueError: no name, or no state that an alarm can have."""
        if not name:
            raise ValueError("an alarm has a name")
        if state not in ALARM_STATES:
            states = ", ".join(ALARM_STATES)
            raise ValueError(f"an alarm is in one of the states {states}, not {state!r}")
        self._alarms[name] = state

    def see_alarms(self, states: Mapping[str, str]) -> bool:
        """Keep what the endpoint says of alarms now; whether that is news."""
        before = self.alarms
        self._seen_alarms = dict(states)
        return self.alarms != before

    @property
    def alarms(self) -> dict[str, str]:
        """The states of alarms by name: what the test set, else what the endpoint said last."""
        return {**self._seen_alarms, **self._alarms}

    def set_hook(self, arn: str, url: Any) -> None:
        """:raises ValueError: not the ARN of a Lambda function, or no URL."""
        if not is_function_arn(arn):
            raise ValueError(f"a hook is registered by a Lambda function's ARN, not by {arn!r}")
        if url is not None and not str(url).startswith(("http://", "https://")):
            raise ValueError(f"a hook is answered by an http or https URL, not by {url!r}")
        self.hooks[arn] = url

    def set_registry(self, arn: str, name: Any) -> None:
        """:raises ValueError: not the ARN of a service of Cloud Map, or a name that no host has."""
        parsed = parse_arn(arn)
        if parsed is None or (parsed.service, parsed.kind) != ("servicediscovery", "service"):
            raise ValueError(
                f"a registry is named by the ARN of a service of Cloud Map, not by {arn!r}"
            )
        if not isinstance(name, str) or not is_host(name):
            raise ValueError(f"a registry has the name of a host, as db.internal, not {name!r}")
        self._registries[arn] = name

    def see_registry(self, arn: str, name: str) -> None:
        """Keep what the endpoint says of a service of Cloud Map."""
        if is_host(name):
            self._seen_registries[arn] = name

    @property
    def registries(self) -> dict[str, str]:
        """The names under which Cloud Map's services are found, by their ARNs: those that the test
        set, else what the endpoint says.
        """
        return {**self._seen_registries, **self._registries}

    def ask_hook(self, event: HookEvent) -> None:
        self._hook_events.append(event)

    def next_hook(self) -> HookEvent | None:
        """The next call that the test is to make."""
        if not self._hook_events:
            return None
        event = self._hook_events.popleft()
        self._asked[event.id] = event
        return event

    def asked_hook(self, id: str) -> HookEvent | None:
        """The call that the test was asked for and has not answered."""
        return self._asked.pop(id, None)

    def secret(self, reference: SecretReference) -> Secret | None:
        """The one that was registered under the reference's ARN or name: an ARN counts with and
        without its random suffix, a name for either service.
        """
        exact = self._secrets.get(reference.id)
        if exact is not None:
            return exact
        for name in reference.names:
            if name in self._secrets:
                return self._secrets[name]
        for id, secret in list(self._secrets.items()):
            if _means_the_same(parse_secret(id), reference):
                return secret
        return None

    def env_file(self, arn: str) -> Mapping[str, str] | None:
        return self._files.get(arn)


def _means_the_same(registered: SecretReference, wanted: SecretReference) -> bool:
    """Whether two references, one an ARN at least, name one thing."""
    if registered.arn is None or registered.is_parameter != wanted.is_parameter:
        return False
    if wanted.arn is not None and _place(registered) != _place(wanted):
        return False
    return registered.names[0] in wanted.names or wanted.names[0] in registered.names


def _place(reference: SecretReference) -> tuple[str, str, str] | None:
    arn = reference.arn
    return (arn.partition, arn.region, arn.account) if arn else None
