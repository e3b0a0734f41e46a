"""A task as DescribeTasks told it, with the names that a test says out loud."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

_TOLD = ("lastStatus", "desiredStatus", "healthStatus", "stopCode", "stoppedReason")


class Fact:
    """A value that knows of which task it is: an assertion that fails on it can say more."""

    task: Task


class TextFact(str, Fact):
    """A status or a reason."""


class NumberFact(int, Fact):
    """An exit code."""


class CodesFact(dict[str, int], Fact):
    """Exit codes by container."""


class Task(Mapping[str, Any]):
    """One task at one moment: reads like the dictionary that boto3 gives, and by attribute.

    It does not change; what waits for the task returns a newer one.
    """

    __slots__ = ("_facts",)

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = dict(facts)

    def __getitem__(self, name: str) -> Any:
        value = self._facts[name]
        return self._text(value) if name in _TOLD and isinstance(value, str) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def __repr__(self) -> str:
        """With all that a failed assertion needs: why it stopped, and how its containers ended."""
        why = ": ".join(text for text in (self.stop_code, self.stopped_reason) if text)
        codes = [f"{name}: exit {code}" for name, code in self.exit_codes.items()]
        texts = [
            f"{name}: {container['reason']}"
            for name, container in self.containers.items()
            if container.get("reason")
        ]
        parts = [f"{self.id} {self.last_status}", *([why] if why else []), *codes, *texts]
        return f"<Task {', '.join(parts)}>"

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
        return self._text(self._facts["lastStatus"])

    @property
    def desired_status(self) -> str:
        return self._text(self._facts["desiredStatus"])

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
        codes = CodesFact()
        codes.task = self
        for name, container in self.containers.items():
            if "exitCode" in container:
                code = codes[name] = NumberFact(container["exitCode"])
                code.task = self
        return codes

    def _text(self, value: str) -> TextFact:
        text = TextFact(value)
        text.task = self
        return text
