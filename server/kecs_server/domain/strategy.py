"""Which capacity provider each new task of a strategy gets (ecs-facts 11.1)."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

Structure = dict[str, Any]


def providers_for(
    strategy: list[Structure], running: Mapping[str, int], count: int
) -> Iterator[str]:
    """The provider of each of `count` new tasks: bases first, then by weight over what runs.

    :param running: tasks that each provider has already.
    """
    counts = {item["capacityProvider"]: 0 for item in strategy}
    counts.update({name: n for name, n in running.items() if name in counts})
    for _ in range(count):
        name = _next_provider(strategy, counts)
        counts[name] += 1
        yield name


def _next_provider(strategy: list[Structure], counts: Mapping[str, int]) -> str:
    for item in strategy:
        if counts[item["capacityProvider"]] < item["base"]:
            return str(item["capacityProvider"])
    weighted = [item for item in strategy if item["weight"] > 0]
    least = min(
        weighted,
        key=lambda item: (
            (counts[item["capacityProvider"]] - item["base"] + 1) / item["weight"],
            -item["weight"],
        ),
    )
    return str(least["capacityProvider"])
