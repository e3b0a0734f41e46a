"""Why the resources of a task cannot be had."""

from __future__ import annotations


class ResourceError(Exception):
    """The text is what ECS says after `ResourceInitializationError: ` (ecs-facts 6.6)."""
