"""docs/test-sources.md: what the tests of ECS's behaviour rest on, by subject."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from pathlib import Path

import pytest
from sources import OURS
from sources import SOURCES
from sources import source_of

Counts = Mapping[str, Counter[str]]
"""Numbers of tests by what they rest on, by subject."""

_KINDS = (*SOURCES, OURS)
_TEXT = """\
# What the tests rest on

`make tables` makes this page: how many tests in `tests/api` there are of each subject, by the
least sure thing that they assert. *captured*: AWS was seen to answer so. *documented*: AWS's
documentation or botocore's model says so. *inferred*: it fits with both, and nobody outside of AWS
knows. *ours*: it is of this server alone. Besides, the server is asked {probes},000 requests made
from the model ([API coverage](api-coverage.md)), and what the checks of
[kecs conformance](conformance.md) ask, which say on what each rests.

"""


class _Collected:
    """Takes the tests that pytest has collected."""

    items: tuple[pytest.Item, ...] = ()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = tuple(session.items)


def collected(folder: Path) -> Counts:
    """What the tests of a folder rest on; none of them is run.

    :raises RuntimeError: they cannot be collected.
    """
    found = _Collected()
    arguments = [str(folder), "--collect-only", "-p", "no:terminal", "-p", "no:xdist"]
    # The caller has imported some of it before.
    arguments += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    status = pytest.main(arguments, plugins=[found])
    if status != pytest.ExitCode.OK:
        raise RuntimeError(f"pytest could not collect {folder}: {status!r}")
    return counted((item.path.stem, source_of(item) or "") for item in found.items)


def counted(tests: Iterable[tuple[str, str]]) -> Counts:
    """:param tests: the name of the file of each, and what it rests on."""
    counts: dict[str, Counter[str]] = {}
    for file, source in tests:
        subject = file.removeprefix("test_").removeprefix("api_").replace("_", " ")
        counts.setdefault(subject, Counter())[source] += 1
    return counts


def markdown(counts: Counts, *, probes: int) -> str:
    lines = [_row("tests of", *_KINDS), _row(*["---"] * (1 + len(_KINDS)))]
    lines += [_line(subject, counts[subject]) for subject in sorted(counts)]
    total: Counter[str] = sum(counts.values(), Counter())
    lines.append(_line("all", total))
    return _TEXT.format(probes=probes // 1000) + "\n".join(lines) + "\n"


def _line(subject: str, counts: Counter[str]) -> str:
    return _row(subject, *(str(counts[kind] or "") for kind in _KINDS))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
