"""RunTask with everything filled in that a test rarely cares about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from pytest_kecs.errors import KecsError
from pytest_kecs.task import Task

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

__tracebackhide__ = True  # as in `kecs`

# Nothing is looked up by these names: the network is the engine's.
_NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-0"], "securityGroups": ["sg-0"]}}

_MEANINGS = {
    "RESOURCE:MEMORY": "not enough memory is left",
    "RESOURCE:CPU": "not enough CPU is left",
    "RESOURCE:GPU": "not enough GPUs are left",
    "RESOURCE:PORTS": "a host port is taken",
    "ATTRIBUTE": "it has not what the definition requires",
    "AGENT": "its agent is not connected",
}
"""Reasons of RunTask for not taking a container instance, in words."""


class TaskNotStarted(KecsError):
    """RunTask answered with failures; `failures` has them as ECS gave them."""

    def __init__(self, task_definition: str, failures: list[Mapping[str, Any]]) -> None:
        super().__init__(f"{task_definition} was not started: {'; '.join(map(_text, failures))}")
        self.failures = failures


class Runner:
    """Runs tasks through one ECS client."""

    def __init__(self, client: ECSClient) -> None:
        self._client = client

    def run(
        self,
        task_definition: str,
        *,
        count: int,
        cluster: str | None,
        environment: Mapping[str, str],
        overrides: Mapping[str, Any],
        parameters: Mapping[str, Any],
    ) -> list[Task]:
        """:raises TaskNotStarted: fewer than `count` tasks came."""
        answer = self._client.describe_task_definition(taskDefinition=task_definition)
        definition: Mapping[str, Any] = answer["taskDefinition"]
        has_strategy = self._has_strategy(cluster)
        filled = _placement(definition, parameters, has_strategy=has_strategy)
        request: dict[str, Any] = {**filled, **parameters}
        merged = _with_environment(overrides, environment, definition)
        if merged:
            request["overrides"] = merged
        started = self._client.run_task(
            cluster=cluster or "default",
            taskDefinition=task_definition,
            count=count,
            **request,
        )
        if started["failures"]:
            raise TaskNotStarted(task_definition, [dict(one) for one in started["failures"]])
        return [Task(task) for task in started["tasks"]]

    def _has_strategy(self, cluster: str | None) -> bool:
        """Whether the cluster says itself what its tasks run on. The default one is made."""
        found = self._client.describe_clusters(clusters=[cluster or "default"])["clusters"]
        active = [each for each in found if each["status"] in ("ACTIVE", "PROVISIONING")]
        if cluster is None and not active:
            self._client.create_cluster(clusterName="default")
        return any(each["defaultCapacityProviderStrategy"] for each in active)


def _placement(
    definition: Mapping[str, Any], given: Mapping[str, Any], *, has_strategy: bool
) -> dict[str, Any]:
    """Launch type and network for the definition, unless the caller or the cluster said."""
    filled: dict[str, Any] = {}
    is_said = has_strategy or {"launchType", "capacityProviderStrategy"} & given.keys()
    if not is_said:
        filled["launchType"] = _launch_type(definition)
    if definition.get("networkMode") == "awsvpc" and "networkConfiguration" not in given:
        filled["networkConfiguration"] = _NETWORK
    return filled


def _launch_type(definition: Mapping[str, Any]) -> str:
    required = definition.get("requiresCompatibilities") or []
    if len(required) == 1:
        return str(required[0])
    possible = required or definition.get("compatibilities", ())
    return "FARGATE" if "FARGATE" in possible else "EC2"


def _with_environment(
    overrides: Mapping[str, Any], environment: Mapping[str, str], definition: Mapping[str, Any]
) -> dict[str, Any]:
    """`overrides` with `environment` added to every container; what an override says wins."""
    if not environment:
        return dict(overrides)
    given = {one["name"]: one for one in overrides.get("containerOverrides", ())}
    containers = []
    for name in [container["name"] for container in definition["containerDefinitions"]]:
        override = given.pop(name, {"name": name})
        said = {pair["name"]: pair["value"] for pair in override.get("environment", ())}
        pairs = {**environment, **said}
        variables = [{"name": key, "value": value} for key, value in pairs.items()]
        containers.append({**override, "environment": variables})
    return {**overrides, "containerOverrides": [*containers, *given.values()]}


def _text(failure: Mapping[str, Any]) -> str:
    reason = str(failure.get("reason"))
    meaning = f" ({_MEANINGS[reason]})" if reason in _MEANINGS else ""
    parts = [reason + meaning, failure.get("detail"), failure.get("arn")]
    return ", ".join(str(part) for part in parts if part)
