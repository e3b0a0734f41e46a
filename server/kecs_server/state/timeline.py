"""What happened in a realm, in order: API calls with what was asked and answered, and changes of
state.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

MAX_ENTRIES = 20_000
"""Older entries are dropped: a realm that lives for days must not fill memory."""

MAX_BODY = 16 * 1024
"""Bytes of an input, and characters of an answer, that are kept."""

SHORT_BODY = 2048
"""Bytes of an input that a text may tell of."""

MAX_BODIES = 8 * 1024 * 1024
"""What the inputs and answers of a realm may have together; the oldest are dropped first."""


@dataclass(slots=True, kw_only=True)
class CallRecord:
    """An API call as it went over the wire, without its headers: those have credentials.

    `error`: its type, None where there is none. `input_size` and `answer_size` are those before
    anything was cut; None stands for a body that was dropped later.
    """

    account: str
    region: str
    milliseconds: float
    error: str | None
    input: bytes | None
    answer: str | None
    input_size: int
    answer_size: int

    @property
    def kept(self) -> int:
        return len(self.input or b"") + len(self.answer or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`at` is the realm's clock; `kind` is call, clock, task, service, container-instance or one of
    `Managed`. A call's subject is its operation, another's an ARN.
    """

    at: float
    kind: str
    subject: str
    text: str
    call: CallRecord | None = None


class Timeline:
    """The last `MAX_ENTRIES` entries; `total` counts all that there ever were."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        self._bodies: deque[CallRecord] = deque()
        self._kept = 0
        self.total = 0

    def add(self, at: float, kind: str, subject: str, text: str) -> None:
        self._append(Entry(at=at, kind=kind, subject=subject, text=text))

    def add_call(
        self,
        at: float,
        operation: str,
        *,
        account: str,
        region: str,
        milliseconds: float,
        input: bytes,
        answer: str,
        error: str | None,
        message: str,
    ) -> None:
        """:param error: the type of the error that it was answered with, and its `message`."""
        record = CallRecord(
            account=account,
            region=region,
            milliseconds=milliseconds,
            error=error,
            input=input[:MAX_BODY],
            answer=answer[:MAX_BODY],
            input_size=len(input),
            answer_size=len(answer),
        )
        text = f"{operation} {milliseconds:.1f} ms"
        if error is not None:
            text += f" {error}: {message}"
        self._append(Entry(at=at, kind="call", subject=operation, text=text, call=record))
        self._bodies.append(record)
        self._kept += record.kept
        while self._kept > MAX_BODIES or len(self._bodies) > MAX_ENTRIES:
            oldest = self._bodies.popleft()
            self._kept -= oldest.kept
            oldest.input = oldest.answer = None

    def _append(self, entry: Entry) -> None:
        self._entries.append(entry)
        self.total += 1

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def after(self, count: int) -> list[Entry]:
        """Those that came after the first `count` ever, as far as they are still there."""
        first = self.total - len(self._entries)
        return list(islice(self._entries, max(0, count - first), None))

    def as_json(self) -> list[dict[str, Any]]:
        """For a text: in the order of time, with inputs that are short."""
        return [_brief(entry) for entry in sorted(self._entries, key=lambda entry: entry.at)]


def _brief(entry: Entry) -> dict[str, Any]:
    brief = {"at": entry.at, "kind": entry.kind, "subject": entry.subject, "text": entry.text}
    if entry.call is not None and entry.call.input and entry.call.input_size <= SHORT_BODY:
        brief["input"] = entry.call.input.decode("utf-8", "replace")
    return brief
