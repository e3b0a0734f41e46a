"""What happened in a realm, in order: API calls and changes of state."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

MAX_ENTRIES = 10_000
"""Older entries are dropped: a realm that lives for days must not fill memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`at` is the realm's clock; `kind` is call, task, container, service or container-instance."""

    at: float
    kind: str
    subject: str
    text: str


class Timeline:
    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)

    def add(self, at: float, kind: str, subject: str, text: str) -> None:
        self._entries.append(Entry(at=at, kind=kind, subject=subject, text=text))

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in sorted(self._entries, key=lambda entry: entry.at)]
