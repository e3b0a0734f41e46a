"""`kecs conformance`: how much of ECS a server keeps."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_kecs.conformance.endpoint import Endpoint
from pytest_kecs.conformance.runner import FAMILIES
from pytest_kecs.conformance.runner import Outcome
from pytest_kecs.conformance.runner import Result
from pytest_kecs.conformance.runner import run
from pytest_kecs.errors import InvalidSetting

OUTCOMES: tuple[Outcome, ...] = ("passed", "failed", "not implemented", "skipped")


def conformance(given: argparse.Namespace) -> int:
    """Run, print, and write; 1 if a check failed or something remained.

    :raises InvalidSetting: it could not be run.
    """
    unknown = sorted(set(given.family) - set(FAMILIES))
    if unknown:
        raise InvalidSetting(
            f"there is no family {unknown[0]!r}; the families are {', '.join(FAMILIES)}"
        )
    if not given.endpoint.startswith(("http://", "https://")):
        raise InvalidSetting(f"--endpoint {given.endpoint!r} is not a URL, as http://HOST:PORT is")
    if given.json:
        try:
            Path(given.json).touch()
        except OSError as error:
            raise InvalidSetting(f"--json {given.json} cannot be written: {error}") from error
    endpoint = Endpoint(given.endpoint, given.region, allowed_account=given.allow_aws)
    results: list[Result] = []
    try:
        first = endpoint.send("ListClusters", b"{}")
        if first.status == 0:
            raise InvalidSetting(f"nobody answers at {given.endpoint}: {first.text}")
        for result in run(
            endpoint,
            families=given.family,
            subnet=given.subnet,
            security_group=given.security_group,
            with_tasks=not given.without_tasks,
            wait_seconds=given.wait,
        ):
            results.append(result)
            _print_trouble(result)
    finally:
        endpoint.close()
    print(markdown(results))
    if given.json:
        text = json.dumps([as_json(result) for result in results], indent=2)
        Path(given.json).write_text(text + "\n", encoding="utf-8")
    is_bad = any(result.outcome in ("failed", "not implemented") for result in results)
    return int(is_bad or any(result.leftovers for result in results))


def _print_trouble(result: Result) -> None:
    check = result.check
    if result.outcome in ("failed", "skipped"):
        where = f"{check.family}: {check.operation}: {check.rule} ({check.basis}, {check.source})"
        print(f"{result.outcome}: {where}: {result.came}", file=sys.stderr)
    for each in result.leftovers:
        print(f"could not be removed: {each}", file=sys.stderr)


def markdown(results: Sequence[Result]) -> str:
    """The table by family and operation, and how it went by what the rules rest on."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for result in results:
        key = (result.check.family, result.check.operation)
        counts.setdefault(key, Counter())[result.outcome] += 1
    lines = [_row("family", "operation", *OUTCOMES), _row(*["---"] * (2 + len(OUTCOMES)))]
    lines += [
        _row(*key, *(str(found[outcome] or "") for outcome in OUTCOMES))
        for key, found in counts.items()
    ]
    total = Counter(result.outcome for result in results)
    summary = ", ".join(f"{total[outcome]} {outcome}" for outcome in OUTCOMES)
    lines += ["", f"{len(results)} checks: {summary}."]
    for basis in ("captured", "documented", "inferred"):
        of_basis = [each for each in results if each.check.basis == basis]
        passed = sum(each.outcome == "passed" for each in of_basis)
        lines.append(f"Rules that are {basis}: {passed} of {len(of_basis)} kept.")
    return "\n".join(lines)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def as_json(result: Result) -> dict[str, Any]:
    """A check with its rule and what came."""
    check = result.check
    return {
        "family": check.family,
        "operation": check.operation,
        "name": check.name,
        "rule": check.rule,
        "basis": check.basis,
        "source": check.source,
        "needs_tasks": check.needs_tasks,
        "outcome": result.outcome,
        "came": result.came,
        "leftovers": list(result.leftovers),
    }
