"""What the watch makes of breaks and gaps, with an API server played by a list of answers."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from threading import Event
from typing import Any
from typing import cast

from kecs_server.engines.kubernetes.api_errors import ApiError
from kecs_server.engines.kubernetes.streams import Json
from kecs_server.engines.kubernetes.streams import Watch
from kecs_server.engines.kubernetes.watch import ClusterWatch

SECONDS = 5.0
GONE = ApiError(status=410, reason="Expired", message="too old resource version")
BROKEN = ApiError(status=0, reason="ProtocolError", message="connection broken")


def pod(name: str, version: str) -> Json:
    return {"metadata": {"name": name, "resourceVersion": version}}


class Answer:
    """One watch: events, then its end or an error."""

    def __init__(self, *events: tuple[str, Json], error: ApiError | None = None) -> None:
        self._events = events
        self._error = error

    def __iter__(self) -> Iterator[tuple[str, Json]]:
        yield from self._events
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        pass


class Silence(Answer):
    """The last watch: it goes on until it is closed."""

    def __init__(self, reached: Event) -> None:
        super().__init__()
        self._reached = reached
        self._closed = Event()

    def __iter__(self) -> Iterator[tuple[str, Json]]:
        self._reached.set()
        self._closed.wait(SECONDS)
        yield from ()

    def close(self) -> None:
        self._closed.set()


class Script:
    """An API server, and what the listener was told."""

    def __init__(self, lists: list[Any], watches: list[Any]) -> None:
        self.reached = Event()
        self.seen: list[tuple[str, object]] = []
        self._lists = lists
        self._watches = [*watches, Silence(self.reached)]

    def list_pods(self) -> tuple[list[Json], str]:
        answer = self._lists.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        pods, version = answer
        return pods, version

    def watch_pods(self, version: str) -> Answer:
        self.seen.append(("watch", version))
        answer: Answer | ApiError = self._watches.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return answer

    def expected(self) -> set[str]:
        return {"a", "b"}

    def changed(self, pod: Json) -> None:
        self.seen.append(("changed", pod["metadata"]["name"]))

    def deleted(self, pod: Json) -> None:
        self.seen.append(("deleted", pod["metadata"]["name"]))

    def missing(self, names: set[str]) -> None:
        self.seen.append(("missing", names))

    def unreachable(self, error: ApiError) -> None:
        self.seen.append(("unreachable", error.status))

    def play(self, patience: float = 60) -> list[tuple[str, object]]:
        watch_from = cast(Callable[[str], Watch], self.watch_pods)
        watch = ClusterWatch(self.list_pods, watch_from, self, name="pod", patience=patience)
        watch.start()
        assert self.reached.wait(SECONDS)
        watch.close()
        return self.seen


BOTH = ([pod("a", "1"), pod("b", "2")], "5")
LISTED = [("changed", "a"), ("changed", "b")]


def test_events_are_handed_on_and_the_next_watch_goes_on_there() -> None:
    first = Answer(("ADDED", pod("c", "6")), ("DELETED", pod("a", "7")), ("BOOKMARK", pod("", "9")))

    seen = Script([BOTH], [first]).play()

    assert seen == [
        *LISTED,
        ("watch", "5"),
        ("changed", "c"),
        ("deleted", "a"),
        ("watch", "9"),
    ]


def test_a_broken_connection_is_no_gap() -> None:
    first = Answer(("MODIFIED", pod("a", "6")), error=BROKEN)

    seen = Script([BOTH], [first, BROKEN]).play()

    assert seen == [*LISTED, ("watch", "5"), ("changed", "a"), ("watch", "6"), ("watch", "6")]


def test_a_gap_is_closed_by_a_list() -> None:
    """410 comes as an answer, or as an event in a watch that had begun."""
    for gone in (GONE, Answer(error=GONE)):
        seen = Script([BOTH, ([pod("b", "8")], "8")], [gone]).play()

        assert seen == [
            *LISTED,
            ("watch", "5"),
            ("changed", "b"),
            ("missing", {"a"}),
            ("watch", "8"),
        ]


def test_a_server_that_stays_away_is_reported() -> None:
    seen = Script([BROKEN, BOTH], []).play(patience=0)

    assert seen == [("unreachable", 0), *LISTED, ("watch", "5")]
