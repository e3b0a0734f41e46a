"""Why a container cannot be started, in the words of the agent, Docker and runc."""

from __future__ import annotations

import os
from errno import EINVAL

from kecs_server.engines.folders import LinkError

DAEMON = "CannotStartContainerError: Error response from daemon: {}"
RUNC = DAEMON.format(
    "failed to create task for container: failed to create shim task: OCI runtime create failed: "
    "runc create failed: unable to start container process: {}: unknown"
)
EXEC = "OCI runtime exec failed: exec failed: unable to start container process: "
CREATE = "CannotCreateContainerError: Error response from daemon: {}"


class LaunchError(Exception):
    """The container cannot be started; the text is its ECS `reason`."""


def describe(error: OSError | ValueError) -> str:
    """As Go words it. A ValueError is Python's for a NUL byte or a lone surrogate."""
    if isinstance(error, LinkError):
        return "it has become a link, which is not followed"
    return os.strerror(getattr(error, "errno", None) or EINVAL).lower()


def as_exec_failure(reason: str) -> str:
    """Why a command cannot be run in a container, of the reason that a container would have."""
    return EXEC + reason.partition("unable to start container process: ")[2]
