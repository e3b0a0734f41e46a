"""Rules of what comes into a container from elsewhere: variables, files, secrets, credentials."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kecs_server.domain.arns import parse_arn

Structure = dict[str, Any]

MAX_FILES = 10

_PARAMETER_NAME = re.compile(r"[A-Za-z0-9_./-]+\Z")
_CREDENTIAL_SPEC = re.compile(r"credentialspec(domainless)?:(arn:.+)\Z")


def problems(container: Structure, definition: Structure) -> Iterator[str]:
    secrets = (
        *container.get("secrets", ()),
        *container.get("logConfiguration", {}).get("secretOptions", ()),
    )
    if secrets and not definition.get("executionRoleArn"):
        yield (
            "When you are specifying container secrets, you must also specify a value for "
            "'executionRoleArn'"
        )
    for secret in secrets:
        yield from _secret_problems(secret, container)
    yield from variable_problems(container)
    yield from shared_name_problems(container)
    yield from file_problems(container)
    yield from _credential_problems(container)


def variable_problems(container: Structure) -> Iterator[str]:
    for pair in container.get("environment", ()):
        if not pair.get("name"):
            yield f"A variable in the environment of container '{container['name']}' has no name."
        elif "=" in pair["name"]:
            yield (
                f"The name of the variable '{pair['name']}' in the environment of container "
                f"'{container['name']}' has an equals sign in it."
            )


def shared_name_problems(container: Structure) -> Iterator[str]:
    """A secret is a variable too: no two may have one name (ecs-facts 6.13)."""
    taken = {pair["name"] for pair in container.get("environment", ())}
    for secret in container.get("secrets", ()):
        if secret["name"] in taken:
            yield (
                "The secret name must be unique and not shared with any new or existing "
                f"environment variables set on the container, such as '{secret['name']}'."
            )
        taken.add(secret["name"])


def file_problems(container: Structure) -> Iterator[str]:
    files = container.get("environmentFiles", ())
    if len(files) > MAX_FILES:
        yield (
            "The maximum number of environment files was exceeded. Specify ten or less and try "
            "again."
        )
    for file in files:
        if not is_object_arn(file["value"]):
            yield "Invalid arn syntax."
        if not file["value"].endswith(".env"):
            yield f"The environment file '{file['value']}' must have the extension .env."


def is_object_arn(text: str) -> bool:
    """Whether it is the ARN of an S3 object."""
    arn = parse_arn(text)
    bucket, slash, key = arn.resource.partition("/") if arn else ("", "", "")
    return arn is not None and arn.service == "s3" and bool(bucket and slash and key)


def _secret_problems(secret: Structure, container: Structure) -> Iterator[str]:
    if not secret["name"] or not secret["valueFrom"]:
        yield f"A secret of container '{container['name']}' has no name or no valueFrom."
    source = secret["valueFrom"]
    if source.startswith("arn:"):
        arn = parse_arn(source)
        if arn is None:
            yield "Invalid arn syntax."
        elif not _is_secret(arn.service, arn.resource):
            yield (
                f"The valueFrom of secret '{secret['name']}' must be a secret of Secrets Manager "
                "or a parameter of the SSM Parameter Store."
            )
    elif not _PARAMETER_NAME.match(source):
        yield f"The valueFrom of secret '{secret['name']}' is neither an ARN nor a name."


def _is_secret(service: str, resource: str) -> bool:
    return (service == "secretsmanager" and resource.startswith("secret:")) or (
        service == "ssm" and resource.startswith("parameter/")
    )


def _credential_problems(container: Structure) -> Iterator[str]:
    registry = container.get("repositoryCredentials")
    if registry is not None:
        secret = registry["credentialsParameter"]
        if not secret:
            yield "repositoryCredentials.credentialsParameter should not be null or empty."
        if secret.startswith("arn:") and parse_arn(secret) is None:
            yield "Invalid arn syntax."
    specs = container.get("credentialSpecs", ())
    if len(specs) > 1:
        yield f"Container '{container['name']}' can have at most one credential spec."
    for spec in specs:
        match = _CREDENTIAL_SPEC.match(spec)
        if match is None or parse_arn(match[2]) is None:
            yield "Invalid arn syntax."
