"""Rules of the order of containers: what is depended on exists and can come true, without cycles.

Links and volumesFrom order containers too: they wait for the other's start (ecs-facts 6.9).
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

Structure = dict[str, Any]


def problems(containers: list[Structure]) -> Iterator[str]:
    by_name = {container["name"]: container for container in containers}
    for container in containers:
        for dependency in container.get("dependsOn", ()):
            target = by_name.get(dependency["containerName"])
            if target is None:
                yield (
                    f"Cannot depend on container + '{dependency['containerName']}' because it "
                    "does not exist"
                )
            else:
                yield from _condition_problems(dependency["condition"], target)
    if _has_cycle({name: _dependencies(container) for name, container in by_name.items()}):
        yield "Container dependsOn contains a cycle"
    for container in containers:
        if len(_dependencies(container)) < len(container.get("dependsOn", ())):
            yield (
                f"The dependsOn of container '{container['name']}' names a container more than "
                "once."
            )
    if _has_cycle({name: _predecessors(container) for name, container in by_name.items()}):
        yield "The dependsOn, links and volumesFrom of the containers form a cycle."


def _has_cycle(edges: Mapping[str, set[str]]) -> bool:
    """Whether somebody, by way of others, waits for itself."""
    remaining = dict(edges)
    while remaining:
        free = {name for name, waits_for in remaining.items() if not waits_for & remaining.keys()}
        if not free:
            return True
        remaining = {name: waits for name, waits in remaining.items() if name not in free}
    return False


def _dependencies(container: Structure) -> set[str]:
    return {dependency["containerName"] for dependency in container.get("dependsOn", ())}


def _predecessors(container: Structure) -> set[str]:
    """All that start before it. Expects names that exist."""
    links = {link.partition(":")[0] for link in container.get("links", ())}
    sources = {source["sourceContainer"] for source in container.get("volumesFrom", ())}
    return _dependencies(container) | links | sources


def _condition_problems(condition: str, target: Structure) -> Iterator[str]:
    if condition in ("SUCCESS", "COMPLETE") and target.get("essential", True):
        yield (
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential "
            "container"
        )
    check = target.get("healthCheck")
    if condition == "HEALTHY" and (check is None or check["command"][0] == "NONE"):
        yield "A dependency container with HEALTHY condition must have health check configured"
