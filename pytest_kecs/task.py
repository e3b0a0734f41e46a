"""A task as DescribeTasks told it, with the names that a test says out loud."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any


class Task(Mapping[str, Any]):
    """One task at one moment: reads like the dictionary that boto3 gives, and by attribute.

    It does not change; what waits for the task returns a newer one.
    """

    __slots__ = ("_facts",)

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = dict(facts)

    def __getitem__(self, name: str) -> Any:
        return self._facts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def __repr__(self) -> str:
        codes = ", ".join(f"{name}: exit {code}" for name, code in self.exit_codes.items())
        return f"<Task {self.id} {self.last_status}{f' ({codes})' if codes else ''}>"

    @property
    def arn(self) -> str:
        return str(self["taskArn"])

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def cluster(self) -> str:
        """The cluster's ARN."""
        return str(self["clusterArn"])

    @property
    def last_status(self) -> str:
        return str(self["lastStatus"])

    @property
    def desired_status(self) -> str:
        return str(self["desiredStatus"])

    @property
    def stop_code(self) -> str | None:
        """Why ECS says the task stopped, as one word; None while it has not."""
        return self.get("stopCode")

    @property
    def stopped_reason(self) -> str | None:
        return self.get("stoppedReason")

    @property
    def containers(self) -> dict[str, Mapping[str, Any]]:
        """The containers by name."""
        return {container["name"]: container for container in self.get("containers", ())}

    @property
    def exit_codes(self) -> dict[str, int]:
        """Exit codes by container; a container that never ran has none."""
        return {
            name: container["exitCode"]
            for name, container in self.containers.items()
            if "exitCode" in container
        }
