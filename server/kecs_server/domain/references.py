"""What a task refers to that lies elsewhere: secrets and environment files (ecs-facts 6.13)."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from enum import StrEnum
from typing import Any

from kecs_server.domain import log_options
from kecs_server.domain.arns import Arn
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.arns import partition_of

Structure = dict[str, Any]
Variables = dict[str, str]

_RANDOM_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}\Z")
"""What Secrets Manager ends the ARN of a secret with."""

MIN_MASKED = 3
"""Characters of a line of a secret that is worth hiding; shorter ones are in any text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReference:
    """A `valueFrom`. `id`: the ARN without its tail, or a parameter's name. `json_key`, `stage`
    and `version`: the tail of a reference to Secrets Manager; `version` of a parameter, too.
    """

    id: str
    arn: Arn | None
    json_key: str | None = None
    stage: str | None = None
    version: str | None = None

    @property
    def is_parameter(self) -> bool:
        """Of the SSM Parameter Store."""
        return self.arn is None or self.arn.service == "ssm"

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the id may stand for, the likeliest first: a parameter's ARN does not
        tell whether its name begins with a slash, a secret's may end in a random suffix.
        """
        if self.arn is None:
            return (self.id,)
        name = self.arn.resource.partition("/" if self.is_parameter else ":")[2]
        if self.is_parameter:
            return (f"/{name}",) if "/" in name else (name, f"/{name}")
        bare = _RANDOM_SUFFIX.sub("", name)
        return (name,) if bare == name else (name, bare)


class Purpose(StrEnum):
    """What a container needs a secret for."""

    VARIABLE = "variable"
    LOG_OPTION = "log option"
    REGISTRY = "registry"


@dataclass(frozen=True, slots=True)
class WantedSecret:
    """A secret of a container: for its variable `name`, for the option `name` of its log driver,
    or with the user and password of its image's registry.
    """

    container: str
    name: str
    reference: SecretReference
    purpose: Purpose = Purpose.VARIABLE


@dataclass(frozen=True, slots=True)
class RegistryLogin:
    """Who may pull an image."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class WantedFile:
    """An environment file of a container, by the ARN of its S3 object."""

    container: str
    arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGroup:
    """Where a container with the log driver awslogs writes to. `is_created`: it need not be there
    before. `first_line`: how an event of several lines begins; `flush_after`: seconds after which
    one is sent that has not ended.
    """

    region: str
    name: str
    prefix: str | None
    is_created: bool
    first_line: Callable[[bytes], bool] | None = None
    flush_after: float = log_options.FLUSH_SECONDS

    def stream(self, container: str, task_id: str) -> str | None:
        """The stream's name; None: the container's runtime id."""
        return f"{self.prefix}/{container}/{task_id}" if self.prefix else None


@dataclass(frozen=True, slots=True)
class Resources:
    """What the references of a task stand for, by container. Never shown to anybody."""

    files: dict[str, Variables] = field(default_factory=dict, repr=False)
    secrets: dict[str, Variables] = field(default_factory=dict, repr=False)
    log_options: dict[str, Variables] = field(default_factory=dict, repr=False)
    logins: dict[str, RegistryLogin] = field(default_factory=dict, repr=False)

    def masked(self, output: bytes) -> bytes:
        """What a container wrote, with the lines of every secret hidden."""
        for line in sorted(self._lines(), key=len, reverse=True):
            output = output.replace(line.encode(), b"****")
        return output

    def _lines(self) -> set[str]:
        values = [
            value
            for variables in (*self.secrets.values(), *self.log_options.values())
            for value in variables.values()
        ]
        values += [login.password for login in self.logins.values()]
        return {line for value in values for line in value.splitlines() if len(line) >= MIN_MASKED}


def parse_secret(value_from: str) -> SecretReference:
    """`arn:...:secret:NAME[:json-key[:stage[:version]]]`, a parameter's ARN, or its name."""
    arn = parse_arn(value_from)
    if arn is None or arn.service != "secretsmanager":
        return _parameter(value_from, arn)
    kind, name, *tail = (*arn.resource.split(":"), "")
    json_key, stage, version, *_ = [part or None for part in (*tail, "", "", "")]
    bare = f"{kind}:{name}"
    return SecretReference(
        id=value_from.removesuffix(arn.resource) + bare,
        arn=Arn(arn.partition, arn.service, arn.region, arn.account, bare),
        json_key=json_key,
        stage=stage,
        version=version,
    )


def _parameter(value_from: str, arn: Arn | None) -> SecretReference:
    name = arn.resource if arn else value_from
    bare, _, version = name.partition(":")
    return SecretReference(
        id=value_from.removesuffix(name) + bare,
        arn=Arn(arn.partition, arn.service, arn.region, arn.account, bare) if arn else None,
        version=version or None,
    )


def parse_registry_secret(parameter: str, region: str, account: str) -> SecretReference:
    """A `credentialsParameter`: the ARN of a secret, or the name of one of this region."""
    if parse_arn(parameter) is not None:
        return parse_secret(parameter)
    partition = partition_of(region)
    arn = Arn(partition, "secretsmanager", region, account, f"secret:{parameter}")
    return SecretReference(id=parameter, arn=arn)


def wanted_secrets(
    containers: list[Structure], region: str, account: str
) -> Iterator[WantedSecret]:
    """Of the containers of a task definition."""
    for container in containers:
        logging = container.get("logConfiguration", {})
        registry = container.get("repositoryCredentials")
        if registry is not None:
            parameter = registry["credentialsParameter"]
            reference = parse_registry_secret(parameter, region, account)
            yield WantedSecret(container["name"], "", reference, Purpose.REGISTRY)
        for secret in container.get("secrets", ()):
            reference = parse_secret(secret["valueFrom"])
            yield WantedSecret(container["name"], secret["name"], reference)
        for secret in logging.get("secretOptions", ()):
            reference = parse_secret(secret["valueFrom"])
            yield WantedSecret(container["name"], secret["name"], reference, Purpose.LOG_OPTION)


def log_group(container: Structure, secret_options: Variables) -> LogGroup | None:
    """Of a container definition; None: it has another log driver, or none.

    :raises ValueError: an option is not valid.
    """
    logging = container.get("logConfiguration", {})
    options = {**logging.get("options", {}), **secret_options}
    if logging.get("logDriver") != "awslogs":
        return None
    log_options.check(options)
    return LogGroup(
        region=options["awslogs-region"],
        name=options["awslogs-group"],
        prefix=options.get("awslogs-stream-prefix") or None,
        is_created=log_options.is_true(options.get("awslogs-create-group", "")),
        first_line=log_options.first_line(options),
        flush_after=log_options.flush_seconds(options),
    )
