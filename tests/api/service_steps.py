"""Steps that the tests of services share."""

from __future__ import annotations

from typing import Any

from api_steps import messages
from api_steps import seen
from api_steps import service

from pytest_kecs.admin import AdminClient

INVALID = "InvalidParameterException"
PREFIX = "arn:aws:ecs:us-east-1:123456789012:"


def create(app: Any, name: str = "s", **params: Any) -> Any:
    """Create a service of one task of the family app, but for what `params` say."""
    request = {"serviceName": name, "taskDefinition": "app", "desiredCount": 1, **params}
    return app.create_service(**request)["service"]


def wait_steady(app: Any, admin: AdminClient) -> None:
    """Wait for the steady state of the service s, which comes after the counts are right."""
    seen(admin, lambda: messages(service(app, "s"))[:1] == ["has reached a steady state."])
