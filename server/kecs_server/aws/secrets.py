"""Secrets of Secrets Manager and parameters of SSM, in ECS's words when there are none."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from kecs_server.aws.endpoints import EndpointError
from kecs_server.aws.endpoints import Endpoints
from kecs_server.aws.errors import ResourceError
from kecs_server.domain.references import RegistryLogin
from kecs_server.domain.references import SecretReference
from kecs_server.state.registered import CURRENT
from kecs_server.state.registered import Registered

Values = dict[SecretReference, str]

_PREFIX = (
    "unable to pull secrets or registry auth: execution resource retrieval failed: unable to "
    "retrieve secret"
)
_LOGIN = f"{_PREFIX} from asm: asm fetching {{}}"
_FROM_ASM = f"{_PREFIX} from asm: service call has been retried {{}} time(s): "
_FROM_SSM = f"{_PREFIX}s from ssm: "
_NOT_FOUND = "ResourceNotFoundException: Secrets Manager can't find the specified secret"
_BATCH = 10
"""Parameters that one call of GetParameters may ask for."""


def fetch_secrets(
    wanted: Iterable[SecretReference],
    registered: Registered,
    endpoints: Endpoints | None,
    region: str,
) -> Values:
    """The value of each reference: what the test registered, else what the endpoint has.

    :param region: of references that name none.
    :raises ResourceError: one cannot be had.
    """
    values: Values = {}
    parameters = defaultdict(list)
    for reference in dict.fromkeys(wanted):
        secret = registered.secret(reference)
        if secret is not None:
            value = secret.value(reference.stage, reference.version)
            values[reference] = _found(reference, value)
        elif endpoints is None:
            values[reference] = _found(reference, None, known=False)
        elif reference.is_parameter:
            parameters[reference.arn.region if reference.arn else region].append(reference)
        else:
            values[reference] = _part(reference, _from_secrets_manager(endpoints, reference))
    for place, references in parameters.items():
        assert endpoints is not None
        values |= _from_parameter_store(endpoints, place, references)
    return values


def parse_login(value: str) -> RegistryLogin:
    """The secret of a private registry: {"username": ..., "password": ...}.

    :raises ResourceError: it is something else; the agent's words for that.
    """
    if not value:
        raise ResourceError(_LOGIN.format("authorization data: empty secrets value"))
    try:
        members: Any = json.loads(value)
    except ValueError:
        members = None
    found = {}
    for name in ("username", "password"):
        text = members.get(name, "") if isinstance(members, dict) else None
        if not isinstance(text, str):
            problem = "authorization data: unable to unmarshal secret value, invalid schema"
            raise ResourceError(_LOGIN.format(problem))
        if not text:
            problem = f"{name}: AuthorizationData is malformed, empty field"
            raise ResourceError(_LOGIN.format(problem))
        found[name] = text
    return RegistryLogin(**found)


def _found(reference: SecretReference, value: str | None, *, known: bool = True) -> str:
    """:param known: the secret is registered, if not in the stage and version asked for."""
    if value is not None:
        return _part(reference, value)
    if reference.is_parameter:
        shown = _shown(reference.id, reference.version)
        raise ResourceError(f"{_FROM_SSM}invalid parameters: {shown}")
    tail = "."
    if known and reference.version:
        tail = f" value for VersionId: {reference.version}"
    elif known:
        tail = f" value for staging label: {reference.stage or CURRENT}"
    raise ResourceError(_FROM_ASM.format(1) + _NOT_FOUND + tail)


def _part(reference: SecretReference, value: str) -> str:
    """The whole value, or the member of it that the reference names."""
    if reference.json_key is None:
        return value
    try:
        members: Any = json.loads(value)
    except ValueError:
        members = None
    if not isinstance(members, dict) or reference.json_key not in members:
        raise ResourceError(
            f"{_FROM_ASM.format(1)}retrieved secret from Secrets Manager did not contain json key "
            f"{reference.json_key}"
        )
    member = members[reference.json_key]
    return member if isinstance(member, str) else json.dumps(member)


def _from_secrets_manager(endpoints: Endpoints, reference: SecretReference) -> str:
    assert reference.arn is not None
    asked = {"VersionId": reference.version, "VersionStage": reference.stage}
    given = {name: value for name, value in asked.items() if value is not None}
    try:
        answer = endpoints.call(
            "secretsmanager",
            reference.arn.region,
            "get_secret_value",
            SecretId=reference.id,
            **given,
        )
    except EndpointError as error:
        raise ResourceError(_FROM_ASM.format(error.attempts) + str(error)) from error
    if "SecretString" not in answer:
        raise ResourceError(
            f"{_FROM_ASM.format(1)}the secret {reference.id} is binary, and only a text can be the "
            "value of a variable"
        )
    return str(answer["SecretString"])


def _from_parameter_store(
    endpoints: Endpoints, region: str, references: list[SecretReference]
) -> Values:
    values, missing = {}, []
    asked = {each: [_shown(name, each.version) for name in each.names] for each in references}
    known = _parameters(endpoints, region, [name for names in asked.values() for name in names])
    for reference, names in asked.items():
        found = [known[name] for name in names if name in known]
        if found:
            values[reference] = found[0]
        else:
            missing.append(_shown(reference.id, reference.version))
    if missing:
        raise ResourceError(f"{_FROM_SSM}invalid parameters: {','.join(missing)}")
    return values


def _parameters(endpoints: Endpoints, region: str, names: list[str]) -> dict[str, str]:
    """Name, or `name:version` -> value, of the parameters that there are."""
    found = {}
    for first in range(0, len(names), _BATCH):
        batch = names[first : first + _BATCH]
        try:
            answer = endpoints.call(
                "ssm", region, "get_parameters", Names=batch, WithDecryption=True
            )
        except EndpointError as error:
            raise ResourceError(f"{_FROM_SSM}{error}") from error
        for parameter in answer["Parameters"]:
            value = str(parameter["Value"])
            found[f"{parameter['Name']}:{parameter['Version']}"] = value
            found[parameter["Name"] + parameter.get("Selector", "")] = value
    return found


def _shown(name: str, version: str | None) -> str:
    return f"{name}:{version}" if version else name
