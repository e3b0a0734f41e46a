"""What RunTask refuses of a request by itself: counts and names (ecs-facts 5.1, 5.2)."""

from __future__ import annotations

import re
from typing import Any

from kecs_server.errors import InvalidParameterException

Structure = dict[str, Any]

MAX_COUNT = 10
MAX_TOKEN = 64
MAX_STARTED_BY = 128
MAX_STARTED_BY_OF_START = 36
MAX_INSTANCES = 10

_TOKEN = re.compile(r"[!-~]*\Z")
_STARTED_BY = re.compile(r"[A-Za-z0-9_/-]*\Z")


def check_token(token: str) -> None:
    if len(token) > MAX_TOKEN:
        raise InvalidParameterException(f"idempotency token longer than {MAX_TOKEN}.")
    if not _TOKEN.match(token):
        raise InvalidParameterException("idempotency token contains invalid characters.")


def check_request(params: Structure) -> None:
    """:raises InvalidParameterException: the count, or a name that tasks get, is not valid."""
    if not 1 <= params.get("count", 1) <= MAX_COUNT:
        raise InvalidParameterException(f"Count must be between 1 and {MAX_COUNT}.")
    started_by = params.get("startedBy", "")
    if len(started_by) > MAX_STARTED_BY:
        raise InvalidParameterException(f"startedBy longer than {MAX_STARTED_BY}.")
    if not _STARTED_BY.match(started_by):
        raise InvalidParameterException("startedBy contains invalid characters.")
    if params.get("group", "").startswith("service:"):
        raise InvalidParameterException("The group of a task must not begin with 'service:'.")
    if params.get("propagateTags") == "SERVICE":
        raise InvalidParameterException("Tags cannot be propagated from a service by RunTask.")


def check_start(params: Structure) -> None:
    """What StartTask refuses beside what RunTask does (ecs-facts 5.4).

    :raises InvalidParameterException: no instances, or too many; a long startedBy.
    """
    instances = params["containerInstances"]
    if not instances:
        raise InvalidParameterException("Container instances cannot be empty.")
    if len(instances) > MAX_INSTANCES:
        raise InvalidParameterException(
            f"At most {MAX_INSTANCES} container instances can be named in one call."
        )
    if len(params.get("startedBy", "")) > MAX_STARTED_BY_OF_START:
        raise InvalidParameterException(f"startedBy longer than {MAX_STARTED_BY_OF_START}.")
