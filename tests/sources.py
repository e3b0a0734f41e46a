"""What a test of ECS's behaviour rests on: one mark for each."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

SOURCES = ("captured", "documented", "inferred")
"""From what AWS was seen to answer, to what nobody outside of it knows."""

OURS = "ours"
"""The mark of tests that are of this server alone."""


def source_of(item: pytest.Item) -> str | None:
    """The mark that is nearest to the test: of the row, the function, the module."""
    nodes = reversed(item.listchain())
    # A row's marks come after those of its function.
    names = (mark.name for node in nodes for mark in reversed(node.own_markers))
    return next((name for name in names if name in (*SOURCES, OURS)), None)


def check_sources(items: Iterable[pytest.Item]) -> None:
    """:raises pytest.UsageError: a test has no mark."""
    missing = sorted(item.nodeid for item in items if source_of(item) is None)
    if missing:
        raise pytest.UsageError(
            f"Tests in tests/api are marked by what they rest on ({', '.join(SOURCES)}), or as "
            f"'{OURS}' when they are not of ECS; these are not:\n" + "\n".join(missing)
        )
