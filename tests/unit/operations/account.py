"""The operations of an account, called as a client would, without HTTP. Nothing runs."""

from __future__ import annotations

from typing import Any

from kecs_server.operations.registry import Call
from kecs_server.operations.table import all_operations
from kecs_server.state.realm import Realm

NUMBER = "123456789012"
CONTAINER = {"name": "app", "image": "busybox", "memory": 64}


class Account:
    """Calls are the root user's, or those of a session of a role."""

    def __init__(self, realm: Realm | None = None, region: str = "us-east-1") -> None:
        self.realm = realm or Realm(
            id="r", name="account", engine="process", images={}, wake=lambda _: None
        )
        self.region = region

    def __call__(self, operation: str, *, session: str | None = None, **params: Any) -> Any:
        call = Call(realm=self.realm, account=NUMBER, region=self.region, role=session)
        return all_operations().operations()[operation].handler(call, params)
