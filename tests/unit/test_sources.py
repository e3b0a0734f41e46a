"""Marks by what a test rests on: a missing one is an error, the nearest one counts."""

from __future__ import annotations

import pytest
from sources import SOURCES
from sources import check_sources
from sources import source_of

MODULE = """
import pytest

pytestmark = pytest.mark.captured

def test_as_the_module():
    pass

@pytest.mark.inferred
def test_of_its_own():
    pass

@pytest.mark.captured
@pytest.mark.parametrize("row", [1, pytest.param(2, marks=pytest.mark.documented)])
def test_rows(row):
    pass
"""


def items_of(pytester: pytest.Pytester, source: str) -> list[pytest.Item]:
    names = "\n  ".join(SOURCES)
    pytester.makeini(f"[pytest]\nmarkers =\n  {names}\n")
    items, _ = pytester.inline_genitems(pytester.makepyfile(source))
    return items


def test_the_nearest_mark_counts(pytester: pytest.Pytester) -> None:
    items = items_of(pytester, MODULE)
    assert [source_of(item) for item in items] == [
        "captured",
        "inferred",
        "captured",
        "documented",
    ]
    check_sources(items)


def test_a_missing_mark_is_an_error(pytester: pytest.Pytester) -> None:
    items = items_of(pytester, MODULE.replace("pytestmark", "other"))
    with pytest.raises(pytest.UsageError) as caught:
        check_sources(items)
    message = str(caught.value)
    assert "test_as_the_module" in message
    assert "test_of_its_own" not in message
