"""Environment files of S3."""

from __future__ import annotations

from collections.abc import Iterable

from kecs_server.aws.endpoints import EndpointError
from kecs_server.aws.endpoints import Endpoints
from kecs_server.aws.errors import ResourceError
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.env_file import parse_env_file
from kecs_server.domain.references import Variables
from kecs_server.state.registered import Registered

_FAILED = "failed to download env files: "


def fetch_env_files(
    arns: Iterable[str], registered: Registered, endpoints: Endpoints | None, region: str
) -> dict[str, Variables]:
    """The variables of each file: what the test registered, else what the endpoint has.

    :raises ResourceError: one cannot be had, or read.
    """
    files: dict[str, Variables] = {}
    for arn in dict.fromkeys(arns):
        known = registered.env_file(arn)
        if known is not None:
            files[arn] = dict(known)
        elif endpoints is None:
            raise ResourceError(f"{_FAILED}{arn}: NoSuchKey: The specified key does not exist.")
        else:
            files[arn] = _from_s3(endpoints, region, arn)
    return files


def _from_s3(endpoints: Endpoints, region: str, arn: str) -> Variables:
    parsed = parse_arn(arn)
    assert parsed is not None
    bucket, _, key = parsed.resource.partition("/")
    try:
        body = endpoints.read_object(region, bucket, key)
    except EndpointError as error:
        raise ResourceError(f"{_FAILED}{arn}: {error}") from error
    try:
        return parse_env_file(body.decode())
    except ValueError as error:
        raise ResourceError(f"{_FAILED}{arn}: {error}") from error
