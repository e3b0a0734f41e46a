"""Steps that the tests of services share."""

from __future__ import annotations

from typing import Any

INVALID = "InvalidParameterException"
PREFIX = "arn:aws:ecs:us-east-1:123456789012:"


def create(app: Any, name: str = "s", **params: Any) -> Any:
    """Create a service of one task of the family app, but for what `params` say."""
    request = {"serviceName": name, "taskDefinition": "app", "desiredCount": 1, **params}
    return app.create_service(**request)["service"]
