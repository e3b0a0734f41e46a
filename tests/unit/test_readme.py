"""The README's tables are what the code says, and no parameter is ignored without a word."""

from __future__ import annotations

from pathlib import Path

import coverage_table as coverage
import pytest
from kecs_server.operations import table
from kecs_server.operations import waits
from kecs_server.operations.effects import REFUSED
from kecs_server.operations.effects import STORED
from kecs_server.operations.effects import Refused
from kecs_server.operations.effects import Stored
from kecs_server.operations.effects import markdown
from kecs_server.protocol.model import operation_model
from kecs_server.protocol.model import operation_names
from kecs_server.protocol.model import service_model

from pytest_kecs.settings import reference_markdown

ROOT = Path(__file__).parents[2]


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def members_of(where: str) -> set[str]:
    if where in operation_names():
        return set(operation_model(where).input_shape.members)
    return set(service_model().shape_for(where).members)


def test_the_readme_has_the_table_of_settings() -> None:
    assert reference_markdown() in readme()


def test_the_readme_has_the_table_of_parameters_without_effect() -> None:
    assert markdown() in readme()


def test_the_readme_has_the_table_of_operations() -> None:
    assert table.markdown(operation_names()) in readme()


def test_the_readme_has_the_table_of_waits() -> None:
    assert f"{waits.markdown()}\n\n" in readme()
    # What the row about them says is true of each.
    assert len(set(waits.RETENTIONS)) == 1


def test_the_docs_have_the_coverage_of_the_api() -> None:
    assert coverage.markdown() == (ROOT / "docs" / "api-coverage.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "row", [*STORED, *REFUSED], ids=lambda row: f"{row.where}-{row.members[0]}"
)
def test_what_is_listed_is_in_the_model(row: Stored | Refused) -> None:
    assert set(row.members) <= members_of(row.where)
