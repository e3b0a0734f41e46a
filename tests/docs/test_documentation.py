"""Every Python block of the documentation is a file, and the tests in it pass.

Those of clients.md, marked `py`, need programs of their own: tests/clients runs them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OPTIONS = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-W", "error")


def files_of(page: Path) -> dict[str, str]:
    """The page's files by name."""
    files = {}
    for language, title, text in FENCE.findall(page.read_text(encoding="utf-8")):
        if language in ("python", "ini"):
            assert title, f"a block of {page.name} has no title: {text[:60]!r}"
            assert title not in files
            files[title] = text
    return files


PAGES = [page for page in sorted(DOCS.rglob("*.md")) if files_of(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page(
    page: Path, pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "PYTEST_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("KECS_HOME", str(tmp_path / "home"))
    files = files_of(page)
    files.setdefault("pytest.ini", "[pytest]\n")
    for name, text in files.items():
        (pytester.path / name).write_text(text, encoding="utf-8")
    outcomes = pytester.runpytest_subprocess(*OPTIONS, timeout=100).parseoutcomes()
    tests = sum(text.count("\ndef test_") for text in files.values())
    assert outcomes == {"passed": tests}
