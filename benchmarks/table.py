"""Rows as a table for the terminal, as Markdown, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.figures import Figure
from benchmarks.figures import Row

_HEADINGS = ("what", "ours", "peer", "peer's", "ratio", "aim", "met", "rounds", "note")
_MARKDOWN_HEADINGS = _HEADINGS[:-2]


def text_table(rows: Sequence[Row]) -> str:
    """Columns for a terminal, each group under its own heading."""
    lines = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]

    def aligned(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return "  ".join(padded).rstrip()

    text = [aligned(_HEADINGS), "  ".join("-" * width for width in widths)]
    group = None
    for row in rows:
        if row.group != group:
            group = row.group
            text.append(f"[{group}]")
        text.append(aligned(_cells(row)))
    return "\n".join(text)


def markdown_table(rows: Sequence[Row]) -> str:
    """The same for the README, without rounds and notes."""
    lines = [_MARKDOWN_HEADINGS, ("---",) * len(_MARKDOWN_HEADINGS)]
    lines += [_cells(row)[: len(_MARKDOWN_HEADINGS)] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_json(rows: Sequence[Row], about: Mapping[str, Any]) -> str:
    """Everything; `about` (the machine, the versions) comes first."""
    return json.dumps({**about, "rows": [asdict(row) for row in rows]}, indent=2) + "\n"


def verdict(rows: Sequence[Row]) -> str:
    """How many aims were met, and which were not."""
    aims = [row for row in rows if row.aim]
    parts = [f"{sum(row.met is True for row in aims)} of {len(aims)} aims met"]
    for label, met in (("missed", False), ("too noisy to tell", None)):
        names = [row.name for row in aims if row.met is met]
        if names:
            parts.append(f"{label}: {', '.join(names)}")
    return "; ".join(parts)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        _figure(row.ours, row.unit),
        row.peer.name if row.peer else "",
        _figure(row.peer.figure, row.unit) if row.peer else "",
        "" if row.ratio is None else f"{row.ratio:.2f}",
        row.aim,
        {True: "yes", False: "NO", None: "?" if row.aim else ""}[row.met],
        str(row.ours.rounds),
        row.note,
    )


def _figure(figure: Figure, unit: str) -> str:
    def digits(value: float) -> str:
        return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"

    text = f"{digits(figure.median)} {unit}"
    if figure.rounds == 1:
        return text
    return f"{text} ({digits(figure.low)}-{digits(figure.high)})"
