"""Put the tables that code generates into README.md."""

from __future__ import annotations

from pathlib import Path

from kecs_server.operations import effects
from kecs_server.operations import table

from pytest_kecs.settings import reference_markdown

README = Path(__file__).parents[1] / "README.md"


def replace_table(text: str, new: str) -> str:
    """The text with `new` in the place of the table that has the same first row."""
    header = new.partition("\n")[0]
    begin = text.index(f"{header}\n")
    end = text.index("\n\n", begin)
    return text[:begin] + new.rstrip("\n") + text[end:]


text = README.read_text(encoding="utf-8")
for new in (table.markdown(), effects.markdown(), reference_markdown()):
    text = replace_table(text, new)
README.write_text(text, encoding="utf-8")
