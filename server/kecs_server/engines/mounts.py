"""Where something can be mounted in a container, in Docker's words."""

from __future__ import annotations

import os


def inside(path: str) -> str:
    """A path of the container, relative to its root."""
    return os.path.normpath("/" + path).lstrip("/")


def mount_problem(path: str) -> str | None:
    """Why Docker mounts nothing there, or None."""
    problem = None
    if not os.path.isabs(path):
        problem = f"invalid mount path: '{path}' mount path must be absolute"
    elif not inside(path):
        problem = "invalid specification: destination can't be '/'"
    return f"invalid mount config: {problem}" if problem else None
