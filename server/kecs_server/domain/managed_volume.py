"""The EBS volume that is made for a task: the record (ecs-facts 6.4 has attachments)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kecs_server.domain.arns import new_uuid

Structure = dict[str, Any]

ATTACHMENT_TYPE = "AmazonElasticBlockStorage"

CREATED = "CREATED"
"""The attachment's first status, before there is a volume."""


@dataclass(slots=True, kw_only=True)
class ManagedVolume:
    """`name` is that of the definition's volume, `size` in GiB, None for that of a snapshot.
    `is_kept`: it is not deleted when the task stops.
    """

    name: str
    role: str
    size: int | None
    is_kept: bool = False
    status: str = CREATED
    attachment_id: str = field(default_factory=new_uuid)
    volume_id: str = field(default_factory=lambda: "vol-" + secrets.token_hex(9)[:17])

    @classmethod
    def from_configuration(cls, configuration: Structure) -> ManagedVolume:
        """:param configuration: a checked one, of RunTask or of a service."""
        volume = configuration["managedEBSVolume"]
        policy = volume.get("terminationPolicy", {"deleteOnTermination": True})
        return cls(
            name=configuration["name"],
            role=volume["roleArn"],
            size=volume.get("sizeInGiB"),
            is_kept=not policy["deleteOnTermination"],
        )

    def end(self) -> None:
        """The task has stopped."""
        self.status = "DETACHED" if self.is_kept else "DELETED"
