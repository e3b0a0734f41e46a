"""Evening out a service's tasks over Availability Zones (ecs-facts 7.8). Pure."""

from __future__ import annotations

from collections.abc import Mapping

ALLOWED = 1
"""How many tasks one zone may have more than another: an odd number cannot be split."""


def is_balanced(counts: Mapping[str, int]) -> bool:
    """:param counts: how many tasks each zone has that can have some."""
    return not counts or max(counts.values()) - min(counts.values()) <= ALLOWED


def moves(counts: Mapping[str, int], most: int) -> list[str]:
    """The zone of each task to start, so that as many can leave the fullest zones.

    :param most: so many tasks may be started.
    """
    left = dict(counts)
    zones: list[str] = []
    while len(zones) < most and not is_balanced(left):
        emptiest = min(left, key=lambda zone: (left[zone], zone))
        left[fullest(left)] -= 1
        left[emptiest] += 1
        zones.append(emptiest)
    return zones


def fullest(counts: Mapping[str, int]) -> str:
    return max(counts, key=lambda zone: (counts[zone], zone))


def unbalanced_text(counts: Mapping[str, int]) -> str:
    return f"is not AZ balanced with {_listed(counts)}. AZ Rebalancing in progress."


def balanced_text(counts: Mapping[str, int]) -> str:
    return f"is AZ balanced with {_listed(counts)}."


def _listed(counts: Mapping[str, int]) -> str:
    each = [f"{counts[zone]} tasks in {zone}" for zone in sorted(counts)]
    *first, last = each
    return f"{', '.join(first)}, and {last}" if len(first) > 1 else " and ".join([*first, last])
