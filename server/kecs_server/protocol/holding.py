"""Holding the Describe calls of botocore's waiters until their answer has changed.

The plugin lowers the sleep between a waiter's polls to next to nothing; so that MaxAttempts still
means the time that it means on AWS, a poll is held here for as long as the client would have
slept, and answered the moment that something has changed. The first poll is answered at once,
unless it asks for a service at the instant at which its counts are right by chance.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from kecs_server.domain.service import ACTIVE
from kecs_server.domain.service import STEADY
from kecs_server.protocol.model import waiters_of
from kecs_server.state.realm import Realm

Structure = dict[str, Any]

FOLLOWS_WITHIN = 1.0
"""Seconds after an answer in which the same question counts as the same waiter's next poll."""

CLIENT_DELAY = 0.01
"""Seconds that the plugin lets a waiter sleep: what follows sooner is another waiter's question."""

SOONER = 0.05
"""What a question that follows sooner counts for. Not nothing: several waiters may ask at once."""

_FEATURES = re.compile(r"(?:^|\s)m/(\S+)")
_WAITER = "B"


@dataclass(frozen=True, slots=True)
class _Answer:
    answer: Structure
    at: float
    repeated: float
    """How often the same answer was given before, to what may have been the same waiter."""


class Holder:
    """Remembers the last answer to each question that a waiter asked."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, _Answer] = {}
        self._lock = threading.Lock()

    def answer(
        self, question: Hashable, operation: str, realm: Realm, ask: Callable[[], Structure]
    ) -> Structure:
        """What `ask` answers, once that differs from the last answer to the same question, or
        the waiter's delay is over.

        A question whose answer would end one of the operation's waiters is held one repetition
        later: it may be another waiter's first. A service that runs as many tasks as it is to,
        and has not reached its steady state, is not shown before it has, or has lost a task: on
        AWS polls are too far apart to meet the instant at which tasks that exit at once all run.
        """
        with self._lock:
            last = self._answers.get(question)
        now = time.monotonic()
        deadline = now + waiters_of(operation)[0].delay
        version = realm.wait(-1, 0.0)
        answer = ask()
        while _is_undecided(answer) and time.monotonic() < deadline and not realm.ended:
            version = realm.wait(version, deadline)
            answer = ask()
        pause = math.inf if last is None else now - last.at
        is_next = pause < FOLLOWS_WITHIN
        if last is not None and is_next and last.repeated >= _patience(operation, answer):
            while answer == last.answer and time.monotonic() < deadline and not realm.ended:
                version = realm.wait(version, deadline)
                answer = ask()
        repeated = 0.0
        if last is not None and is_next and answer == last.answer:
            repeated = last.repeated + (1.0 if pause >= CLIENT_DELAY else SOONER)
        self._remember(question, answer, repeated)
        return answer

    def _remember(self, question: Hashable, answer: Structure, repeated: float) -> None:
        now = time.monotonic()
        with self._lock:
            if len(self._answers) > 1000:
                fresh = {q: a for q, a in self._answers.items() if now - a.at < FOLLOWS_WITHIN}
                self._answers = fresh
            self._answers[question] = _Answer(answer, now, repeated)


def is_waiter(user_agent: str) -> bool:
    """Whether botocore says that a waiter makes the call (feature id B)."""
    features = _FEATURES.search(user_agent)
    return features is not None and _WAITER in features[1].split(",")


def _is_undecided(answer: Structure) -> bool:
    """Whether a service would end the waiter `services_stable` before its steady state."""
    return any(
        service["status"] == ACTIVE
        and len(service["deployments"]) == 1
        and service["runningCount"] == service["desiredCount"]
        and not any(event["message"].endswith(STEADY) for event in service["events"][:1])
        for service in answer.get("services", ())
    )


def _patience(operation: str, answer: Structure) -> float:
    """How often the answer is given at once before it is held: 0 if every waiter would ask
    again, 1 if some would and some would not, infinity if none would.
    """
    ends = [
        any(acceptor.matcher_func(answer) for acceptor in waiter.acceptors)
        for waiter in waiters_of(operation)
    ]
    if all(ends):
        return math.inf
    return 1.0 if any(ends) else 0.0
