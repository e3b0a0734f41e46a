"""Put the tables that code generates into README.md and docs."""

from __future__ import annotations

import sys
from pathlib import Path

from kecs_server.operations import effects
from kecs_server.operations import table
from kecs_server.operations import waits
from kecs_server.protocol.model import operation_names

from pytest_kecs.settings import reference_markdown

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"

sys.path.insert(0, str(ROOT / "tests"))
import coverage_table  # noqa: E402
import source_table  # noqa: E402
from probes.cases import number_of_probes  # noqa: E402


def replace_table(text: str, new: str) -> str:
    """The text with `new` in the place of the table that has the same first row."""
    header = new.partition("\n")[0]
    begin = text.index(f"{header}\n")
    end = text.index("\n\n", begin)
    return text[:begin] + new.rstrip("\n") + text[end:]


text = README.read_text(encoding="utf-8")
tables = (
    table.markdown(operation_names()),
    waits.markdown(),
    effects.markdown(),
    reference_markdown(),
)
for new in tables:
    text = replace_table(text, new)
README.write_text(text, encoding="utf-8")

docs = ROOT / "docs" / "api-coverage.md"
docs.parent.mkdir(exist_ok=True)
docs.write_text(coverage_table.markdown(), encoding="utf-8")

sources = source_table.collected(ROOT / "tests" / "api")
page = source_table.markdown(sources, probes=number_of_probes())
(docs.parent / "test-sources.md").write_text(page, encoding="utf-8")
